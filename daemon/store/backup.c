/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/crash.h"
#include "common/files.h"
#include "common/text.h"
#include "common/time.h"
#include "daemon/store/backup.h"
#include "daemon/store/db-private.h"

static int backup_write(Db *db, const char *path, const bool volatile *cancel) {
        int rc = db_connect(db, SQLITE_OPEN_READONLY);
        if (rc != SQLITE_OK)
                return row_fault(db, rc, "opening for a backup");
        sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        db_limit_reads(db, 0, cancel);
        return row_run(db, "VACUUM INTO ?", "t", path);
}

static int backup_check(Db *copy, const bool volatile *cancel, Problem *problem) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *verdict = NULL;

        int rc = db_connect(copy, SQLITE_OPEN_READONLY);
        if (rc != SQLITE_OK)
                return row_fault(copy, rc, "opening the backup");
        db_limit_reads(copy, 0, cancel);
        _statement_ check = db_statement(copy, "PRAGMA integrity_check(1)");
        if (!check)
                return -EIO;
        int r = row_step(copy, check);
        if (r < 0)
                return r;
        row_read(check, a, "t", &verdict);
        if (!str_equal(verdict, "ok"))
                return problem_set(problem, PROBLEM_FAILED, "backup-damaged", NULL, "the copy failed its check (%s): look at the disk before anything else", verdict);
        return 0;
}

int db_backup(const char *state, const char *vfs, const char *path, const bool volatile *cancel, Problem *problem) {
        _cleanup_(db_closep) Db *db = db_new(state, vfs);
        _cleanup_(db_closep) Db *copy = db_new_at(path, "unix");

        /* An empty file is taken as a new one, and keeps its mode. */
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        close(fd);
        int r = backup_write(db, path, cancel);
        if (r == -ENOSPC)
                r = problem_set(problem, PROBLEM_UNAVAILABLE, "disk-full", NULL, "the backup does not fit on its disk: nothing was kept of it");
        if (r == 0)
                r = backup_check(copy, cancel, problem);
        if (r != 0)
                unlink(path);
        return r;
}

/* ---- what is kept ---- */

static int keep_named(const BackupOrder *o, const char *name, int64_t *ret_bytes, Problem *problem) {
        char part[4200], path[4200];
        struct stat st;

        if (snprintf(part, sizeof(part), "%s/.%s.part", o->folder, name) >= (int) sizeof(part))
                return -ENAMETOOLONG;
        snprintf(path, sizeof(path), "%s/%s", o->folder, name);
        unlink(part);
        crash_point("before_backup");
        int r = db_backup(o->state, o->vfs, part, o->cancel, problem);
        if (r != 0)
                return r;
        crash_point("backup_written");
        _cleanup_(closep) int fd = open(part, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        r = fd < 0 || fstat(fd, &st) < 0 ? -errno : file_finish(fd, part, path);
        if (r < 0) {
                unlink(part);
                return r;
        }
        *ret_bytes = st.st_size;
        return 0;
}

int backup_keep(const BackupOrder *order, char ret_name[BACKUP_NAME_SIZE], int64_t *ret_bytes, Problem *problem) {
        int r = keep_named(order, backup_name(order->kind, order->now, ret_name), ret_bytes, problem);
        if (r == -ENOENT || r == -ENOTDIR)
                return problem_set(problem, PROBLEM_UNAVAILABLE, "no-backup-directory", NULL,
                                   "the backup directory %.300s is not there: create it for tenantd's user, or mount it", order->folder);
        if (r == -EACCES || r == -EROFS || r == -EPERM)
                return problem_set(problem, PROBLEM_UNAVAILABLE, "no-backup-directory", NULL,
                                   "the backup directory %.300s cannot be written (%s): make it writable for tenantd's user", order->folder, strerror(-r));
        return r;
}

void backup_discard(const BackupOrder *order, const char *name) {
        char path[4200];
        snprintf(path, sizeof(path), "%s/%s", order->folder, name);
        unlink(path);
}

/* ".NAME.part" of a name of ours. */
static bool is_part(const char *name) {
        char inner[BACKUP_NAME_SIZE];
        size_t n = strlen(name), end = strlen(".part");
        Usec ignored;

        if (name[0] != '.' || n <= end + 1 || n - end - 1 >= sizeof(inner) || strcmp(name + n - end, ".part") != 0)
                return false;
        memcpy(inner, name + 1, n - end - 1);
        inner[n - end - 1] = 0;
        return backup_name_read(inner, &ignored);
}

typedef struct Found {
        char name[BACKUP_NAME_SIZE];
        Usec made;
} Found;

static int newest_first(const void *a, const void *b) {
        return -strcmp(((const Found *) a)->name, ((const Found *) b)->name);
}

static int delete_one(const char *folder, const char *name) {
        char path[4500];
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        return unlink(path) == 0;
}

int backup_prune(const char *folder, Usec now) {
        _cleanup_(freep) Found *nightly = NULL;
        size_t n = 0, size = 0;
        int deleted = 0;

        DIR *d = opendir(folder);
        if (!d)
                return -errno;
        for (const struct dirent *e; (e = readdir(d));) {
                Usec made;
                const char *kind = backup_name_read(e->d_name, &made);
                bool every_night = kind && str_equal(kind, "nightly");
                if (is_part(e->d_name) || (kind && !every_night && made < now - BACKUPS_KEPT * USEC_DAY)) {
                        deleted += delete_one(folder, e->d_name);
                } else if (every_night) {
                        if (n == size)
                                nightly = memory_grow(nightly, (size = MAX((size_t) 32, size * 2)) * sizeof(*nightly));
                        text_copy_cut(nightly[n].name, sizeof(nightly[n].name), e->d_name);
                        nightly[n++].made = made;
                }
        }
        closedir(d);
        if (n > 0)
                qsort(nightly, n, sizeof(*nightly), newest_first);
        /* After nights without one there are fewer, not older: what was erased shall be gone from them when its record says so. */
        for (size_t i = BACKUPS_KEPT_ANYHOW; i < n; i++)
                if (i >= BACKUPS_KEPT || nightly[i].made < now - BACKUPS_KEPT * USEC_DAY)
                        deleted += delete_one(folder, nightly[i].name);
        return deleted;
}

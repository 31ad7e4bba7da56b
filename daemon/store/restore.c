/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/crash.h"
#include "common/files.h"
#include "common/log.h"
#include "daemon/store/db-private.h"
#include "daemon/store/restore.h"
#include "daemon/store/setting-store.h"

#define STAGED "restore.db"

int restore_note(const char *path, const char *note) {
        _cleanup_(db_closep) Db *db = db_new_at(path, "unix-excl");
        int rc = db_connect(db, SQLITE_OPEN_READWRITE);
        int r = rc == SQLITE_OK ? db_exec(db, db_pragmas) : row_fault(db, rc, "noting a restore");

        if (r >= 0)
                r = db_exec(db, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL;");
        if (r >= 0)
                r = setting_put(db, "restore-note", note);
        db_close(TAKE_PTR(db));
        if (r < 0)
                return r;
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int restore_stage(const char *state, const char *path) {
        char staged[4200];

        snprintf(staged, sizeof(staged), "%s/" STAGED, state);
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        crash_point("before_stage");
        int r = fd < 0 ? -errno : file_finish(fd, path, staged);
        crash_point("after_stage");
        return r;
}

int restore_unstage(const char *state) {
        char staged[4200];
        snprintf(staged, sizeof(staged), "%s/" STAGED, state);
        if (unlink(staged) < 0 && errno != ENOENT)
                return -errno;
        return folder_sync(state);
}

int64_t restore_bytes(const char *state) {
        static const char *const names[] = { DB_FILE, DB_FILE "-wal", STAGED };
        char path[4200];
        struct stat st;
        int64_t bytes = 0;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                snprintf(path, sizeof(path), "%s/%s", state, names[i]);
                bytes += stat(path, &st) < 0 ? 0 : (int64_t) st.st_size;
        }
        return bytes;
}

/* ---- at the start ---- */

typedef struct Place {
        const BackupOrder *order;
        char live[4200], staged[4200];
        char name[BACKUP_NAME_SIZE];         /* what the replaced one is called */
        char *kept;                          /* where; RESTORE_PATH_SIZE */
        bool in_state;                       /* it could not be kept in the backup directory */
} Place;

static bool is_there(const char *path, const char *suffix) {
        char whole[RESTORE_PATH_SIZE + 100];
        struct stat st;
        snprintf(whole, sizeof(whole), "%s%s", path, suffix);
        return lstat(whole, &st) == 0 && st.st_size > 0;
}

/* What the old one's last commits left in its WAL goes into its file: with another file of that name it would be taken for
 * that one's. */
static int fold_wal(const Place *p) {
        if (!is_there(p->live, "-wal"))
                return 0;
        _cleanup_(db_closep) Db *db = db_new_at(p->live, p->order->vfs);
        int64_t tables = 0;
        int rc = db_connect(db, SQLITE_OPEN_READWRITE);
        /* Closing would write back, or throw away, what it could not even read. */
        if (rc == SQLITE_OK)
                sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        int r = rc == SQLITE_OK ? row_int(db, &tables, "SELECT count(*) FROM sqlite_schema", "") : row_fault(db, rc, "opening what is replaced");
        if (r >= 0)
                r = db_exec(db, "PRAGMA journal_mode=DELETE");
        return MIN(r, 0);
}

static int link_to(Place *p, const char *folder) {
        struct stat here, there;

        if (snprintf(p->kept, RESTORE_PATH_SIZE, "%s/%s", folder, p->name) >= RESTORE_PATH_SIZE)
                return -ENAMETOOLONG;
        if (link(p->live, p->kept) < 0) {
                int k = errno;
                /* An earlier start came as far as this. */
                if (k != EEXIST || stat(p->live, &here) < 0 || stat(p->kept, &there) < 0 || here.st_ino != there.st_ino || here.st_dev != there.st_dev)
                        return -k;
        }
        return folder_sync(folder);
}

/* What an earlier start copied: it has its name only since it was whole. */
static bool is_copy(int in, const char *path) {
        uint8_t ours[HEADER_SIZE], its[HEADER_SIZE];
        struct stat here, there;
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0 || fstat(in, &here) < 0 || fstat(fd, &there) < 0 || here.st_size != there.st_size)
                return false;
        ssize_t n = pread(in, ours, sizeof(ours), 0);
        return n > 0 && pread(fd, its, sizeof(its), 0) == n && memcmp(ours, its, (size_t) n) == 0;
}

/* The file FOLDER/NAME+suffix, whole and on disk. */
static int copy_to(const Place *p, const char *from, const char *folder, const char *suffix) {
        char part[4400], path[RESTORE_PATH_SIZE + 8], block[65536];
        ssize_t k = 0;
        int r = 0;

        snprintf(path, sizeof(path), "%s/%s%s", folder, p->name, suffix);
        snprintf(part, sizeof(part), "%s/.%s%s.part", folder, p->name, suffix);
        _cleanup_(closep) int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (in < 0)
                return -errno;
        if (is_there(path, ""))
                return is_copy(in, path) ? folder_sync(folder) : -EEXIST;
        _cleanup_(closep) int out = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (out < 0)
                return -errno;
        while (r >= 0 && (k = read(in, block, sizeof(block))) > 0)
                r = fd_write_all(out, block, (size_t) k);
        if (r >= 0 && k < 0)
                r = -errno;
        if (r >= 0)
                r = file_finish(out, part, path);
        if (r < 0)
                unlink(part);
        return r;
}

/* A second name costs nothing and is whole at once. Where that cannot be (another disk), a copy; where that cannot be either, a
 * second name in the state directory: what was there is never thrown away. */
static int keep_old(Place *p) {
        int r = link_to(p, p->order->folder);
        if (r < 0)
                r = copy_to(p, p->live, p->order->folder, "");
        if (r >= 0)
                return 0;
        log_warning("the database that is replaced could not be kept in %s (%s): it is kept in %s", p->order->folder, strerror(-r), p->order->state);
        p->in_state = true;
        return link_to(p, p->order->state);
}

/* Of an old one that is too damaged to be opened: what it acknowledged last is there alone. */
static int keep_wal(Place *p) {
        char wal[4300], kept[RESTORE_PATH_SIZE + 8];

        snprintf(wal, sizeof(wal), "%s-wal", p->live);
        if (!is_there(wal, ""))
                return 0;
        snprintf(kept, sizeof(kept), "%s-wal", p->kept);
        int r = rename(wal, kept) < 0 ? -errno : 0;
        if (r == -EXDEV) {
                r = copy_to(p, wal, p->order->folder, "-wal");
                if (r >= 0 && unlink(wal) < 0)
                        r = -errno;
        }
        if (r >= 0 && !p->in_state)
                r = folder_sync(p->order->folder);
        return r < 0 ? r : folder_sync(p->order->state);
}

/* Whether the staged file is still what was judged, as far as its first bytes tell. */
static bool staged_is_ours(const Place *p) {
        uint8_t bytes[HEADER_SIZE];
        _cleanup_(closep) int fd = open(p->staged, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
        return n == (ssize_t) sizeof(bytes) && header_read(bytes, (size_t) n).kind == HEADER_OURS;
}

static int place(Place *p) {
        static const char *const leftovers[] = { "-wal", "-journal", "-shm" };
        char path[4300];
        int r = 0;

        if (fold_wal(p) < 0)
                log_warning("%s cannot be read any more: it is kept as it is", p->live);
        crash_point("old_folded");
        if (is_there(p->live, "")) {
                r = keep_old(p);
                crash_point("old_kept");
                if (r >= 0)
                        r = keep_wal(p);
        }
        for (size_t i = 0; i < ELEMENTSOF(leftovers) && r >= 0; i++) {
                snprintf(path, sizeof(path), "%s%s", p->live, leftovers[i]);
                unlink(path);
        }
        if (r >= 0 && rename(p->staged, p->live) < 0)
                r = -errno;
        crash_point("new_placed");
        return r < 0 ? r : folder_sync(p->order->state);
}

int restore_place(const BackupOrder *order, char ret_kept[RESTORE_PATH_SIZE], int *ret_exit, Problem *problem) {
        _cleanup_(db_closep) Db *lock = db_new(order->state, order->vfs);
        Place p = { .order = order, .kept = ret_kept };
        struct stat st;

        *ret_kept = 0;
        snprintf(p.live, sizeof(p.live), "%s/" DB_FILE, order->state);
        snprintf(p.staged, sizeof(p.staged), "%s/" STAGED, order->state);
        if (lstat(p.staged, &st) < 0)
                return 0;
        *ret_exit = 74;
        int r = db_lock(lock, order->state, ret_exit, problem);
        if (r != 0)
                return r;
        if (!staged_is_ours(&p)) {
                log_error("%s is not what was checked: it is not put in place of the database; look at the disk, and restore again", p.staged);
                return 0;
        }
        /* By when it was staged: a start that died and one that comes after it call it the same. */
        backup_name("replaced", st.st_mtime * USEC_SEC, p.name);
        r = place(&p);
        if (r < 0) {
                *ret_exit = 74;
                return problem_set(problem, PROBLEM_FAILED, "not-restored", NULL,
                                   "%s cannot be put in place of the database: %s: make room and start again, or delete it to go on with the old one", p.staged,
                                   strerror(-r));
        }
        log_info("the restored database is in place; the one before it is %s", *ret_kept ? ret_kept : "gone");
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/crypt.h"
#include "common/files.h"
#include "common/id.h"
#include "common/log.h"
#include "daemon/leftovers.h"
#include "daemon/store/message-store.h"
#include "daemon/store/operation-store.h"
#include "daemon/store/report-store.h"

#define UNKNOWN "reports/unknown"

typedef int (*IsWanted)(Db *db, const char *path);      /* relative to the state directory; 1 yes, 0 no */

static int remove_unwanted(Db *db, const char *state, const char *folder, IsWanted is_wanted) {
        char path[4200], whole[8400];
        int removed = 0, r = 0;

        snprintf(whole, sizeof(whole), "%s/%s", state, folder);
        DIR *d = opendir(whole);
        if (!d)
                return -errno;
        for (const struct dirent *e; r >= 0 && (e = readdir(d));) {
                if (e->d_name[0] == '.')
                        continue;
                snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
                r = is_wanted(db, path);
                if (r != 0)
                        continue;
                snprintf(whole, sizeof(whole), "%s/%s", state, path);
                removed += unlink(whole) == 0;
        }
        closedir(d);
        if (removed > 0)
                log_info("%d files that nothing refers to were removed from %s", removed, folder);
        return MIN(r, 0);
}

static int sync_in(const char *state, const char *folder) {
        char path[4200];
        snprintf(path, sizeof(path), "%s/%s", state, folder);
        return folder_sync(path);
}

/* Whether it is what the report of that path was when it was made. */
static int is_as_written(Db *db, const char *file, const char *path) {
        _cleanup_(sha256_freep) Sha256 *sha = sha256_new();
        _cleanup_(closep) int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        uint8_t block[65536], digest[SHA256_SIZE];
        ssize_t n = 0;

        while (fd >= 0 && (n = read(fd, block, sizeof(block))) > 0)
                sha256_add(sha, block, (size_t) n);
        if (fd < 0 || n < 0)
                return -errno;
        sha256_end(sha, digest);
        return report_is_file(db, path, digest);
}

/* Two of one name: work that a death cut short was done again, by this database or by another. The one that belongs there gets the
 * name, and the other the other one. */
static int exchange(Db *db, const char *here, const char *there, const char *path) {
        int r = is_as_written(db, here, path);
        if (r > 0 && renameat2(AT_FDCWD, here, AT_FDCWD, there, RENAME_EXCHANGE) < 0)
                r = -errno;
        return r;
}

/* 1 moved, 0 not. */
static int move(Db *db, const char *state, const char *name, const char *from, const char *to) {
        char here[8400], there[8400], path[4200];

        snprintf(here, sizeof(here), "%s/%s/%s", state, from, name);
        snprintf(there, sizeof(there), "%s/%s", state, to);
        snprintf(path, sizeof(path), "reports/%s", name);
        if (mkdir(there, 0700) < 0 && errno != EEXIST)
                return -errno;
        snprintf(there, sizeof(there), "%s/%s/%s", state, to, name);
        if (access(there, F_OK) == 0)
                return exchange(db, here, there, path);
        return rename(here, there) < 0 ? -errno : 1;
}

/* Files of reports/ go to reports/unknown, or come back from there. */
static int move_if(Db *db, const char *state, const char *from, const char *to, bool wanted) {
        char path[4200], here[8400];
        struct stat st;
        int moved = 0, r = 0;

        snprintf(here, sizeof(here), "%s/%s", state, from);
        DIR *d = opendir(here);
        if (!d)
                return errno == ENOENT ? 0 : -errno;
        for (const struct dirent *e; r >= 0 && (e = readdir(d));) {
                snprintf(here, sizeof(here), "%s/%s/%s", state, from, e->d_name);
                if (e->d_name[0] == '.' || lstat(here, &st) < 0 || !S_ISREG(st.st_mode))
                        continue;
                snprintf(path, sizeof(path), "reports/%s", e->d_name);
                r = report_wants_file(db, path);
                if (r != wanted)
                        continue;
                r = move(db, state, e->d_name, from, to);
                moved += r > 0;
        }
        closedir(d);
        if (moved > 0)
                log_info("%d files were moved from %s to %s", moved, from, to);
        if (r >= 0 && moved > 0)
                r = sync_in(state, to);
        if (r >= 0 && moved > 0)
                r = sync_in(state, from);
        return MIN(r, 0);
}

static int is_whole(Db *db, const char *path) {
        size_t n = strlen(path), end = strlen(".part");
        return n < end || strcmp(path + n - end, ".part") != 0;
}

int leftovers_sort_reports(Db *db, const char *state) {
        /* One that was never whole is no report. */
        int r = remove_unwanted(db, state, "reports", is_whole);
        if (r >= 0)
                r = move_if(db, state, "reports", UNKNOWN, false);
        return r < 0 ? r : move_if(db, state, UNKNOWN, "reports", true);
}

/* What is_wanted (NULL: nothing) does not want of what is older than that. */
static int expire(Db *db, const char *state, const char *folder, Usec before, IsWanted is_wanted) {
        char path[8400];
        struct stat st;
        int r = 0;

        snprintf(path, sizeof(path), "%s/%s", state, folder);
        DIR *d = opendir(path);
        for (const struct dirent *e; r >= 0 && d && (e = readdir(d));) {
                snprintf(path, sizeof(path), "%s/%s/%s", state, folder, e->d_name);
                if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_mtime * USEC_SEC >= before)
                        continue;
                r = is_wanted ? is_wanted(db, e->d_name) : 0;
                if (r == 0)
                        unlink(path);
        }
        if (d)
                closedir(d);
        return MIN(r, 0);
}

int leftovers_expire_reports(Db *db, const char *state, Usec before) {
        return expire(db, state, UNKNOWN, before, NULL);
}

int leftovers_expire_mail(Db *db, const char *state, Usec before) {
        return expire(db, state, "outbox-mail", before, message_wants_file);
}

int leftovers_remove(Db *db, const char *state) {
        int r = remove_unwanted(db, state, "spool", operation_wants_file);
        return r < 0 ? r : remove_unwanted(db, state, "outbox-mail", is_whole);
}

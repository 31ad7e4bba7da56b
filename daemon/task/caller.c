/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "common/text.h"
#include "daemon/task/caller.h"

enum { ENTRY_SIZE = 1 << 20 };               /* a group may list thousands of members */

static int user_by_uid(Arena *a, int64_t uid, struct passwd **ret) {
        struct passwd *entry = arena_alloc(a, sizeof(*entry));
        char *text = arena_alloc(a, ENTRY_SIZE / 16);
        return -getpwuid_r((uid_t) uid, entry, text, ENTRY_SIZE / 16, ret);
}

/* These are what getpwnam(3) names for "not found". */
static int found_or_fault(int r) {
        return r == -ENOENT || r == -ESRCH || r == -EBADF || r == -EPERM ? 0 : r;
}

const char *host_user(Arena *a, int64_t uid) {
        struct passwd *found = NULL;
        return user_by_uid(a, uid, &found) == 0 && found ? found->pw_name : NULL;
}

int caller_look_up(Caller *caller, int64_t admin_gid, Arena *a) {
        struct passwd *found = NULL;
        int n = CALLER_GIDS_MAX;

        caller->n_gids = 0;
        int r = found_or_fault(user_by_uid(a, caller->uid, &found));
        if (r < 0 || !found)
                return r;
        uint32_t *gids = arena_alloc(a, (size_t) n * sizeof(*gids));
        /* Without a fault of its own it says how many there are. */
        if (getgrouplist(found->pw_name, found->pw_gid, gids, &n) < 0 && n <= (int) CALLER_GIDS_MAX)
                return -EIO;
        caller->user = found->pw_name;
        caller->gids = gids;
        caller->n_gids = (size_t) MIN(MAX(n, 0), (int) CALLER_GIDS_MAX);
        for (size_t i = 0; i < caller->n_gids; i++)
                caller->all |= gids[i] == admin_gid;
        return 0;
}

static int user_number(const char *name, char *text, int64_t *ret) {
        struct passwd entry, *found = NULL;
        int r = getpwnam_r(name, &entry, text, ENTRY_SIZE, &found);
        if (found)
                *ret = found->pw_uid;
        return found ? 1 : -r;
}

static int group_number(const char *name, char *text, int64_t *ret) {
        struct group entry, *found = NULL;
        int r = getgrnam_r(name, &entry, text, ENTRY_SIZE, &found);
        if (found)
                *ret = found->gr_gid;
        return found ? 1 : -r;
}

int host_number(char kind, const char *name, int64_t *ret) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        char *text = arena_alloc(a, ENTRY_SIZE);
        uint64_t number;

        int r = found_or_fault(kind == 'u' ? user_number(name, text, ret) : group_number(name, text, ret));
        if (r == 0 && number_parse(name, UINT32_MAX - 1, &number)) {
                *ret = (int64_t) number;
                r = 1;
        }
        return r;
}

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

const char *host_user(Arena *a, int64_t uid) {
        struct passwd *found = NULL;
        return user_by_uid(a, uid, &found) == 0 && found ? found->pw_name : NULL;
}

void caller_look_up(Caller *caller, int64_t admin_gid, Arena *a) {
        struct passwd *found = NULL;
        int n = CALLER_GIDS_MAX;

        caller->n_gids = 0;
        if (user_by_uid(a, caller->uid, &found) < 0 || !found)
                return;
        uint32_t *gids = arena_alloc(a, (size_t) n * sizeof(*gids));
        (void) getgrouplist(found->pw_name, found->pw_gid, gids, &n);
        caller->user = found->pw_name;
        caller->gids = gids;
        caller->n_gids = (size_t) MIN(MAX(n, 0), (int) CALLER_GIDS_MAX);
        for (size_t i = 0; i < caller->n_gids; i++)
                caller->all |= gids[i] == admin_gid;
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

        int r = kind == 'u' ? user_number(name, text, ret) : group_number(name, text, ret);
        /* These are what getpwnam(3) names for "not found". */
        if (r == -ENOENT || r == -ESRCH || r == -EBADF || r == -EPERM)
                r = 0;
        if (r == 0 && number_parse(name, UINT32_MAX - 1, &number)) {
                *ret = (int64_t) number;
                r = 1;
        }
        return r;
}

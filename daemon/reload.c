/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/stat.h>

#include "common/names.h"
#include "daemon/reload.h"

/* A pipe that was read at the start has nothing more to say, and would be waited for. */
static int check_file(const char *path, Problem *problem) {
        struct stat st;

        if (!path || stat(path, &st) < 0 || S_ISREG(st.st_mode))
                return 0;
        return problem_set(problem, PROBLEM_REFUSED, "unreadable", NULL, "%s is no file that can be read again: restart tenantd", path);
}

int reload_read(void *reload, Arena *a, Reloaded *ret, Problem *problem) {
        Reload *r = reload;
        Settings read;
        SettingsChange change;

        int k = check_file(r->config ?: CONFIG_FILE, problem);
        settings_defaults(a, r->now->state, &read);
        if (k == 0)
                k = settings_read(a, r->config, &read, problem);
        if (k != 0) {
                problem->kind = PROBLEM_REFUSED;
                return k;
        }
        settings_renew(a, r->now, &read, &change);
        *ret = (Reloaded) { change.applied, change.restart };
        r->next = NULL;
        if (!change.applied[0])
                return 0;
        Settings *next = arena_alloc(r->arena, sizeof(*next));
        settings_renew(r->arena, r->now, &read, &change);
        *next = change.settings;
        r->next = next;
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "common/files.h"
#include "daemon/store/going.h"
#include "daemon/store/setting-store.h"

#define NOTED "files-going"          /* the setting: a line each, relative to the state directory */

static const char *const folders[] = { "reports/", "reports/unknown/", "outbox-mail/" };

/* A database may come from elsewhere: what it names must be a file of these folders, and no other. */
static const char *name_in(const char *path, const char *folder) {
        size_t n = strlen(folder);
        bool within = strncmp(path, folder, n) == 0 && path[n] && path[n] != '.' && !strchr(path + n, '/');
        return within ? path + n : NULL;
}

int going_note(Db *db, const char *state, size_t first) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        _cleanup_(buffer_done) Buffer names = {};
        const char *before = NULL;
        size_t n, skip = strlen(state) + 1;
        const Effect *effects = turn_effects(db, &n);

        int r = setting_get(db, a, NOTED, &before);
        if (r < 0)
                return r;
        buffer_add_string(&names, before ?: "");
        for (size_t i = first; i < n; i++)
                if (effects[i].type == EFFECT_UNLINK)
                        buffer_printf(&names, "%s\n", effects[i].path + skip);
        return str_equal(before ?: "", buffer_string(&names)) ? 0 : setting_put(db, NOTED, buffer_string(&names));
}

static void remove_one(const char *state, const char *path) {
        const char *report = name_in(path, folders[0]), *mail = name_in(path, folders[2]);
        char whole[8400];

        if (report) {
                snprintf(whole, sizeof(whole), "%s/%s%s", state, folders[1], report);
                (void) unlink(whole);
        }
        if (!report && !mail)
                return;
        snprintf(whole, sizeof(whole), "%s/%s", state, path);
        (void) unlink(whole);
}

static int folders_sync(const char *state) {
        char path[4200];

        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                snprintf(path, sizeof(path), "%s/%s", state, folders[i]);
                int r = folder_sync(path);
                if (r < 0 && r != -ENOENT)
                        return r;
        }
        return 0;
}

int going_finish(Db *db, const char *state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *names = NULL;

        int r = setting_get(db, a, NOTED, &names);
        if (r <= 0)
                return r;
        for (char *line = arena_strdup(a, names), *rest; *line; line = rest) {
                rest = strchrnul(line, '\n');
                if (*rest)
                        *rest++ = 0;
                remove_one(state, line);
        }
        /* Where a name may still come back, it is tried again another time. */
        return folders_sync(state) < 0 ? 0 : setting_delete(db, NOTED);
}

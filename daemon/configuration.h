/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The configuration file and its drop-ins (FILE.d/NAME.conf, by name): INI, [section] and key = value. Unknown keys,
 * doubled keys in one file and bad values are refused with file, line and what was meant. */

#include "common/problem.h"
#include "daemon/model/settings.h"

void settings_defaults(Arena *a, const char *state, Settings *ret);
/* path NULL: /etc/tenantd/tenantd.conf if it is there. A path that was named must be there. */
int settings_read(Arena *a, const char *path, Settings *settings, Problem *problem);

/* What comes of reading it again while the daemon runs: now, with what may change at run time as it was read. */
typedef struct SettingsChange {
        Settings settings;
        const char **applied, **restart;     /* keys with another value, NULL-terminated; the latter take effect at the next start */
} SettingsChange;
/* Everything new is in the arena. */
void settings_renew(Arena *a, const Settings *now, const Settings *read, SettingsChange *ret);

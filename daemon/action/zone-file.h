/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A zone by its name, from the installed tzdata. */

#include "daemon/action/action.h"
#include "daemon/model/zone.h"

/* -ENOENT: the host does not have it (any more); -EBADMSG: its file is broken. It lives in the arena. */
int zone_load(Arena *a, const Settings *settings, const char *name, Zone **ret);

/* Of many look-ups in one go: what was read is not read again. */
enum { ZONES_KEPT = 16 };
typedef struct ZoneCache {
        const char *names[ZONES_KEPT];
        Zone *zones[ZONES_KEPT];
        size_t n;
} ZoneCache;
int zone_cached(ZoneCache *z, Arena *a, const Settings *settings, const char *name, Zone **ret);

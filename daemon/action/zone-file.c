/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "common/files.h"
#include "common/text.h"
#include "daemon/action/zone-file.h"

enum { ZONE_FILE_MAX = 1 << 20 };

int zone_load(Arena *a, const Settings *settings, const char *name, Zone **ret) {
        Buffer bytes = {};
        int r = file_read(arena_printf(a, "%s/%s", settings->zoneinfo, name), ZONE_FILE_MAX, &bytes);
        if (r == 0)
                r = zone_parse(a, bytes.data, bytes.size, ret);
        buffer_done(&bytes);
        return r;
}

int zone_cached(ZoneCache *z, Arena *a, const Settings *settings, const char *name, Zone **ret) {
        for (size_t i = 0; i < z->n; i++)
                if (str_equal(z->names[i], name)) {
                        *ret = z->zones[i];
                        return 0;
                }
        int r = zone_load(a, settings, name, ret);
        if (r == 0 && z->n < ZONES_KEPT) {
                z->names[z->n] = name;
                z->zones[z->n++] = *ret;
        }
        return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/store/epoch.h"
#include "daemon/store/setting-store.h"

int epoch_read(Db *db, Arena *a, int64_t *ret, Usec *ret_restored) {
        const char *epoch = NULL, *restored = NULL;
        int r = setting_get(db, a, "epoch", &epoch);
        if (r >= 0)
                r = setting_get(db, a, "restored", &restored);
        *ret = epoch ? atoll(epoch) : 1;
        *ret_restored = restored ? atoll(restored) : USEC_NONE;
        return MIN(r, 0);
}

int epoch_begin(Db *db, int64_t epoch, Usec restored) {
        char text[24];

        snprintf(text, sizeof(text), "%lld", (long long) epoch);
        int r = setting_put(db, "epoch", text);
        snprintf(text, sizeof(text), "%lld", (long long) restored);
        return r < 0 ? r : setting_put(db, "restored", text);
}

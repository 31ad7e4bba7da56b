/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/store/row.h"
#include "daemon/store/setting-store.h"

int setting_get(Db *db, Arena *a, const char *name, const char **ret) {
        _statement_ s = db_statement(db, "SELECT value FROM setting WHERE name = ?");
        if (!s)
                return -EIO;
        row_bind(s, "t", name);
        int r = row_step(db, s);
        if (r > 0)
                row_read(s, a, "t", ret);
        return r;
}

int setting_is(Db *db, const char *name, const char *value) {
        int64_t one = 0;
        return row_int(db, &one, "SELECT 1 FROM setting WHERE name = ? AND value = ?", "tt", name, value);
}

int setting_put(Db *db, const char *name, const char *value) {
        return row_run(db, "INSERT INTO setting(name, value) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET value = ?2", "tt", name, value);
}

int setting_delete(Db *db, const char *name) {
        return row_run(db, "DELETE FROM setting WHERE name = ?", "t", name);
}

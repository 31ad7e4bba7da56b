/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/store/group-store.h"
#include "daemon/store/row.h"

#define COLUMNS "n, id, revision, name, name_key, selector, created"

static int read_one(Db *db, Arena *a, sqlite3_stmt *s, Group *ret) {
        int r = row_step(db, s);
        if (r > 0)
                row_read(s, a, "iditttu", &ret->n, &ret->id, &ret->revision, &ret->name, &ret->name_key, &ret->selector, &ret->created);
        return r;
}

int group_find(Db *db, Arena *a, const char *reference, const char *key, Group *ret) {
        Id id = {};
        bool is_id = id_parse(reference, &id);

        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM customer_group WHERE name_key = ?1 OR (?2 AND id = ?3) ORDER BY name_key = ?1 LIMIT 1");
        if (!s)
                return -EIO;
        row_bind(s, "tid", key, (int64_t) is_id, id);
        return read_one(db, a, s, ret);
}

int group_load(Db *db, Arena *a, int64_t n, Group *ret) {
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM customer_group WHERE n = ?");
        if (!s)
                return -EIO;
        row_bind(s, "i", n);
        return read_one(db, a, s, ret);
}

static int changed(Db *db, int r, Id id) {
        if (r >= 0)
                turn_effect(db, (Effect) { .type = EFFECT_CHANGED, .kind = "group", .id = id });
        return r;
}

int group_insert(Db *db, Group *g) {
        int64_t n = 0;
        int r = row_int(db, &n, "SELECT max(n) FROM customer_group", "");
        if (r < 0)
                return r;
        g->n = n + 1;
        g->revision = 1;
        return changed(db, row_run(db, "INSERT INTO customer_group(" COLUMNS ") VALUES(?,?,?,?,?,?,?)", "iditttu", g->n, g->id, g->revision, g->name,
                                   g->name_key, g->selector, g->created), g->id);
}

int group_update(Db *db, Group *g) {
        g->revision++;
        return changed(db, row_run(db, "UPDATE customer_group SET revision = ?, name = ?, name_key = ?, selector = ? WHERE n = ?", "ittti",
                                   g->revision, g->name, g->name_key, g->selector, g->n), g->id);
}

int group_delete(Db *db, int64_t n) {
        return row_run(db, "DELETE FROM customer_group WHERE n = ?", "i", n);
}

int groups_all(Db *db, Arena *a, SelectorGroups *ret) {
        int64_t count = 0;
        int r = row_int(db, &count, "SELECT count(*) FROM customer_group", "");
        if (r < 0)
                return r;
        _statement_ s = db_statement(db, "SELECT name, selector FROM customer_group ORDER BY n");
        if (!s)
                return -EIO;
        SelectorGroup *all = arena_alloc(a, ((size_t) count + 1) * sizeof(*all));
        ret->n = 0;
        while ((r = row_step(db, s)) > 0 && ret->n < (size_t) count) {
                row_read(s, a, "tt", &all[ret->n].name, &all[ret->n].selector);
                ret->n++;
        }
        ret->items = all;
        return MIN(r, 0);
}

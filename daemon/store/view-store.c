/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/store/row.h"
#include "daemon/store/view-store.h"

int view_find(Db *db, Arena *a, const char *reference, View *ret) {
        Id id = {};
        bool is_id = id_parse(reference, &id);

        _statement_ s = db_statement(db, "SELECT n, id, revision, name, name_key, selector, columns, sort, owner, created FROM view"
                                         " WHERE name = ?1 OR (?2 AND id = ?3) ORDER BY name = ?1 LIMIT 1");
        if (!s)
                return -EIO;
        row_bind(s, "tid", reference, (int64_t) is_id, id);
        int r = row_step(db, s);
        if (r > 0)
                row_read(s, a, "iditttttiu", &ret->n, &ret->id, &ret->revision, &ret->name, &ret->name_key, &ret->selector, &ret->columns,
                         &ret->sort, &ret->owner, &ret->created);
        return r;
}

int view_insert(Db *db, View *v) {
        int64_t n = 0;
        int r = row_int(db, &n, "SELECT max(n) FROM view", "");
        if (r < 0)
                return r;
        v->n = n + 1;
        v->revision = 1;
        return row_run(db, "INSERT INTO view(n, id, revision, name, name_key, selector, columns, sort, owner, created) VALUES(?,?,?,?,?,?,?,?,?,?)",
                       "iditttttiu", v->n, v->id, v->revision, v->name, v->name_key, v->selector, v->columns, v->sort, v->owner, v->created);
}

int view_update(Db *db, View *v) {
        v->revision++;
        return row_run(db, "UPDATE view SET revision = ?, name = ?, name_key = ?, selector = ?, columns = ?, sort = ? WHERE n = ?", "ittttti",
                       v->revision, v->name, v->name_key, v->selector, v->columns, v->sort, v->n);
}

int view_delete(Db *db, int64_t n) {
        return row_run(db, "DELETE FROM view WHERE n = ?", "i", n);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/store/role-store.h"
#include "daemon/store/row.h"

#define COLUMNS "n, id, revision, name, name_key, verbs, selector, exclude, created"

static void role_read(sqlite3_stmt *s, Arena *a, Role *ret) {
        row_read(s, a, "iditttttu", &ret->n, &ret->id, &ret->revision, &ret->name, &ret->name_key, &ret->verbs, &ret->selector, &ret->exclude,
                 &ret->created);
}

int role_find(Db *db, Arena *a, const char *reference, Role *ret) {
        Id id = {};
        bool is_id = id_parse(reference, &id);

        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM role WHERE name = ?1 OR (?2 AND id = ?3) ORDER BY name = ?1 LIMIT 1");
        if (!s)
                return -EIO;
        row_bind(s, "tid", reference, (int64_t) is_id, id);
        int r = row_step(db, s);
        if (r > 0)
                role_read(s, a, ret);
        return r;
}

static int changed(Db *db, int r, Id id) {
        if (r >= 0)
                turn_effect(db, (Effect) { .type = EFFECT_CHANGED, .kind = "role", .id = id });
        return r;
}

int role_insert(Db *db, Role *r) {
        int64_t n = 0;
        int k = row_int(db, &n, "SELECT max(n) FROM role", "");
        if (k < 0)
                return k;
        r->n = n + 1;
        r->revision = 1;
        return changed(db, row_run(db, "INSERT INTO role(" COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?)", "iditttttu", r->n, r->id, r->revision, r->name,
                                   r->name_key, r->verbs, r->selector, r->exclude, r->created), r->id);
}

int role_update(Db *db, Role *r) {
        r->revision++;
        return changed(db, row_run(db, "UPDATE role SET revision = ?, name = ?, name_key = ?, verbs = ?, selector = ?, exclude = ? WHERE n = ?", "ittttti",
                                   r->revision, r->name, r->name_key, r->verbs, r->selector, r->exclude, r->n), r->id);
}

int role_delete(Db *db, int64_t n) {
        int r = row_run(db, "DELETE FROM role_grant WHERE role = ?", "i", n);
        return r < 0 ? r : row_run(db, "DELETE FROM role WHERE n = ?", "i", n);
}

int role_grants(Db *db, Arena *a, int64_t role, RoleGrant **ret, size_t *ret_n) {
        int64_t count = 0;
        int r = row_int(db, &count, "SELECT count(*) FROM role_grant WHERE role = ?", "i", role);
        if (r < 0)
                return r;
        _statement_ s = db_statement(db, "SELECT who, kind, number, end, ends FROM role_grant WHERE role = ? ORDER BY who");
        if (!s)
                return -EIO;
        RoleGrant *all = arena_alloc(a, ((size_t) count + 1) * sizeof(*all));
        size_t n = 0;
        row_bind(s, "i", role);
        while ((r = row_step(db, s)) > 0 && n < (size_t) count) {
                const char *kind;
                row_read(s, a, "ttitu", &all[n].who, &kind, &all[n].number, &all[n].end, &all[n].ends);
                all[n++].kind = *kind;
        }
        *ret = all;
        *ret_n = n;
        return MIN(r, 0);
}

int role_grant_put(Db *db, int64_t role, const RoleGrant *g) {
        const char kind[] = { g->kind, 0 };
        int r = role_grant_remove(db, role, g->who);
        return r < 0 ? r : row_run(db, "INSERT INTO role_grant(role, who, kind, number, end, ends) VALUES(?,?,?,?,?,?)", "ittitu", role, g->who, kind,
                                   g->number, g->end, g->ends);
}

int role_grant_remove(Db *db, int64_t role, const char *who) {
        int64_t found = 0;
        int r = row_int(db, &found, "SELECT 1 FROM role_grant WHERE role = ? AND who = ?", "it", role, who);
        if (r <= 0)
                return r;
        r = row_run(db, "DELETE FROM role_grant WHERE role = ? AND who = ?", "it", role, who);
        return r < 0 ? r : 1;
}

typedef struct Found {
        Role *items;
        size_t max, n;
} Found;

static int add_granted(Db *db, Arena *a, const char *kind, int64_t number, Usec now, Found *found) {
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM role WHERE n IN"
                                         " (SELECT role FROM role_grant WHERE kind = ? AND number = ? AND (ends IS NULL OR ends > ?)) ORDER BY n");
        if (!s)
                return -EIO;
        row_bind(s, "tiu", kind, number, now);
        int r;
        while ((r = row_step(db, s)) > 0 && found->n < found->max) {
                Role *role = &found->items[found->n];
                bool known = false;
                role_read(s, a, role);
                for (size_t i = 0; i < found->n; i++)
                        known |= found->items[i].n == role->n;
                found->n += !known;
        }
        return MIN(r, 0);
}

int roles_of(Db *db, Arena *a, const RoleHolder *who, Usec now, Role *ret, size_t max, size_t *ret_n) {
        Found found = { .items = ret, .max = max };
        int64_t any = 0;

        /* Most installations grant nothing to anybody. */
        int r = row_int(db, &any, "SELECT 1 FROM role_grant LIMIT 1", "");
        if (r > 0)
                r = add_granted(db, a, "u", who->uid, now, &found);
        for (size_t i = 0; i < who->n_gids && r >= 0 && any; i++)
                r = add_granted(db, a, "g", who->gids[i], now, &found);
        *ret_n = found.n;
        return MIN(r, 0);
}

int roles_all(Db *db, Arena *a, Role **ret, size_t *ret_n) {
        int64_t count = 0;
        int r = row_int(db, &count, "SELECT count(*) FROM role", "");
        if (r < 0)
                return r;
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM role ORDER BY name_key, name");
        if (!s)
                return -EIO;
        Role *all = arena_alloc(a, ((size_t) count + 1) * sizeof(*all));
        size_t n = 0;
        while ((r = row_step(db, s)) > 0 && n < (size_t) count)
                role_read(s, a, &all[n++]);
        *ret = all;
        *ret_n = n;
        return MIN(r, 0);
}

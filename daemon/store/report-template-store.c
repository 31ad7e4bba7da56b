/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/store/report-template-store.h"
#include "daemon/store/row.h"

#define COLUMNS "n, id, revision, name, name_key, sections, customers, selector, language, format, owner, created"

static int read_one(Db *db, Arena *a, sqlite3_stmt *s, ReportTemplate *ret) {
        int r = row_step(db, s);
        if (r > 0)
                row_read(s, a, "iditttttttiu", &ret->n, &ret->id, &ret->revision, &ret->name, &ret->name_key, &ret->sections, &ret->customers,
                         &ret->selector, &ret->language, &ret->format, &ret->owner, &ret->created);
        return r;
}

int report_template_find(Db *db, Arena *a, const char *reference, ReportTemplate *ret) {
        Id id = {};
        bool is_id = id_parse(reference, &id);

        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM report_template WHERE name = ?1 OR (?2 AND id = ?3) ORDER BY name = ?1 LIMIT 1");
        if (!s)
                return -EIO;
        row_bind(s, "tid", reference, (int64_t) is_id, id);
        return read_one(db, a, s, ret);
}

int report_template_load(Db *db, Arena *a, int64_t n, ReportTemplate *ret) {
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM report_template WHERE n = ?");
        if (!s)
                return -EIO;
        row_bind(s, "i", n);
        return read_one(db, a, s, ret);
}

int report_template_insert(Db *db, ReportTemplate *t) {
        int64_t n = 0;
        int r = row_int(db, &n, "SELECT max(n) FROM report_template", "");
        if (r < 0)
                return r;
        t->n = n + 1;
        t->revision = 1;
        return row_run(db,
                       "INSERT INTO report_template(n, id, revision, name, name_key, sections, customers, selector, language, format, owner, created)"
                       " VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
                       "iditttttttiu", t->n, t->id, t->revision, t->name, t->name_key, t->sections, t->customers, t->selector, t->language, t->format,
                       t->owner, t->created);
}

int report_template_update(Db *db, ReportTemplate *t) {
        t->revision++;
        return row_run(db,
                       "UPDATE report_template SET revision = ?, name = ?, name_key = ?, sections = ?, customers = ?, selector = ?, language = ?, format = ?"
                       " WHERE n = ?",
                       "ittttttti", t->revision, t->name, t->name_key, t->sections, t->customers, t->selector, t->language, t->format, t->n);
}

int report_template_delete(Db *db, int64_t n) {
        return row_run(db, "DELETE FROM report_template WHERE n = ?", "i", n);
}

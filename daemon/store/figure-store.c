/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/store/figure-store.h"
#include "daemon/store/row.h"

static int pour(Db *db, sqlite3_stmt *s, FigureSink sink, void *userdata) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        int r;

        while ((r = row_step(db, s)) > 0) {
                Figure f = {};
                row_read(s, a, "ttii", &f.label, &f.series, &f.a, &f.b);
                f.has_a = sqlite3_column_type(s, 2) != SQLITE_NULL;
                f.has_b = sqlite3_column_type(s, 3) != SQLITE_NULL;
                r = sink(userdata, &f);
                if (r < 0)
                        return r;
        }
        return r;
}

int figure_jobs(Db *db, int64_t customer, Usec since, FigureSink sink, void *userdata) {
        _statement_ s = db_statement(db, customer
                ? "SELECT date(moment / 1000000, 'unixepoch') AS day, status, count(*), NULL FROM job WHERE customer = ?1 AND moment >= ?2 GROUP BY day, status ORDER BY day, status"
                : "SELECT date(moment / 1000000, 'unixepoch') AS day, status, count(*), NULL FROM job WHERE ?1 = 0 AND moment >= ?2 GROUP BY day, status ORDER BY day, status");
        if (!s)
                return -EIO;
        row_bind(s, "iu", customer, since);
        return pour(db, s, sink, userdata);
}

int figure_storage(Db *db, int64_t customer, const char *since, FigureSink sink, void *userdata) {
        _statement_ s = db_statement(db,
                "SELECT substr(date, 1, 7) AS month, NULL, sum(bytes_stored), sum(bytes_byos) FROM storage_sample g WHERE (?1 = 0 OR customer = ?1) AND date >= ?2"
                " AND date = (SELECT max(x.date) FROM storage_sample x WHERE x.customer = g.customer AND x.service = g.service AND x.module IS g.module"
                " AND x.date >= substr(g.date, 1, 7) AND x.date < substr(g.date, 1, 7) || '-99') GROUP BY month ORDER BY month");
        if (!s)
                return -EIO;
        row_bind(s, "it", customer, since);
        return pour(db, s, sink, userdata);
}

int figure_subscriptions(Db *db, int64_t customer, FigureSink sink, void *userdata) {
        _statement_ s = db_statement(db, "SELECT state, NULL, count(*), NULL FROM subscription WHERE ?1 = 0 OR customer = ?1 GROUP BY state ORDER BY state");
        if (!s)
                return -EIO;
        row_bind(s, "i", customer);
        return pour(db, s, sink, userdata);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "common/id.h"
#include "common/json.h"
#include "daemon/store/report-store.h"
#include "daemon/store/row.h"

#define COLUMNS \
        "n, id, kind, format, file_name, path, rows, bytes, sha256, data_date, created, coalesce(task, 0), warnings, owner, coalesce(customer, 0)," \
        " template, coalesce(run, 0)"

int report_insert(Db *db, Report *r) {
        int64_t n = 0;
        /* None gets the number of one that a mail still names. */
        int k = row_int(db, &n, "SELECT max(coalesce((SELECT max(n) FROM report), 0),"
                                " coalesce((SELECT max(report) FROM message WHERE report IS NOT NULL), 0))", "");
        if (k < 0)
                return k;
        r->n = n + 1;
        k = row_run(db,
                    "INSERT INTO report(n, id, kind, format, file_name, path, rows, bytes, sha256, data_date, created, task, warnings,"
                    " owner, customer, template, run, schedule) VALUES(?,?,?,?,?,?,?,?,?,?,?,nullif(?,0),?,?,nullif(?,0),?,nullif(?,0),?)",
                    "idttttiibtuitiitib", r->n, r->id, r->kind, r->format, r->file_name, r->path, r->rows, r->bytes, r->sha256,
                    sizeof(r->sha256), r->data_date, r->created, r->task, r->warnings ?: "[]", r->owner, r->customer, r->template, r->run,
                    r->schedule ? r->schedule->bytes : NULL, sizeof(r->schedule->bytes));
        if (k >= 0)
                turn_effect(db, (Effect) { .type = EFFECT_CHANGED, .kind = "report", .id = r->id });
        return k;
}

static int read_one(Db *db, Arena *a, sqlite3_stmt *s, Report *ret) {
        int r = row_step(db, s);
        if (r <= 0)
                return r;
        row_read(s, a, "idttttii-tuitiiti", &ret->n, &ret->id, &ret->kind, &ret->format, &ret->file_name, &ret->path, &ret->rows, &ret->bytes,
                 &ret->data_date, &ret->created, &ret->task, &ret->warnings, &ret->owner,
                 &ret->customer, &ret->template, &ret->run);
        if (sqlite3_column_bytes(s, 8) == sizeof(ret->sha256))
                memcpy(ret->sha256, sqlite3_column_blob(s, 8), sizeof(ret->sha256));
        return 1;
}

int report_find(Db *db, Arena *a, Id id, Report *ret) {
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM report WHERE id = ?");
        if (!s)
                return -EIO;
        row_bind(s, "d", id);
        return read_one(db, a, s, ret);
}

int report_find_task(Db *db, Arena *a, int64_t task, Report *ret) {
        /* Reports outlive their tasks, whose numbers begin anew when all of them have expired: the newest is meant. */
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM report WHERE task = ? ORDER BY n DESC LIMIT 1");
        if (!s)
                return -EIO;
        row_bind(s, "i", task);
        return read_one(db, a, s, ret);
}

int report_wants_file(Db *db, const char *path) {
        int64_t one = 0;
        return row_int(db, &one, "SELECT 1 FROM report WHERE path = ? LIMIT 1", "t", path);
}

int report_is_file(Db *db, const char *path, const uint8_t sha256[32]) {
        char hex[2 * 32 + 1];
        int64_t one = 0;
        hex_text(sha256, 32, hex);
        return row_int(db, &one, "SELECT 1 FROM report WHERE path = ? AND lower(hex(sha256)) = ? LIMIT 1", "tt", path, hex);
}

int report_load(Db *db, Arena *a, int64_t n, Report *ret) {
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM report WHERE n = ?");
        if (!s)
                return -EIO;
        row_bind(s, "i", n);
        return read_one(db, a, s, ret);
}

int report_expire(Db *db, const char *state, Usec before, int64_t max, bool *ret_more) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        int r;

        _statement_ s = db_statement(db, "SELECT path FROM report WHERE created < ? ORDER BY created, n LIMIT ?");
        if (!s)
                return -EIO;
        row_bind(s, "ui", before, max);
        while ((r = row_step(db, s)) > 0) {
                const char *path;
                row_read(s, a, "t", &path);
                turn_effect(db, (Effect) { .type = EFFECT_UNLINK, .path = memory_strdup(arena_printf(a, "%s/%s", state, path)) });
        }
        if (r < 0)
                return r;
        r = row_run(db, "DELETE FROM report_recipient WHERE report IN (SELECT n FROM report WHERE created < ? ORDER BY created, n LIMIT ?)", "ui", before, max);
        if (r >= 0)
                r = row_run(db, "DELETE FROM report WHERE n IN (SELECT n FROM report WHERE created < ? ORDER BY created, n LIMIT ?)", "ui", before, max);
        return r < 0 ? r : row_more(db, ret_more, "SELECT 1 FROM report WHERE created < ? LIMIT 1", before);
}

/* Its file goes after the commit, its recipients with it. */
int report_erase_customer(Db *db, Arena *a, const char *state, int64_t customer) {
        int r;
        {
                _statement_ s = db_statement(db, "SELECT path FROM report WHERE customer = ?");
                if (!s)
                        return -EIO;
                row_bind(s, "i", customer);
                while ((r = row_step(db, s)) > 0) {
                        const char *path;
                        row_read(s, a, "t", &path);
                        turn_effect(db, (Effect) { .type = EFFECT_UNLINK, .path = memory_strdup(arena_printf(a, "%s/%s", state, path)) });
                }
        }
        if (r >= 0)
                r = row_run(db, "DELETE FROM report_recipient WHERE report IN (SELECT n FROM report WHERE customer = ?)", "i", customer);
        if (r >= 0)
                r = row_run(db, "DELETE FROM report_recipient WHERE customer = ?", "i", customer);
        if (r >= 0)
                r = row_run(db, "DELETE FROM report WHERE customer = ?", "i", customer);
        return r;
}

/* ---- recipients ---- */

int recipient_insert(Db *db, Recipient *r, Usec now) {
        int64_t n = 0;
        int k = row_int(db, &n, "SELECT max(n) FROM report_recipient WHERE report = ?", "i", r->report);
        if (k < 0)
                return k;
        r->n = n + 1;
        return row_run(db,
                       "INSERT INTO report_recipient(report, n, address, address_key, customer, state, reason, message, changed)"
                       " VALUES(?,?,?,?,nullif(?,0),?,?,nullif(?,0),?)",
                       "iittittiu", r->report, r->n, r->address, r->address_key, r->customer, r->state, r->reason, r->message, now);
}

int recipient_is_one(Db *db, int64_t report, const char *address_key) {
        int64_t one = 0;
        return row_int(db, &one, "SELECT 1 FROM report_recipient WHERE report = ? AND address_key = ? LIMIT 1", "it", report, address_key);
}

int recipient_set(Db *db, const Recipient *r, Usec now) {
        return row_run(db, "UPDATE report_recipient SET state = ?, reason = ?, message = nullif(?, 0), changed = ? WHERE report = ? AND n = ?", "ttiuii",
                       r->state, r->reason, r->message, now, r->report, r->n);
}

#define RECIPIENT_COLUMNS "report, n, address, address_key, coalesce(customer, 0), state, reason, coalesce(message, 0)"

static void read_recipient(sqlite3_stmt *s, Arena *a, Recipient *ret) {
        row_read(s, a, "iittitti", &ret->report, &ret->n, &ret->address, &ret->address_key, &ret->customer, &ret->state, &ret->reason, &ret->message);
}

int recipient_by_message(Db *db, Arena *a, int64_t message, Recipient *ret) {
        _statement_ s = db_statement(db, "SELECT " RECIPIENT_COLUMNS " FROM report_recipient WHERE message = ?");
        if (!s)
                return -EIO;
        row_bind(s, "i", message);
        int r = row_step(db, s);
        if (r > 0)
                read_recipient(s, a, ret);
        return r;
}

int recipient_waiting(Db *db, Arena *a, int64_t customer, const char *address_key, Usec since, Recipient *ret, size_t max, size_t *ret_n) {
        *ret_n = 0;
        _statement_ s = db_statement(db, "SELECT " RECIPIENT_COLUMNS " FROM report_recipient WHERE customer = ? AND address_key = ?"
                                         " AND state = 'waiting-verification' AND changed >= ? ORDER BY report, n LIMIT ?");
        if (!s)
                return -EIO;
        row_bind(s, "itui", customer, address_key, since, (int64_t) max);
        int r;
        while ((r = row_step(db, s)) > 0)
                read_recipient(s, a, &ret[(*ret_n)++]);
        return r;
}

int recipient_expire_waiting(Db *db, Usec before, Usec now) {
        return row_run(db, "UPDATE report_recipient SET state = 'failed', reason = 'not-verified', changed = ? WHERE state = 'waiting-verification' AND changed < ?",
                       "uu", now, before);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "common/json.h"
#include "daemon/store/operation-store.h"
#include "daemon/store/row.h"

#define COLUMNS                                                                                                             \
        "n, id, kind, state, done, total, ok, refused, failed, canceled, uid, user, behalf, created, finished, cancel, format," \
        " arguments, cursor, coalesce(retry_of, 0)"

int operation_insert(Db *db, Operation *o) {
        int64_t n = 0;
        /* Nor the number of one that a task still names. */
        int r = row_int(db, &n, "SELECT max(coalesce((SELECT max(n) FROM operation), 0),"
                                " coalesce((SELECT max(operation) FROM task WHERE operation IS NOT NULL), 0))", "");
        if (r < 0)
                return r;
        o->n = n + 1;
        o->id = id_new();
        o->state = "running";
        o->finished = USEC_NONE;
        r = row_run(db,
                    "INSERT INTO operation(n, id, kind, state, total, uid, user, behalf, created, format, arguments, retry_of)"
                    " VALUES(?,?,?,'running',?,?,?,?,?,?,?,nullif(?,0))",
                    "idtiittuiti", o->n, o->id, o->kind, o->total, o->uid, o->user, o->behalf, o->created, (int64_t) OPERATION_FORMAT,
                    o->arguments, o->retry_of);
        if (r >= 0)
                turn_effect(db, (Effect) { .type = EFFECT_CHANGED, .kind = "operation", .id = o->id });
        return r;
}

static int read_one(Db *db, Arena *a, sqlite3_stmt *s, Operation *ret) {
        int r = row_step(db, s);
        if (r > 0)
                row_read(s, a, "idttiiiiiiittuuoitti", &ret->n, &ret->id, &ret->kind, &ret->state, &ret->done, &ret->total, &ret->ok,
                         &ret->refused, &ret->failed, &ret->canceled, &ret->uid, &ret->user, &ret->behalf, &ret->created,
                         &ret->finished, &ret->cancel, &ret->format, &ret->arguments, &ret->cursor, &ret->retry_of);
        return r;
}

int operation_load(Db *db, Arena *a, int64_t n, Operation *ret) {
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM operation WHERE n = ?");
        if (!s)
                return -EIO;
        row_bind(s, "i", n);
        return read_one(db, a, s, ret);
}

int operation_find(Db *db, Arena *a, Id id, Operation *ret) {
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM operation WHERE id = ?");
        if (!s)
                return -EIO;
        row_bind(s, "d", id);
        return read_one(db, a, s, ret);
}

int operation_item_insert(Db *db, const Operation *o, const OperationItem *i) {
        return row_run(db,
                       "INSERT INTO operation_item(operation, n, line, customer, customer_id, organization, before, after, outcome,"
                       " reason, message, finished) VALUES(?,?,nullif(?,0),nullif(?,0),?,?,?,?,?,?,?,?)",
                       "iiiibttttttu", o->n, i->n, i->line, i->customer, i->customer_id ? i->customer_id->bytes : NULL, sizeof(Id),
                       i->organization, i->before, i->after, i->outcome, i->reason, i->message, i->finished);
}

static bool is_over(const Operation *o) {
        return !str_equal(o->state, "running") && !str_equal(o->state, "pending-approval");
}

int operation_progress(Db *db, const Operation *o) {
        int r = row_run(db,
                        "UPDATE operation SET state = ?, done = ?, total = ?, ok = ?, refused = ?, failed = ?, canceled = ?, finished = ?,"
                        " cursor = ? WHERE n = ?",
                        "tiiiiiiuti", o->state, o->done, o->total, o->ok, o->refused, o->failed, o->canceled, o->finished, o->cursor, o->n);
        if (r < 0)
                return r;
        turn_effect(db, (Effect) { .type = EFFECT_OPERATION_PROGRESS, .kind = "operation", .id = o->id, .done = o->done, .total = o->total });
        if (is_over(o)) {
                turn_effect(db, (Effect) { .type = EFFECT_OPERATION_FINISHED, .kind = "operation", .id = o->id, .word = o->state });
                turn_effect(db, (Effect) { .type = EFFECT_CHANGED, .kind = "operation", .id = o->id });
        }
        return 0;
}

int operation_item_remove(Db *db, int64_t operation, int64_t n) {
        return row_run(db, "DELETE FROM operation_item WHERE operation = ? AND n = ?", "ii", operation, n);
}

int operation_forget_arguments(Db *db, int64_t n) {
        return row_run(db, "UPDATE operation SET arguments = '" OPERATION_ARGUMENTS_NONE "' WHERE n = ?", "i", n);
}

int operation_cancel(Db *db, int64_t n) {
        return row_run(db, "UPDATE operation SET cancel = 1 WHERE n = ?", "i", n);
}

int operation_abandon(Db *db, Usec now) {
        return row_run(db,
                       "UPDATE operation SET state = CASE WHEN ok > 0 THEN 'partially-failed' ELSE 'failed' END, canceled = canceled + total - done,"
                       " done = total, finished = ? WHERE state = 'running' AND n IN (SELECT operation FROM task WHERE state = 'dead')", "u", now);
}

void operation_write_json(Buffer *b, const Operation *o) {
        json_put_object_begin(b);
        json_put_key_id(b, "id", o->id);
        json_put_key_string(b, "kind", o->kind);
        json_put_key_string(b, "state", o->state);
        json_put_key_int(b, "done", o->done);
        json_put_key_int(b, "total", o->total);
        json_put_key_int(b, "ok", o->ok);
        json_put_key_int(b, "refused", o->refused);
        json_put_key_int(b, "failed", o->failed);
        json_put_key_int(b, "canceled", o->canceled);
        json_put_key(b, "actor");
        json_put_object_begin(b);
        json_put_key_int(b, "uid", o->uid);
        json_put_key_string(b, "name", o->user);
        json_put_key_string(b, "on_behalf_of", o->behalf);
        json_put_object_end(b);
        json_put_key_time(b, "created", o->created);
        json_put_key_time(b, "finished", o->finished);
        json_put_object_end(b);
}

int operation_customers(Db *db, Arena *a, int64_t operation, bool done, int64_t **ret, size_t *ret_n) {
        int64_t count = 0;
        size_t n = 0;

        int r = row_int(db, &count, "SELECT count(*) FROM operation_item WHERE operation = ?", "i", operation);
        if (r < 0)
                return r;
        _statement_ s = db_statement(db, "SELECT customer FROM operation_item WHERE operation = ? AND (outcome = 'ok') = ? AND customer IS NOT NULL"
                                         " ORDER BY n");
        if (!s)
                return -EIO;
        int64_t *customers = arena_alloc(a, (size_t) (count + 1) * sizeof(*customers));
        row_bind(s, "ii", operation, (int64_t) done);
        while (n < (size_t) count && (r = row_step(db, s)) > 0)
                customers[n++] = sqlite3_column_int64(s, 0);
        if (r < 0)
                return r;
        *ret = customers;
        *ret_n = n;
        return 0;
}

int operation_wants_file(Db *db, const char *path) {
        int64_t one = 0;
        return row_int(db, &one, "SELECT 1 FROM operation WHERE state = 'running' AND instr(arguments, ?) > 0 LIMIT 1", "t", path);
}

#define OLDEST_ENDED "SELECT n FROM operation WHERE created < ? AND finished IS NOT NULL ORDER BY created LIMIT 1"

int operation_expire(Db *db, Usec before, int64_t max, bool *ret_more) {
        int64_t n = 0;
        int r = row_int(db, &n, OLDEST_ENDED, "u", before);
        if (r <= 0)
                return r;
        r = row_run(db, "DELETE FROM operation_item WHERE (operation, n) IN (SELECT operation, n FROM operation_item WHERE operation = ? LIMIT ?)",
                    "ii", n, max);
        if (r < 0)
                return r;
        r = row_run(db, "DELETE FROM operation WHERE n = ?1 AND NOT EXISTS (SELECT 1 FROM operation_item WHERE operation = ?1)", "i", n);
        return r < 0 ? r : row_more(db, ret_more, OLDEST_ENDED, before);
}

int operation_items_erase(Db *db, int64_t customer, int64_t max, bool *ret_done) {
        int64_t left = 0;
        /* What was asked for says as much as what came of it. */
        int r = row_run(db,
                        "UPDATE operation SET arguments = '" OPERATION_ARGUMENTS_ERASED "' WHERE finished IS NOT NULL AND arguments <> '" OPERATION_ARGUMENTS_NONE "' AND"
                        " n IN (SELECT operation FROM operation_item WHERE customer = ? LIMIT ?)", "ii", customer, max);
        if (r >= 0)
                r = row_run(db,
                            "UPDATE operation_item SET customer = NULL, organization = NULL, before = NULL, after = NULL, message = NULL"
                            " WHERE (operation, n) IN (SELECT operation, n FROM operation_item WHERE customer = ? LIMIT ?)", "ii", customer, max);
        if (r >= 0)
                r = row_int(db, &left, "SELECT 1 FROM operation_item WHERE customer = ? LIMIT 1", "i", customer);
        if (r < 0)
                return r;
        *ret_done = r == 0;
        return 0;
}

int operation_has_item(Db *db, int64_t operation, int64_t customer) {
        int64_t one = 0;
        return row_int(db, &one, "SELECT 1 FROM operation_item WHERE customer = ? AND operation = ? LIMIT 1", "ii", customer, operation);
}

int operation_item_of(Db *db, Arena *a, int64_t operation, int64_t customer, OperationItem *ret) {
        _statement_ s = db_statement(db, "SELECT n, before, after, outcome FROM operation_item WHERE customer = ? AND operation = ? AND outcome = 'ok'"
                                         " ORDER BY n DESC LIMIT 1");
        if (!s)
                return -EIO;
        row_bind(s, "ii", customer, operation);
        int r = row_step(db, s);
        *ret = (OperationItem) {};
        if (r > 0)
                row_read(s, a, "ittt", &ret->n, &ret->before, &ret->after, &ret->outcome);
        return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "common/json.h"
#include "daemon/store/report-store.h"
#include "daemon/store/row.h"

#define COLUMNS "n, id, kind, format, file_name, path, rows, bytes, sha256, data_date, created, coalesce(task, 0), warnings, owner"

int report_insert(Db *db, Report *r) {
        int64_t n = 0;
        int k = row_int(db, &n, "SELECT max(n) FROM report", "");
        if (k < 0)
                return k;
        r->n = n + 1;
        k = row_run(db,
                    "INSERT INTO report(n, id, kind, format, file_name, path, rows, bytes, sha256, data_date, created, task, warnings,"
                    " owner) VALUES(?,?,?,?,?,?,?,?,?,?,?,nullif(?,0),?,?)",
                    "idttttiibtuiti", r->n, r->id, r->kind, r->format, r->file_name, r->path, r->rows, r->bytes, r->sha256,
                    sizeof(r->sha256), r->data_date, r->created, r->task, r->warnings ?: "[]", r->owner);
        if (k >= 0)
                turn_effect(db, (Effect) { .type = EFFECT_CHANGED, .kind = "report", .id = r->id });
        return k;
}

static int read_one(Db *db, Arena *a, sqlite3_stmt *s, Report *ret) {
        int r = row_step(db, s);
        if (r <= 0)
                return r;
        row_read(s, a, "idttttii-tuiti", &ret->n, &ret->id, &ret->kind, &ret->format, &ret->file_name, &ret->path, &ret->rows, &ret->bytes,
                 &ret->data_date, &ret->created, &ret->task, &ret->warnings, &ret->owner);
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

void report_write_json(Buffer *b, const Report *r) {
        char hex[65];

        hex_text(r->sha256, sizeof(r->sha256), hex);
        json_put_object_begin(b);
        json_put_key_id(b, "id", r->id);
        json_put_key_string(b, "kind", r->kind);
        json_put_key_string(b, "format", r->format);
        json_put_key_string(b, "file_name", r->file_name);
        json_put_key_int(b, "rows", r->rows);
        json_put_key_int(b, "bytes", r->bytes);
        json_put_key_string(b, "sha256", hex);
        json_put_key_string(b, "data_date", r->data_date);
        json_put_key_time(b, "created", r->created);
        json_put_key_null(b, "customer");
        json_put_key_null(b, "template");
        json_put_key_null(b, "schedule");
        json_put_key_raw(b, "recipients", "[]", 2);
        json_put_key_raw(b, "warnings", r->warnings, strlen(r->warnings));
        json_put_object_end(b);
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
        r = row_run(db, "DELETE FROM report WHERE n IN (SELECT n FROM report WHERE created < ? ORDER BY created, n LIMIT ?)", "ui", before, max);
        return r < 0 ? r : row_more(db, ret_more, "SELECT 1 FROM report WHERE created < ? LIMIT 1", before);
}

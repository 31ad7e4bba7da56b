/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "common/json.h"
#include "common/text.h"
#include "daemon/model/address.h"
#include "daemon/model/csv.h"
#include "daemon/model/unicode.h"
#include "daemon/store/query-private.h"
#include "daemon/store/row.h"

enum {
        POUR_BYTES = 64 << 10,
        PAGE_BYTES = 16 << 20,               /* a page is full then, however few rows it has: the bus carries 32 MiB */
};

static void query_bind(sqlite3_stmt *s, const Query *q) {
        int n = MIN((int) q->n_values, sqlite3_bind_parameter_count(s));

        for (int i = 0; i < n; i++) {
                const QueryValue *v = &q->values[i];
                if (v->type == 't')
                        sqlite3_bind_text(s, i + 1, v->text, (int) v->size, SQLITE_STATIC);
                else if (v->type == 'i')
                        sqlite3_bind_int64(s, i + 1, v->integer);
                else
                        sqlite3_bind_blob(s, i + 1, v->id.bytes, sizeof(v->id.bytes), SQLITE_STATIC);
        }
}

static Id column_id(sqlite3_stmt *s, int i) {
        Id id = {};
        const void *bytes = sqlite3_column_blob(s, i);
        if (bytes && sqlite3_column_bytes(s, i) == (int) sizeof(id.bytes))
                memcpy(id.bytes, bytes, sizeof(id.bytes));
        return id;
}

/* ---- JSON ---- */

/* Of a connection that one thread uses, a column's value may be read like any other: one look for it instead of one a question. */
static void put_json_value(Buffer *b, sqlite3_stmt *s, const QueryColumn *c) {
        sqlite3_value *v = sqlite3_column_value(s, c->position);

        if (sqlite3_value_type(v) == SQLITE_NULL) {
                json_put_null(b);
                return;
        }
        switch (c->column->type) {
        case COLUMN_ID:
                json_put_id(b, column_id(s, c->position));
                break;
        case COLUMN_INT:
                json_put_int(b, sqlite3_value_int64(v));
                break;
        case COLUMN_BOOL:
                json_put_bool(b, sqlite3_value_int64(v) != 0);
                break;
        case COLUMN_TIME:
                json_put_time(b, sqlite3_value_int64(v));
                break;
        case COLUMN_TEXT:
        case COLUMN_ENUM: {
                const char *text = (const char *) sqlite3_value_text(v);
                size_t n = (size_t) sqlite3_value_bytes(v);
                if (n == 0 && c->blank)
                        json_put_null(b);
                else
                        json_put_string_n(b, text, n);
                break;
        }
        case COLUMN_LIST:
        case COLUMN_JSON: {
                const char *text = (const char *) sqlite3_value_text(v);
                json_put_raw(b, text, (size_t) sqlite3_value_bytes(v));
                break;
        }
        }
}

static void put_array_row(Buffer *b, sqlite3_stmt *s, const Query *q) {
        json_put_array_begin(b);
        for (size_t i = 0; i < q->n_columns; i++)
                put_json_value(b, s, &q->columns[i]);
        json_put_array_end(b);
        buffer_add_char(b, '\n');
}

static void put_json_row(Buffer *b, sqlite3_stmt *s, const Query *q) {
        json_put_object_begin(b);
        for (size_t i = 0; i < q->n_columns; i++) {
                /* The first one follows the bracket. */
                buffer_add(b, q->columns[i].key + (i == 0), q->columns[i].key_size - (i == 0));
                put_json_value(b, s, &q->columns[i]);
        }
        json_put_object_end(b);
}

/* ---- CSV ---- */

static int hex_digit(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 0;
}

/* One escape of a JSON string, after the backslash; returns how much of it was read. */
static size_t unescape(Buffer *to, const char *p, size_t n) {
        static const char plain[] = "bfnrt", meant[] = "\b\f\n\r\t";
        const char *found = strchr(plain, *p);
        char bytes[4];

        if (*p == 'u' && n >= 5) {
                uint32_t code = 0;
                for (int i = 1; i <= 4; i++)
                        code = code << 4 | (uint32_t) hex_digit(p[i]);
                buffer_add(to, bytes, utf8_encode(code, bytes));
                return 5;
        }
        buffer_add_char(to, found ? meant[found - plain] : *p);
        return 1;
}

/* A JSON array of strings, as our own writer writes it, joined by ";". */
static void join_list(Buffer *to, const char *json, size_t n) {
        bool inside = false;

        for (size_t i = 0; i < n; i++) {
                if (json[i] == '"') {
                        inside = !inside;
                } else if (inside && json[i] == '\\' && i + 1 < n) {
                        i += unescape(to, json + i + 1, n - i - 1);
                } else if (inside)
                        buffer_add_char(to, json[i]);
                else if (json[i] == ',')
                        buffer_add_char(to, ';');
        }
}

static void put_csv_value(Buffer *b, Buffer *scratch, sqlite3_stmt *s, const QueryColumn *c, bool first) {
        int i = c->position;
        const char *text = NULL;
        size_t n = 0;

        buffer_clear(scratch);
        if (sqlite3_column_type(s, i) == SQLITE_NULL) {
                csv_cell(b, first, "", 0, false);
                return;
        }
        switch (c->column->type) {
        case COLUMN_ID: {
                char id[ID_TEXT_SIZE];
                buffer_add_string(scratch, id_text(column_id(s, i), id));
                break;
        }
        case COLUMN_BOOL:
                buffer_add_string(scratch, sqlite3_column_int64(s, i) ? "true" : "false");
                break;
        case COLUMN_TIME:
                json_put_time(scratch, sqlite3_column_int64(s, i));
                text = scratch->data + 1;        /* without the quotes */
                n = scratch->size - 2;
                break;
        case COLUMN_LIST:
                join_list(scratch, (const char *) sqlite3_column_text(s, i), (size_t) sqlite3_column_bytes(s, i));
                break;
        case COLUMN_INT:
        case COLUMN_TEXT:
        case COLUMN_ENUM:
        case COLUMN_JSON:
                text = (const char *) sqlite3_column_text(s, i);
                n = (size_t) sqlite3_column_bytes(s, i);
                break;
        }
        bool guard = c->column->type == COLUMN_TEXT || c->column->type == COLUMN_LIST || c->column->type == COLUMN_JSON;
        csv_cell(b, first, text ?: buffer_string(scratch), text ? n : scratch->size, guard);
}

static void put_csv_row(Buffer *b, Buffer *scratch, sqlite3_stmt *s, const Query *q) {
        for (size_t i = 0; i < q->n_columns; i++)
                put_csv_value(b, scratch, s, &q->columns[i], i == 0);
        csv_end_record(b);
}

static void put_csv_header(Buffer *b, const Query *q) {
        for (size_t i = 0; i < q->n_columns; i++)
                csv_cell(b, i == 0, q->columns[i].column->name, strlen(q->columns[i].column->name), false);
        csv_end_record(b);
}

/* ---- rows ---- */

typedef struct Output {
        QueryFormat format;
        Buffer *buffer, *scratch;
} Output;

static void put_begin(const Output *o, const Query *q) {
        if (o->format == QUERY_ARRAY)
                json_put_array_begin(o->buffer);
        else if (o->format == QUERY_CSV)
                put_csv_header(o->buffer, q);
}

static void put_row(const Output *o, sqlite3_stmt *s, const Query *q) {
        if (o->format == QUERY_CSV) {
                put_csv_row(o->buffer, o->scratch, s, q);
        } else if (o->format == QUERY_ROWS) {
                put_array_row(o->buffer, s, q);
        } else {
                put_json_row(o->buffer, s, q);
                if (o->format == QUERY_LINES)
                        buffer_add_char(o->buffer, '\n');
        }
}

static void put_end(const Output *o) {
        if (o->format == QUERY_ARRAY)
                json_put_array_end(o->buffer);
}

/* The keys of the row that s stands on, as a cursor. Owned by the caller. */
static char *cursor_here(sqlite3_stmt *s, const Query *q) {
        QueryValue values[QUERY_KEYS_MAX];

        for (size_t i = 0; i < q->order.n; i++) {
                int k = q->key_positions[i];
                values[i] = (QueryValue) { .type = q->order.types[i] };
                if (values[i].type == 'i')
                        values[i].integer = sqlite3_column_int64(s, k);
                else if (values[i].type == 'd')
                        values[i].id = column_id(s, k);
                else {
                        values[i].text = (const char *) sqlite3_column_text(s, k);
                        values[i].size = (size_t) sqlite3_column_bytes(s, k);
                }
        }
        return cursor_write(q, values);
}

/* After the last row of a full page: 1; if there are more, *ret_next is set. */
static int page_end(Db *db, sqlite3_stmt *s, const Query *q, char **ret_next) {
        if (!ret_next)
                return 1;
        _cleanup_(freep) char *next = cursor_here(s, q);
        int r = row_step(db, s);
        if (r > 0)
                *ret_next = TAKE_PTR(next);
        return r < 0 ? r : 1;
}

static sqlite3_stmt *statement(Db *db, const Query *q) {
        sqlite3_stmt *s = db_statement(db, q->sql);
        if (s)
                query_bind(s, q);
        return s;
}

int query_run(Db *db, const Query *q, QueryFormat format, Buffer *out, char **ret_next) {
        _cleanup_(buffer_done) Buffer scratch = {};
        const Output o = { format, out, &scratch };
        size_t before = out->size;
        int64_t rows = 0;
        int r;

        if (ret_next)
                *ret_next = NULL;
        _statement_ s = statement(db, q);
        if (!s)
                return -EIO;
        put_begin(&o, q);
        while ((r = row_step(db, s)) > 0) {
                put_row(&o, s, q);
                rows++;
                if (q->limit > 0 && (rows == q->limit || (ret_next && out->size - before > PAGE_BYTES))) {
                        r = page_end(db, s, q, ret_next);
                        break;
                }
        }
        if (r < 0) {
                out->size = before;
                if (out->data)
                        out->data[before] = 0;
                return r;
        }
        put_end(&o);
        return 0;
}

int query_stream(Db *db, const Query *q, QuerySink row, void *userdata) {
        _cleanup_(buffer_done) Buffer b = {};
        int64_t rows = 0;
        int r;

        _statement_ s = statement(db, q);
        if (!s)
                return -EIO;
        while ((r = row_step(db, s)) > 0) {
                buffer_clear(&b);
                put_json_row(&b, s, q);
                if ((r = row(userdata, b.data, b.size)) != 0)
                        return r;
                if (++rows == q->limit)
                        return 0;
        }
        return r;
}

int query_pour(Db *db, const Query *q, QueryFormat format, QuerySink chunk, void *userdata) {
        _cleanup_(buffer_done) Buffer b = {}, scratch = {};
        const Output o = { format, &b, &scratch };
        size_t poured = 0;
        int64_t rows = 0;
        int r;

        _statement_ s = statement(db, q);
        if (!s)
                return -EIO;
        put_begin(&o, q);
        while ((r = row_step(db, s)) > 0) {
                put_row(&o, s, q);
                if (b.size >= POUR_BYTES) {
                        if ((r = chunk(userdata, b.data + poured, b.size - poured)) != 0)
                                return r;
                        /* The last byte stays: an array's comma depends on it. */
                        b.data[0] = b.data[b.size - 1];
                        b.size = poured = 1;
                }
                if (++rows == q->limit)
                        break;
        }
        if (r < 0)
                return r;
        put_end(&o);
        return b.size > poured ? chunk(userdata, b.data + poured, b.size - poured) : 0;
}

int query_ids(Db *db, const Query *q, QueryKey *ret, size_t max, size_t *ret_n, char **ret_next) {
        size_t n = 0;
        int r = 0;

        assert(q->ids);
        if (ret_next)
                *ret_next = NULL;
        _statement_ s = statement(db, q);
        if (!s)
                return -EIO;
        while (n < max && (r = row_step(db, s)) > 0) {
                ret[n++] = (QueryKey) { sqlite3_column_int64(s, 0), column_id(s, 1) };
                if ((int64_t) n == q->limit) {
                        r = page_end(db, s, q, ret_next);
                        break;
                }
        }
        if (r < 0)
                return r;
        *ret_n = n;
        return 0;
}

int query_count(Db *db, const Query *q, int64_t *ret) {
        _statement_ s = db_statement(db, q->count_sql);
        if (!s)
                return -EIO;
        query_bind(s, q);
        int r = row_step(db, s);
        if (r > 0)
                *ret = sqlite3_column_int64(s, 0);
        return MIN(r, 0);
}

/* ---- functions ---- */

static void key_function(sqlite3_context *context, int n_values, sqlite3_value **values) {
        char *(*make)(Arena *a, const char *s) = sqlite3_user_data(context);
        const char *text = (const char *) sqlite3_value_text(values[0]);

        if (!text)
                return;
        /* What is stored was checked once; what is not text is its own key. */
        if (!utf8_valid(text, (size_t) sqlite3_value_bytes(values[0]))) {
                sqlite3_result_value(context, values[0]);
                return;
        }
        _cleanup_(arena_freep) Arena *a = arena_new();
        sqlite3_result_text(context, make(a, text), -1, SQLITE_TRANSIENT);
}

/* Three times as fast as instr(): over an index that is nearly all that a search costs. Texts hold no NUL. */
static void has_function(sqlite3_context *context, int n_values, sqlite3_value **values) {
        const char *text = (const char *) sqlite3_value_text(values[0]), *part = (const char *) sqlite3_value_text(values[1]);

        if (text && part)
                sqlite3_result_int(context, strstr(text, part) != NULL);
}

int query_register(sqlite3 *connection) {
        static const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
        int rc = sqlite3_create_function(connection, "text_key", 1, flags, text_key, key_function, NULL, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_create_function(connection, "address_key", 1, flags, address_key, key_function, NULL, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_create_function(connection, "text_has", 2, flags, NULL, has_function, NULL, NULL);
        return rc == SQLITE_OK ? 0 : -EIO;
}

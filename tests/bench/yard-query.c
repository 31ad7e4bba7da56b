/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"
#include "common/memory.h"
#include "daemon/model/dataset.h"
#include "tests/bench/yard-sql.h"

/* Two things that a Query cannot do without: going over the rows once, and writing its bytes. */

enum { COLUMNS_MAX = 64, BLOCK = 64 << 10 };

typedef struct Cell {
        int64_t integer;                     /* or the length of text; -1: null */
        const char *text;
} Cell;

static const struct {
        const char *column, *sql;
} expressions[] = {
        { "pinned", "EXISTS(SELECT 1 FROM pin WHERE uid = 0 AND pin.customer = customer.n)" },
        { "deliveries.billing.enabled", "billing_enabled" },
        { "deliveries.billing.recipients", "billing_recipients" },
        { "deliveries.billing.profile", "billing_profile" },
        { "deliveries.service_reports.enabled", "service_reports_enabled" },
        { "deliveries.service_reports.recipients", "service_reports_recipients" },
};

static const char *expression(const char *column) {
        for (size_t i = 0; i < ELEMENTSOF(expressions); i++)
                if (strcmp(expressions[i].column, column) == 0)
                        return expressions[i].sql;
        return column;
}

static size_t choose(const Column **ret, Buffer *sql) {
        size_t n = 0;
        for (const Column *c = dataset_find("customers")->columns; c->name; c++) {
                if (c->flags & C_HIDDEN)
                        continue;
                buffer_printf(sql, "%s%s", n ? ", " : "SELECT ", expression(c->name));
                ret[n++] = c;
        }
        buffer_add_string(sql, " FROM customer ORDER BY organization_key, organization, id");
        return n;
}

static bool is_number(const Column *c) {
        return c->type == COLUMN_INT || c->type == COLUMN_BOOL || c->type == COLUMN_TIME;
}

/* Touches every value, and keeps it if cells is given. */
static int64_t scan(sqlite3_stmt *s, const Column **columns, size_t n, Arena *a, Cell *cells) {
        int64_t rows = 0, sum = 0;

        for (; yard_row(s); rows++)
                for (size_t i = 0; i < n; i++) {
                        Cell cell = { .integer = -1 };
                        if (sqlite3_column_type(s, (int) i) == SQLITE_NULL)
                                ;
                        else if (is_number(columns[i]))
                                cell.integer = sqlite3_column_int64(s, (int) i);
                        else {
                                cell.text = columns[i]->type == COLUMN_ID ? sqlite3_column_blob(s, (int) i) : (const char *) sqlite3_column_text(s, (int) i);
                                cell.integer = sqlite3_column_bytes(s, (int) i);
                        }
                        sum += cell.integer + (cell.text ? *cell.text : 0);
                        if (cells) {
                                if (cell.text)
                                        cell.text = memcpy(arena_alloc(a, (size_t) cell.integer + 1), cell.text, (size_t) cell.integer);
                                cells[(size_t) rows * n + i] = cell;
                        }
                }
        sqlite3_reset(s);
        return cells ? rows : sum;
}

static void put(Buffer *b, const Column *c, const Cell *cell) {
        Id id;

        json_put_key(b, c->name);
        if (!cell->text && (cell->integer < 0 || !is_number(c)))
                json_put_null(b);
        else if (c->type == COLUMN_ID) {
                memcpy(id.bytes, cell->text, sizeof(id.bytes));
                json_put_id(b, id);
        } else if (c->type == COLUMN_INT)
                json_put_int(b, cell->integer);
        else if (c->type == COLUMN_BOOL)
                json_put_bool(b, cell->integer != 0);
        else if (c->type == COLUMN_TIME)
                json_put_time(b, cell->integer);
        else if (c->type == COLUMN_LIST || c->type == COLUMN_JSON)
                json_put_raw(b, cell->text, (size_t) cell->integer);
        else
                json_put_string_n(b, cell->text, (size_t) cell->integer);
}

static size_t write_all(const Column **columns, size_t n, const Cell *cells, int64_t rows) {
        Buffer b = {};
        size_t bytes = 0;

        for (int64_t i = 0; i < rows; i++, cells += n) {
                json_put_object_begin(&b);
                for (size_t k = 0; k < n; k++)
                        put(&b, columns[k], &cells[k]);
                json_put_object_end(&b);
                buffer_add_char(&b, '\n');
                if (b.size > BLOCK) {
                        bytes += b.size;
                        buffer_clear(&b);
                }
        }
        bytes += b.size;
        buffer_done(&b);
        return bytes;
}

void yard_query(const char *folder) {
        const Column *columns[COLUMNS_MAX];
        Buffer sql = {};

        yard_exec("PRAGMA cache_size=-4000");        /* as the daemon's readers have it */
        size_t n = choose(columns, &sql);
        Cell *cells = memory_new((size_t) (yard_number("SELECT count(*) FROM customer") + 1) * n * sizeof(*cells));
        Arena *a = arena_new();
        sqlite3_stmt *s = yard_prepare(buffer_string(&sql));
        int64_t rows = scan(s, columns, n, a, cells);
        Usec begin = clock_monotonic();
        int64_t sum = scan(s, columns, n, NULL, NULL);
        size_t bytes = write_all(columns, n, cells, rows);
        printf("%lld %zu\n", (long long) (clock_monotonic() - begin), sum == 0 ? 0 : bytes);
        sqlite3_finalize(s);
        buffer_done(&sql);
        arena_free(a);
        free(cells);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxlsxwriter's own constant-memory rate.
 *
 *   yard-xlsx ROWS DOCUMENT        writes the rows of the file ROWS (JSON objects, one a line), which are in memory when the
 *                                  clock starts: rows a second */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <xlsxwriter.h>

#include "common/files.h"
#include "common/memory.h"
#include "tests/bench/bench.h"

typedef struct Cell {
        char *text;
        double number;
} Cell;

static size_t read_row(const char *line, size_t n, Cell **cells, size_t *size, size_t at) {
        json_t *row = json_loadb(line, n, 0, NULL), *v;
        const char *key;
        size_t columns = 0;

        if (!row)
                bench_die("a row", "is no JSON");
        json_object_foreach(row, key, v) {
                if (at + columns == *size)
                        *cells = memory_grow(*cells, (*size = MAX(2 * *size, (size_t) 4096)) * sizeof(**cells));
                Cell *c = &(*cells)[at + columns++];
                *c = (Cell) {};
                if (json_is_string(v))
                        c->text = memory_strdup(json_string_value(v));
                else if (json_is_array(v) || json_is_object(v))
                        c->text = json_dumps(v, JSON_COMPACT);
                else
                        c->number = json_is_null(v) ? -1 : json_is_true(v) ? 1 : (double) json_integer_value(v);
        }
        json_decref(row);
        return columns;
}

static void write_document(const char *path, const Cell *cells, size_t rows, size_t columns) {
        lxw_workbook_options options = { .constant_memory = 1 };
        lxw_workbook *book = workbook_new_opt(path, &options);
        lxw_worksheet *sheet = workbook_add_worksheet(book, NULL);

        for (size_t r = 0; r < rows; r++)
                for (size_t c = 0; c < columns; c++) {
                        const Cell *cell = &cells[r * columns + c];
                        if (cell->text)
                                worksheet_write_string(sheet, (lxw_row_t) r, (lxw_col_t) c, cell->text, NULL);
                        else if (cell->number >= 0)
                                worksheet_write_number(sheet, (lxw_row_t) r, (lxw_col_t) c, cell->number, NULL);
                }
        if (workbook_close(book) != LXW_NO_ERROR)
                bench_die(path, "cannot be written");
}

int main(int argc, char **argv) {
        size_t rows = 0, columns = 0, size = 0;
        Cell *cells = NULL;
        Buffer text = {};

        if (argc != 3)
                return 2;
        bench_must(file_read(argv[1], (size_t) 1 << 30, &text), argv[1]);
        for (const char *p = text.data, *end = text.data + text.size; p < end; rows++) {
                const char *stop = memchr(p, '\n', (size_t) (end - p)) ?: end;
                columns = read_row(p, (size_t) (stop - p), &cells, &size, rows * columns);
                p = stop + 1;
        }
        buffer_done(&text);
        Usec begin = clock_monotonic();
        write_document(argv[2], cells, rows, columns);
        printf("%.1f\n", (double) rows * 1e6 / (double) (clock_monotonic() - begin));
        return 0;
}

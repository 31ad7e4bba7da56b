/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>
#include <libsmartcols/libsmartcols.h>
#include <locale.h>
#include <stdlib.h>

#include "client/ctl/cell.h"
#include "client/ctl/fit.h"
#include "client/ctl/table.h"
#include "client/ctl/terminal.h"
#include "common/text.h"

/* The library is loaded when a table is printed: every other verb starts without it. */
#define SMARTCOLS "libsmartcols.so.1"
#define GAP "  "
#define FUNCTIONS(X)                    \
        X(scols_new_table)              \
        X(scols_unref_table)            \
        X(scols_table_new_column)       \
        X(scols_table_new_line)         \
        X(scols_table_enable_noheadings)\
        X(scols_table_enable_noencoding)\
        X(scols_table_enable_colors)    \
        X(scols_table_set_stream)       \
        X(scols_table_set_column_separator) \
        X(scols_table_set_termforce)    \
        X(scols_table_get_column)       \
        X(scols_table_get_line)         \
        X(scols_column_get_header)      \
        X(scols_column_set_flags)       \
        X(scols_line_refer_data)        \
        X(scols_line_get_cell)          \
        X(scols_cell_get_data)          \
        X(scols_cell_refer_data)        \
        X(scols_cell_set_color)         \
        X(scols_print_table)

static struct {
#define MEMBER(f) __typeof__(f) *f;
        FUNCTIONS(MEMBER)
} lib;

static bool library_open(void) {
        static void *handle;

        if (handle)
                return true;
        handle = dlopen(SMARTCOLS, RTLD_NOW | RTLD_LOCAL);
        if (!handle)
                return false;
#define LOAD(f)                                      \
        lib.f = (__typeof__(lib.f)) dlsym(handle, #f); \
        if (!lib.f)                                  \
                return false;
        FUNCTIONS(LOAD)
        return true;
}

/* Widths need a locale that knows UTF-8, whatever the user's is: output is UTF-8 in every one. */
static void locale_open(void) {
        static const char *const names[] = { "C.UTF-8", "C.utf8", "en_US.UTF-8", "", NULL };
        for (size_t i = 0; names[i]; i++)
                if (setlocale(LC_CTYPE, names[i]))
                        return;
}

struct Table {
        struct libscols_table *table;
        const char *const *columns;
        size_t n_columns, n_rows;
        bool color, legend;
        bool *is_number, *is_text;           /* per column: what its values were so far */
};

Table *table_new(const char *const *columns, bool legend) {
        if (!library_open()) {
                fail(EXIT_FAILED, "no-smartcols", NULL,
                     "%s is missing, which prints tables; install it, or use --json", SMARTCOLS);
                return NULL;
        }
        locale_open();

        Table *t = memory_new(sizeof(*t));
        t->table = lib.scols_new_table();
        t->columns = columns;
        t->legend = legend;
        for (; columns[t->n_columns]; t->n_columns++) {
                char header[128];
                size_t i = 0;
                for (const char *p = columns[t->n_columns]; *p && i + 1 < sizeof(header); p++)
                        header[i++] = (char) (*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
                header[i] = 0;
                lib.scols_table_new_column(t->table, header, 0, 0);
        }
        t->is_number = memory_new(t->n_columns + 1);
        t->is_text = memory_new(t->n_columns + 1);
        t->color = terminal_has_color();
        lib.scols_table_enable_noencoding(t->table, 1);          /* cells are escaped already */
        lib.scols_table_set_column_separator(t->table, GAP);
        lib.scols_table_enable_noheadings(t->table, !legend);
        lib.scols_table_enable_colors(t->table, t->color);
        return t;
}

void table_free(Table *t) {
        lib.scols_unref_table(t->table);
        free(t->is_number);
        free(t->is_text);
        free(t);
}

size_t table_rows(const Table *t) {
        return t->n_rows;
}

void table_add(Table *t, const json_t *row) {
        struct libscols_line *line = lib.scols_table_new_line(t->table, NULL);

        t->n_rows++;
        for (size_t i = 0; i < t->n_columns; i++) {
                const char *key = t->columns[i];
                const json_t *value = json_object_get(row, key);
                Buffer b = {};
                if (value)
                        cell_put(&b, key, value);
                else
                        buffer_add_char(&b, '-');
                t->is_number[i] |= json_is_integer(value);
                t->is_text[i] |= value && !json_is_integer(value) && !json_is_null(value);
                lib.scols_line_refer_data(line, i, buffer_take(&b));
                const char *color = t->color && value ? cell_color(key, value) : NULL;
                if (color) {
                        char sequence[16];
                        snprintf(sequence, sizeof(sequence), "\033[%sm", color);
                        lib.scols_cell_set_color(lib.scols_line_get_cell(line, i), sequence);
                }
        }
}

static bool is_number(const Table *t, size_t column) {
        return t->is_number[column] && !t->is_text[column];
}

static void cell_cut(struct libscols_cell *cell, size_t width) {
        char *cut = fit_cut(lib.scols_cell_get_data(cell) ?: "", width);
        if (cut)
                lib.scols_cell_refer_data(cell, cut);
}

/* Here and not by the library, which takes a part from each column, names first. */
static void table_fit(Table *t, unsigned width) {
        static const char *const names[] = { "organization", "name", NULL };
        _cleanup_(freep) FitColumn *columns = memory_new((t->n_columns + 1) * sizeof(*columns));

        for (size_t i = 0; i < t->n_columns; i++) {
                size_t widest = 0;
                for (size_t k = 0; k < t->n_rows; k++)
                        widest = MAX(widest, fit_width(lib.scols_cell_get_data(lib.scols_line_get_cell(lib.scols_table_get_line(t->table, k), i)) ?: ""));
                columns[i] = (FitColumn) { .width = MAX(widest, t->legend ? strlen(t->columns[i]) : 0),
                                           .least = is_number(t, i) || str_equal(t->columns[i], "id") ? widest : 0,
                                           .is_name = names_find(names, t->columns[i]) >= 0,
                                           .is_time = cell_is_time(t->columns[i]) };
        }
        fit_columns(columns, t->n_columns, strlen(GAP), width);
        for (size_t i = 0; i < t->n_columns; i++) {
                cell_cut(lib.scols_column_get_header(lib.scols_table_get_column(t->table, i)), columns[i].width);
                for (size_t k = 0; k < t->n_rows; k++)
                        cell_cut(lib.scols_line_get_cell(lib.scols_table_get_line(t->table, k), i), columns[i].width);
        }
}

int table_print(Table *t, FILE *f) {
        unsigned width = terminal_width();

        if (t->n_rows == 0)
                return 0;
        for (size_t i = 0; i < t->n_columns; i++)
                lib.scols_column_set_flags(lib.scols_table_get_column(t->table, i), is_number(t, i) ? SCOLS_FL_RIGHT : 0);
        if (width > 0)
                table_fit(t, width);
        lib.scols_table_set_stream(t->table, f);
        lib.scols_table_set_termforce(t->table, SCOLS_TERMFORCE_NEVER);
        if (lib.scols_print_table(t->table) < 0)
                return fail(EXIT_FAILED, "cannot-print", NULL, "the table cannot be printed");
        return 0;
}

/* ---- one object ---- */

static bool is_shown(const char *key, const char *const *columns, const char *const *except) {
        return (!columns || names_find(columns, key) >= 0) && (!except || names_find(except, key) < 0);
}

void block_print(FILE *f, const json_t *object, const char *const *columns, const char *const *except) {
        const char *key;
        json_t *value;
        size_t width = 0;
        bool color = terminal_has_color();

        json_object_foreach((json_t *) object, key, value)
                if (is_shown(key, columns, except))
                        width = MAX(width, utf8_length(key));
        json_object_foreach((json_t *) object, key, value) {
                if (!is_shown(key, columns, except))
                        continue;
                Buffer b = {};
                text_escape_controls(&b, key, strlen(key));
                for (size_t i = utf8_length(key); i < width + 2; i++)
                        buffer_add_char(&b, ' ');
                const char *sgr = color ? cell_color(key, value) : NULL;
                if (sgr)
                        buffer_printf(&b, "\033[%sm", sgr);
                cell_put(&b, key, value);
                buffer_printf(&b, "%s\n", sgr ? "\033[0m" : "");
                fwrite(b.data, 1, b.size, f);
                buffer_done(&b);
        }
}

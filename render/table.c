/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "common/memory.h"
#include "render/cell.h"
#include "render/table.h"

static const double pad_x = 4.5, pad_y = 2.2;
static const uint32_t black = 0x1a1a1a, grey = 0x606060, light = 0xd0d0d0, dark = 0x505050, shade = 0xe9edf1;

/* In sizes of the font. */
static const double line_most = 34, word_most = 14, word_least = 3, easy_most = 12;
static const double stretch_from = 0.6, tight = 0.85;
static const double sizes[] = { 9, 8, 7 }, size_split = 8, size_facts = 9.5;

enum { LANDSCAPE_COLUMNS = 7, LONG_TEXT = 8000 };

/* The columns that are shown side by side, and how. */
typedef struct Table {
        Paper *paper;
        Section *section;
        double size;
        size_t *columns, *places;            /* of the section; where each of those stands, n_columns: nowhere */
        size_t n;
        double *x, *widths;                  /* of what is inside of the cells */
        double width;
        Buffer *cells;                       /* texts of the row, by place */
} Table;

bool section_landscape(const Section *s) {
        return s->header.n_columns >= LANDSCAPE_COLUMNS;
}

static const char *label(const Table *t, size_t i) {
        return t->section->header.columns[t->columns[i]].label;
}

static bool is_number(const Table *t, size_t i) {
        return t->section->header.columns[t->columns[i]].type == CELL_INT;
}

static InkStyle style_of(const Table *t, size_t i, bool head) {
        return (InkStyle) { .size = t->size, .bold = head, .align = is_number(t, i) ? INK_END : INK_START };
}

static double row_height(Table *t, bool head) {
        double h = 0;

        for (size_t i = 0; i < t->n; i++) {
                InkStyle style = style_of(t, i, head);
                const char *text = head ? label(t, i) : buffer_string(&t->cells[i]);
                size_t n = head ? strlen(text) : t->cells[i].size;
                h = MAX(h, ink_text_height(t->paper->ink, &style, t->widths[i], text, n));
        }
        return h + 2 * pad_y;
}

static void cell_draw(Table *t, size_t i, bool head) {
        Paper *p = t->paper;
        InkStyle style = style_of(t, i, head);
        const char *text = head ? label(t, i) : buffer_string(&t->cells[i]);
        size_t n = head ? strlen(text) : t->cells[i].size;

        if (n == 0)
                return;
        PangoLayout *layout = ink_layout(p->ink, &style, t->widths[i], text, n);
        ink_show(p->ink, p->cr, layout, t->x[i], p->y + pad_y);
        g_object_unref(layout);
}

static void head_draw(Table *t) {
        Paper *p = t->paper;
        double h;

        if (t->section->header.facts)
                return;
        h = row_height(t, true);
        if (p->cr) {
                paper_color(p, shade);
                cairo_rectangle(p->cr, PAPER_SIDE, p->y, t->width, h);
                cairo_fill(p->cr);
                paper_color(p, black);
                for (size_t i = 0; i < t->n; i++)
                        cell_draw(t, i, true);
        }
        p->y += h;
        paper_rule(p, p->y, t->width, dark);
}

static uint32_t color_of(const Table *t, size_t i) {
        return t->section->header.facts && i == 0 ? grey : black;
}

/* Under a row; a list of facts has none. */
static void row_end(Table *t) {
        if (!t->section->header.facts)
                paper_rule(t->paper, t->paper->y, t->width, light);
}

/* A row higher than a page: its cells go on, line by line, on as many pages as it takes. */
static void row_split(Table *t) {
        PangoLayout **layouts = memory_new(t->n * sizeof(*layouts));
        int *lines = memory_new(t->n * sizeof(int));
        Paper *p = t->paper;
        bool more = true;

        for (size_t i = 0; i < t->n; i++) {
                InkStyle style = style_of(t, i, false);
                layouts[i] = ink_layout(p->ink, &style, t->widths[i], buffer_string(&t->cells[i]), t->cells[i].size);
        }
        for (bool first = true; more; first = false) {
                double room = p->height - PAPER_BOTTOM - p->y - 2 * pad_y, taken = 0;
                if (!first || room < 4 * t->size) {
                        paper_page(p);
                        head_draw(t);
                        room = p->height - PAPER_BOTTOM - p->y - 2 * pad_y;
                }
                more = false;
                for (size_t i = 0; i < t->n; i++) {
                        if (lines[i] == pango_layout_get_line_count(layouts[i]))
                                continue;
                        if (p->cr)
                                paper_color(p, color_of(t, i));
                        double h = ink_show_lines(p->ink, p->cr, layouts[i], &lines[i],
                                                  (double[]){ t->x[i], p->y + pad_y, room }, true);
                        taken = MAX(taken, h);
                        more = more || lines[i] < pango_layout_get_line_count(layouts[i]);
                }
                p->y += taken + 2 * pad_y;
                row_end(t);
        }
        for (size_t i = 0; i < t->n; i++)
                g_object_unref(layouts[i]);
        free(layouts);
        free(lines);
}

/* Some texts are so long that setting them only to see how high they are is not worth it. */
static bool row_is_long(const Table *t) {
        for (size_t i = 0; i < t->n; i++)
                if (t->cells[i].size > LONG_TEXT)
                        return true;
        return false;
}

static void row_draw(Table *t) {
        Paper *p = t->paper;
        double h;

        if (row_is_long(t)) {
                row_split(t);
                return;
        }
        h = row_height(t, false);

        if (!paper_fits(p, h)) {
                if (h > paper_body_height(p) - 60) {
                        row_split(t);
                        return;
                }
                paper_page(p);
                head_draw(t);
        }
        if (p->cr)
                for (size_t i = 0; i < t->n; i++) {
                        paper_color(p, color_of(t, i));
                        cell_draw(t, i, false);
                }
        p->y += h;
        row_end(t);
}

bool table_cell(const Words *w, Header *h, size_t column, Value *v, Buffer *ret) {
        size_t begin = ret->size;

        words_value(w, h, column, v, ret);
        if (ret->size - begin <= CELL_UNITS_MAX)
                return false;
        size_t fits = cell_fitting(ret->data + begin, ret->size - begin, NULL);
        if (fits == ret->size - begin)
                return false;
        ret->size = begin + fits;
        buffer_add_string(ret, "…");
        return true;
}

static int row_read(Table *t, Rows *rows, Problem *problem) {
        Header *h = &t->section->header;
        Value v;

        for (size_t i = 0; i < h->n_columns; i++) {
                int r = rows_field(rows, h->columns[i].name, &v, problem);
                if (r != 0)
                        return r;
                if (t->places[i] == h->n_columns)
                        continue;
                buffer_clear(&t->cells[t->places[i]]);
                table_cell(t->paper->words, h, i, &v, &t->cells[t->places[i]]);
        }
        return rows_end(rows, problem);
}

/* ---- which columns, and how wide ---- */

static double least(const Section *s, size_t column, double size) {
        return MIN(MAX(s->words[column], word_least), word_most) * size * 1.03 + 2 * pad_x;
}

static double wanted(const Section *s, size_t column, double size) {
        return MAX(least(s, column, size), MIN(s->lines[column], line_most) * size * 1.03 + 2 * pad_x);
}

/* Enough for reading with ease: a few words side by side. */
static double easy(const Section *s, size_t column, double size) {
        return MAX(least(s, column, size), MIN(wanted(s, column, size), easy_most * size));
}

static double sum_of(const Section *s, double (*width)(const Section *, size_t, double), double size) {
        double sum = 0;
        for (size_t i = 0; i < s->header.n_columns; i++)
                sum += width(s, i, size);
        return sum;
}

/* The font in which all columns stand side by side, or false: then they go on several tables. */
static bool size_find(const Section *s, double room, double *ret) {
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                if (sum_of(s, easy, sizes[i]) <= room) {
                        *ret = sizes[i];
                        return true;
                }
        *ret = sizes[ELEMENTSOF(sizes) - 1];
        return sum_of(s, least, *ret) <= room * tight;
}

/* Nobody gets more than the limit, except for the longest words. */
static double width_within(const Table *t, size_t i, double limit) {
        return MAX(least(t->section, t->columns[i], t->size), MIN(wanted(t->section, t->columns[i], t->size), limit));
}

static double widths_within(const Table *t, double limit) {
        double sum = 0;
        for (size_t i = 0; i < t->n; i++)
                sum += width_within(t, i, limit);
        return sum;
}

/* Short columns get what they want, and the long ones share the rest. A table that is nearly as wide as the page is
 * made so. */
static void widths_set(Table *t, double room) {
        double low = 0, high = room, x = PAPER_SIDE, more = 0;
        size_t texts = 0;

        for (int step = 0; step < 40; step++) {
                double middle = (low + high) / 2;
                if (widths_within(t, middle) <= room)
                        low = middle;
                else
                        high = middle;
        }
        double sum = widths_within(t, low);
        if (sum < room && sum > room * stretch_from)
                for (size_t i = 0; i < t->n; i++)
                        texts += !is_number(t, i);
        if (texts > 0)
                more = (room - sum) / (double) texts;
        for (size_t i = 0; i < t->n; i++) {
                t->x[i] = x + pad_x;
                t->widths[i] = width_within(t, i, low) + (is_number(t, i) ? 0 : more) - 2 * pad_x;
                x += t->widths[i] + 2 * pad_x;
        }
        t->width = x - PAPER_SIDE;
}

/* A value beside its label: no label is wider than two fifths. */
static void widths_of_facts(Table *t, double room) {
        double first = MIN(t->section->lines[0] * t->size * 1.03 + 2 * pad_x, room * 0.4);

        t->x[0] = PAPER_SIDE;
        t->widths[0] = first;
        t->x[1] = PAPER_SIDE + first + 14;
        t->widths[1] = room - first - 14;
        t->width = room;
}

/* The columns from *next on that fit side by side, the first one before them again; of about equal width. */
static void group_take(Table *t, size_t *next, double room) {
        const Section *s = t->section;
        double key = easy(s, 0, t->size), all = sum_of(s, easy, t->size) - key;
        size_t groups = 1;

        for (; all / (double) groups > (room - key) * 0.92; groups++)
                ;
        double target = MIN(all / (double) groups * 1.06, room - key), sum = 0;
        t->n = 0;
        if (*next > 0)
                t->columns[t->n++] = 0;
        else
                target += key;
        for (bool any = false; *next < s->header.n_columns; any = true, (*next)++) {
                double w = easy(s, *next, t->size);
                if (any && sum + w > target)
                        break;
                sum += w;
                t->columns[t->n++] = *next;
        }
}

/* false when all columns have been shown. */
static bool table_layout(Table *t, size_t *next) {
        const Section *s = t->section;
        double room = paper_body_width(t->paper);

        if (*next >= s->header.n_columns)
                return false;
        if (s->header.facts) {
                t->size = size_facts;
                t->n = *next = 2;
                t->columns[0] = 0;
                t->columns[1] = 1;
                widths_of_facts(t, room);
                return true;
        }
        if (size_find(s, room, &t->size)) {
                for (t->n = 0; t->n < s->header.n_columns; t->n++)
                        t->columns[t->n] = t->n;
                *next = t->n;
        } else {
                t->size = size_split;
                group_take(t, next, room);
        }
        widths_set(t, room);
        return true;
}

static void table_init(Table *t, Paper *p, Section *s) {
        size_t n = s->header.n_columns;

        *t = (Table) { .paper = p, .section = s };
        t->columns = memory_new((n + 1) * sizeof(*t->columns));
        t->places = memory_new((n + 1) * sizeof(*t->places));
        t->x = memory_new((n + 1) * sizeof(double));
        t->widths = memory_new((n + 1) * sizeof(double));
        t->cells = memory_new((n + 1) * sizeof(Buffer));
}

static void table_done(Table *t) {
        for (size_t i = 0; i <= t->section->header.n_columns; i++)
                buffer_done(&t->cells[i]);
        free(t->columns);
        free(t->places);
        free(t->x);
        free(t->widths);
        free(t->cells);
}

double table_least_height(Paper *p, Section *s) {
        size_t next = 0;
        Table t;

        table_init(&t, p, s);
        table_layout(&t, &next);
        double h = (s->header.facts ? 0 : row_height(&t, true)) + 3 * t.size;
        table_done(&t);
        return h;
}

static void none_draw(Table *t) {
        static const InkStyle style = { .size = 9 };
        Paper *p = t->paper;

        if (p->cr) {
                paper_color(p, grey);
                ink_show_text(p->ink, p->cr, &style, (double[]){ PAPER_SIDE + pad_x, p->y + pad_y, paper_body_width(p) },
                              p->words->no_rows);
        }
        p->y += ink_line_height(p->ink, &style) + 2 * pad_y;
}

static int group_draw(Table *t, Rows *rows, Problem *problem) {
        int r = rows_restart(rows, t->section->position, t->section->line);

        if (r < 0)
                return r;
        rows_allow_objects(rows, t->section->header.facts);
        for (size_t i = 0; i < t->section->header.n_columns; i++)
                t->places[i] = t->section->header.n_columns;
        for (size_t i = 0; i < t->n; i++)
                t->places[t->columns[i]] = i;
        head_draw(t);
        if (t->section->rows == 0)
                none_draw(t);
        for (int64_t i = 0; i < t->section->rows; i++) {
                bool more;
                r = rows_next(rows, &more, problem);
                if (r == 0 && !more)
                        r = -EIO;            /* the file is not what it was */
                if (r == 0)
                        r = row_read(t, rows, problem);
                if (r != 0)
                        return r;
                row_draw(t);
        }
        return 0;
}

int table_draw(Paper *p, Section *s, Rows *rows, Problem *problem) {
        static const InkStyle small = { .size = 8 };
        Buffer text = {};
        Table t;
        int r = 0;

        table_init(&t, p, s);
        for (size_t next = 0, from = 0; r == 0 && table_layout(&t, &next); from = next) {
                if (from > 0 || next < s->header.n_columns) {
                        if (from > 0) {
                                p->y += 12;
                                if (!paper_fits(p, row_height(&t, true) + 5 * t.size))
                                        paper_page(p);
                        }
                        buffer_clear(&text);
                        buffer_printf(&text, "%s %zu–%zu %s %zu", p->words->columns, from + 1, next, p->words->of,
                                      s->header.n_columns);
                        paper_text(p, &small, grey, buffer_string(&text));
                        p->y += 2;
                }
                r = group_draw(&t, rows, problem);
        }
        buffer_done(&text);
        table_done(&t);
        return r;
}

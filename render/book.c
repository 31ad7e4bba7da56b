/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <xlsxwriter.h>

#include "common/crash.h"
#include "common/time.h"
#include "render/book.h"
#include "render/book-chart.h"
#include "render/cell.h"
#include "render/chart.h"
#include "render/header.h"
#include "render/notes.h"
#include "render/rows.h"
#include "render/streams.h"

enum {
        SHEET_ROWS = LXW_ROW_MAX - 1,        /* besides the header: 1,048,575 */
        SHEETS_MAX = STREAMS_MAX - 3,        /* of data; a sheet of notes and two streams for packing remain */
        SAMPLE_ROWS = 200,                   /* that decide how wide a column is */
        WIDTH_MIN = 8,
        LINES_MAX = 20,                      /* shown of one text; more can be read in the cell */
        PAPER_A4 = 9,
        NOTE_PLACE_WIDTH = 30, NOTE_TEXT_WIDTH = 90,
};

/* From here on the general format has no room for all digits. */
#define GENERAL_MAX 1e11

/* Beyond these sizes the parts of a zip need 64-bit lengths, which a few old readers do not know. */
static const int64_t zip64_from = 3LL << 30;

typedef struct Book {
        lxw_workbook *workbook;
        lxw_worksheet *sheet;                /* being written */
        lxw_format *bold, *time, *date, *whole, *lines;
        unsigned n_sheets;
        uint32_t row;                        /* of the sheet, the next to be written */
        unsigned row_lines;                  /* of its highest text */
        Header header;                       /* of the section */
        Header first;                        /* of the first section, once it is over */
        bool chart_due;                      /* it has one, and its first sheet is being written */
        int *widths;                         /* by column */
        char name[128];                      /* of the sheet being written */
        char (*names)[128];
        int64_t rows, section_rows;
        Notes notes;
        Buffer text;
} Book;

static bool name_taken(const Book *b, const char *name) {
        for (unsigned i = 0; i < b->n_sheets; i++)
                if (cell_sheet_names_equal(b->names[i], name))
                        return true;
        return false;
}

/* The library quotes a name in references only if it has odd characters, but 2024 and A1 need quotes too. */
static void quote_always(lxw_worksheet *sheet, const char *name) {
        Buffer quoted = {};

        buffer_add_char(&quoted, '\'');
        for (; *name; name++)
                buffer_add(&quoted, *name == '\'' ? "''" : name, *name == '\'' ? 2 : 1);
        buffer_add_char(&quoted, '\'');
        free(sheet->quoted_name);
        sheet->quoted_name = buffer_take(&quoted);
}

/* Adds a sheet of that name, numbered if there is one already. */
static int sheet_add(Book *b, const char *wanted) {
        Buffer name = {};

        for (unsigned n = 1; n == 1 || name_taken(b, buffer_string(&name)); n++) {
                buffer_clear(&name);
                cell_sheet_name(&name, wanted, n);
        }
        b->sheet = workbook_add_worksheet(b->workbook, buffer_string(&name));
        if (!b->sheet) {
                buffer_done(&name);
                return -EIO;
        }
        quote_always(b->sheet, buffer_string(&name));
        snprintf(b->names[b->n_sheets++], sizeof(b->names[0]), "%s", buffer_string(&name));
        snprintf(b->name, sizeof(b->name), "%s", buffer_string(&name));
        b->row = 0;
        buffer_done(&name);
        return 0;
}

/* Cell content longer than the library lets pass, though the text itself fits: its limit counts the escapes too, a
 * cell's does not. The cell is made with another text, which is then exchanged. */
static int long_write(Book *b, lxw_col_t column, const char *text, lxw_format *format) {
        lxw_error e = worksheet_write_string(b->sheet, b->row, column, "-", format);
        if (e != LXW_NO_ERROR)
                return -EIO;
        lxw_cell *cell = b->sheet->array[column];
        free(cell->u.string);
        cell->u.string = memory_strdup(text);
        return 0;
}

static unsigned lines_of(const char *text, size_t n) {
        unsigned lines = 1;
        for (size_t i = 0; i < n && lines < LINES_MAX; i++)
                lines += text[i] == '\n';
        return lines;
}

/* Any text, whole or cut with a note. It never becomes a formula, a number, a date or a link. */
static int text_write(Book *b, lxw_col_t column, const char *text, size_t n, lxw_format *format) {
        size_t units;

        buffer_clear(&b->text);
        if (cell_text(&b->text, text, n, &units)) {
                char cell[16];
                notes_add_cut(&b->notes, b->name, cell_reference(b->row, column, cell),
                              b->header.columns[column].name, units);
        }
        /* Unwrapped lines are run together by some programs and written over the rows below by others. */
        if (!format && memchr(text, '\n', n)) {
                format = b->lines;
                b->row_lines = MAX(b->row_lines, lines_of(text, n));
        }
        if (b->text.size > CELL_UNITS_MAX)
                return long_write(b, column, b->text.data, format);
        return worksheet_write_string(b->sheet, b->row, column, buffer_string(&b->text), format) ? -EIO : 0;
}

static int header_write(Book *b) {
        Header *h = &b->header;
        int r = 0;

        for (size_t i = 0; i < h->n_columns && r == 0; i++) {
                Buffer name = {};
                buffer_add_string(&name, h->columns[i].name);
                if (h->columns[i].type == CELL_TIME)
                        buffer_printf(&name, " (%s)", h->zone);
                /* Room for the filter's button. */
                b->widths[i] = MAX(b->widths[i], cell_width(name.data, name.size) + 2);
                r = text_write(b, (lxw_col_t) i, name.data, name.size, b->bold);
                buffer_done(&name);
        }
        b->row = 1;
        return r;
}

static void page_set(lxw_worksheet *sheet) {
        worksheet_freeze_panes(sheet, 1, 0);
        worksheet_repeat_rows(sheet, 0, 0);
        worksheet_set_landscape(sheet);
        worksheet_set_paper(sheet, PAPER_A4);
        worksheet_fit_to_pages(sheet, 1, 0);
        worksheet_set_footer(sheet, "&L&A&R&P / &N");
}

static int sheet_begin(Book *b, Problem *problem) {
        int r;

        if (b->n_sheets == SHEETS_MAX)
                return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-many-rows", NULL,
                                   "a workbook holds at most %lld rows; choose csv, or fewer rows",
                                   (long long) SHEETS_MAX * SHEET_ROWS);
        r = sheet_add(b, b->header.sheet);
        if (r < 0)
                return r;
        page_set(b->sheet);
        return header_write(b);
}

/* Beside the section's first rows; what is printed reaches from the first cell to *last and *row. */
static int chart_add(Book *b, lxw_col_t *last, lxw_row_t *row) {
        const BookChart c = { b->workbook, b->sheet, &b->header, b->row - 1 };
        lxw_row_t below;

        if (!b->chart_due)
                return 0;
        b->chart_due = false;
        int r = book_chart_add(&c, last, &below);
        if (r == 0)
                *row = MAX(*row, below);
        return r;
}

static int sheet_end(Book *b) {
        lxw_col_t last = (lxw_col_t) (b->header.n_columns - 1);
        lxw_row_t row = b->row - 1;
        int r;

        for (lxw_col_t i = 0; i <= last; i++)
                worksheet_set_column(b->sheet, i, i, MIN(MAX(b->widths[i], (int) WIDTH_MIN), (int) CELL_WIDTH_MAX),
                                     NULL);
        worksheet_autofilter(b->sheet, 0, 0, b->row - 1, last);
        r = chart_add(b, &last, &row);
        /* A long text runs over into the emptiness beside the table: not on paper, where all would shrink with it. */
        worksheet_print_area(b->sheet, 0, 0, row, last);
        return r;
}

/* A time or date as a real one; what is none, or lies before the calendar of workbooks, stays text. */
static int time_write(Book *b, lxw_col_t column, const Value *v, bool date) {
        Usec t;
        double serial;

        if (!time_parse(v->text, &t))
                return text_write(b, column, v->text, v->size, NULL);
        if (!date)
                t = header_local(&b->header, t);
        if (cell_serial(t, &serial))
                return worksheet_write_number(b->sheet, b->row, column, serial, date ? b->date : b->time) ? -EIO : 0;
        char text[TIME_TEXT_SIZE];
        time_text(t, text);
        text[10] = date ? 0 : ' ';
        text[19] = 0;
        return text_write(b, column, text, strlen(text), NULL);
}

static int value_write(Book *b, lxw_col_t column, Value *v) {
        CellType type = b->header.columns[column].type;
        double number;

        switch (v->kind) {
        case VALUE_NULL:
                return 0;
        case VALUE_FALSE:
        case VALUE_TRUE:
                return worksheet_write_boolean(b->sheet, b->row, column, v->kind == VALUE_TRUE, NULL) ? -EIO : 0;
        case VALUE_NUMBER:
                if (cell_number_is_text(v->text, &number))
                        break;
                /* A cell without format shows long numbers as 1.23E+12, which no one wants of bytes. */
                return worksheet_write_number(b->sheet, b->row, column, number,
                                              number >= GENERAL_MAX || number <= -GENERAL_MAX ? b->whole : NULL) ? -EIO : 0;
        case VALUE_LIST:
                if (type == CELL_LIST)
                        value_join(v);
                break;
        case VALUE_TEXT:
                if (type == CELL_TIME || type == CELL_DATE)
                        return time_write(b, column, v, type == CELL_DATE);
                break;
        case VALUE_RAW:
                break;
        }
        if (v->plain && v->size <= CELL_UNITS_MAX)
                return worksheet_write_string(b->sheet, b->row, column, v->text, NULL) ? -EIO : 0;
        return text_write(b, column, v->text, v->size, NULL);
}

static void width_note(Book *b, size_t column, const Value *v) {
        CellType type = b->header.columns[column].type;
        int width = v->kind == VALUE_NULL ? 0
                : type == CELL_TIME ? (int) strlen("2026-12-01 12:00:00")
                : type == CELL_DATE ? (int) strlen("2026-12-01") : cell_width(v->text, v->size);
        b->widths[column] = MAX(b->widths[column], width + 1);
}

static int row_write(Book *b, Rows *rows, Problem *problem) {
        size_t n = b->header.n_columns;
        Value v;
        int r;

        if (b->row > SHEET_ROWS) {
                r = sheet_end(b);
                if (r == 0)
                        r = sheet_begin(b, problem);
                if (r != 0)
                        return r;
        }
        for (size_t i = 0; i < n; i++) {
                r = rows_field(rows, b->header.columns[i].name, &v, problem);
                if (r != 0)
                        return r;
                r = value_write(b, (lxw_col_t) i, &v);
                if (r < 0)
                        return r;
                if (b->section_rows < SAMPLE_ROWS)
                        width_note(b, i, &v);
        }
        /* Not every program makes room for lines by itself. */
        if (b->row_lines > 1)
                worksheet_set_row(b->sheet, b->row, b->row_lines * LXW_DEF_ROW_HEIGHT, NULL);
        b->row_lines = 0;
        b->row++;
        b->rows++;
        b->section_rows++;
        return rows_end(rows, problem);
}

/* A last sheet that says what the others do not show. */
static int notes_write(Book *b) {
        const Notes *n = &b->notes;
        uint32_t row = 0;
        int r;

        if (n->total == 0)
                return 0;
        r = sheet_add(b, "Notes");
        if (r < 0)
                return r;
        page_set(b->sheet);
        worksheet_set_column(b->sheet, 0, 0, NOTE_PLACE_WIDTH, NULL);
        worksheet_set_column(b->sheet, 1, 1, NOTE_TEXT_WIDTH, NULL);
        worksheet_write_string(b->sheet, row, 0, "cell", b->bold);
        worksheet_write_string(b->sheet, row++, 1, "note", b->bold);
        for (size_t i = 0; i < n->n; i++, row++) {
                Buffer text = {};
                cell_text(&text, n->list[i].place, strlen(n->list[i].place), NULL);
                worksheet_write_string(b->sheet, row, 0, buffer_string(&text), NULL);
                buffer_clear(&text);
                cell_text(&text, n->list[i].text, strlen(n->list[i].text), NULL);
                worksheet_write_string(b->sheet, row, 1, buffer_string(&text), NULL);
                buffer_done(&text);
        }
        if (n->total > n->n) {
                Buffer text = {};
                buffer_printf(&text, "%llu more texts were cut", (unsigned long long) (n->total - n->n));
                worksheet_write_string(b->sheet, row, 1, buffer_string(&text), NULL);
                buffer_done(&text);
        }
        return 0;
}

/* Plain text for the document's properties: XML has no escape for control characters there. */
static char *property(const char *text) {
        char *copy = memory_strdup(text);
        for (char *p = copy; p && *p; p++)
                if ((unsigned char) *p < 0x20)
                        *p = ' ';
        return copy;
}

static void properties_set(Book *b) {
        const Header *h = &b->header;
        /* Never the present: the same rows make the same bytes. */
        lxw_doc_properties p = {
                .title = property(h->title ?: h->document.title),
                .author = property(h->author),
                .company = property(h->company ?: h->document.partner),
                .created = (time_t) (header_date(h) / USEC_SEC),
        };

        workbook_set_properties(b->workbook, &p);
        free(p.title);
        free(p.author);
        free(p.company);
}

static int book_open(Book *b, const Rows *rows) {
        lxw_workbook_options options = { .constant_memory = LXW_TRUE };

        b->names = memory_new((SHEETS_MAX + 1) * sizeof(b->names[0]));
        b->workbook = workbook_new_opt(STREAMS_DOCUMENT, &options);
        if (!b->workbook)
                return -ENOMEM;
        properties_set(b);
        b->bold = workbook_add_format(b->workbook);
        format_set_bold(b->bold);
        b->time = workbook_add_format(b->workbook);
        format_set_num_format(b->time, "yyyy-mm-dd hh:mm:ss");
        b->date = workbook_add_format(b->workbook);
        format_set_num_format(b->date, "yyyy-mm-dd");
        b->whole = workbook_add_format(b->workbook);
        format_set_num_format(b->whole, "0");
        b->lines = workbook_add_format(b->workbook);
        format_set_text_wrap(b->lines);
        format_set_align(b->lines, LXW_ALIGN_VERTICAL_TOP);
        return 0;
}

/* Packs everything; the workbook is gone afterwards. */
static int book_close(Book *b) {
        if (streams_spooled() > zip64_from)
                b->workbook->options.use_zip64 = LXW_TRUE;
        lxw_error e = workbook_close(TAKE_PTR(b->workbook));
        int r = streams_error();
        return r < 0 ? r : e != LXW_NO_ERROR ? -EIO : 0;
}

static int section_write(Book *b, Rows *rows, Problem *problem) {
        bool more;
        int r;

        free(b->widths);
        b->widths = memory_new(b->header.n_columns * sizeof(int));
        b->section_rows = 0;
        b->chart_due = b->header.chart.kind != CHART_NONE;
        rows_allow_objects(rows, b->header.facts);
        r = sheet_begin(b, problem);
        if (r != 0)
                return r;
        while ((r = rows_next(rows, &more, problem)) == 0 && more) {
                r = row_write(b, rows, problem);
                if (r == 0)
                        r = streams_error();
                if (r != 0)
                        return r;
                crash_point("render_row");
        }
        if (r != 0)
                return r;
        if (b->header.chart.kind != CHART_NONE && b->section_rows > CHART_POINTS_MAX)
                notes_add_chart(&b->notes, b->header.sheet, CHART_POINTS_MAX, b->section_rows);
        return sheet_end(b);
}

/* Goes to the next section; *ret_more is false at the end of the input. */
static int section_next(Book *b, Rows *rows, bool *ret_more, Problem *problem) {
        Header next;
        char *line;
        size_t n;

        int r = rows_next_line(rows, &line, &n, problem);
        *ret_more = line != NULL;
        if (r != 0 || !line)
                return r;
        r = header_read_at(&next, line, n, rows_line(rows), problem);
        if (r != 0)
                return r;
        if (b->first.arena)
                header_done(&b->header);
        else
                b->first = b->header;
        b->header = next;
        header_inherit(&b->header, &b->first);
        return 0;
}

static int sections_write(Book *b, Rows *rows, Problem *problem) {
        bool more = true;
        int r = 0;

        while (r == 0 && more) {
                r = section_write(b, rows, problem);
                if (r == 0)
                        r = section_next(b, rows, &more, problem);
        }
        if (r == 0)
                r = notes_write(b);
        return r != 0 ? r : book_close(b);
}

int book_write(int in_fd, BookResult *ret, Problem *problem) {
        _cleanup_(rows_freep) Rows *rows = rows_new(in_fd);
        Book b = {};
        char *line;
        size_t n;
        int r;

        r = rows_next_line(rows, &line, &n, problem);
        if (r == 0)
                r = header_read(&b.header, line ? line : "", line ? n : 0, problem);
        if (r != 0)
                return r;
        r = book_open(&b, rows);
        if (r == 0)
                r = sections_write(&b, rows, problem);
        if (r == 0) {
                *ret = (BookResult) { .rows = b.rows, .sheets = b.n_sheets };
                notes_json(&b.notes, &ret->warnings);
        }
        if (b.workbook)
                lxw_workbook_free(b.workbook);
        header_done(&b.header);
        header_done(&b.first);
        notes_done(&b.notes);
        buffer_done(&b.text);
        free(b.widths);
        free(b.names);
        return r;
}

void book_result_done(BookResult *r) {
        buffer_done(&r->warnings);
}

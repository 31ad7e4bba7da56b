/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <cairo-pdf.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/crash.h"
#include "common/files.h"
#include "common/memory.h"
#include "common/text.h"
#include "common/time.h"
#include "render/pages.h"
#include "render/plot.h"

enum {
        SECTIONS_MAX = 200,
        OUT_BUFFER = 256 * 1024,
        LABEL_SIZE = 200,                    /* of a value below a chart */
};

static const double section_gap = 20, heading_gap = 6;
static const uint32_t black = 0x1a1a1a;

typedef struct Pages {
        Section *sections;
        size_t n;
        int64_t rows;
        Ink *ink;
        const Words *words;
        Logo *logo, *symbol;
        Notes notes;
        int out_fd, error;                   /* error: of the first write that failed */
        Buffer out;
} Pages;

static void section_done(Section *s) {
        header_done(&s->header);
        chart_data_done(&s->chart);
        free(s->lines);
        free(s->words);
}

/* ---- what is there ---- */

/* Three times reading needs a file. */
static int input_file(const PagesPlace *place, int *ret_fd) {
        char block[64 * 1024];
        struct stat st;
        ssize_t k;

        if (fstat(place->in_fd, &st) == 0 && S_ISREG(st.st_mode)) {
                *ret_fd = place->in_fd;
                return 0;
        }
        for (;;) {
                k = read(place->in_fd, block, sizeof(block));
                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        break;
                int r = fd_write_all(place->spool_fd, block, (size_t) k);
                if (r < 0)
                        return r;
        }
        if (k < 0 || lseek(place->spool_fd, 0, SEEK_SET) < 0)
                return -errno;
        *ret_fd = place->spool_fd;
        return 0;
}

static void estimate(Pages *g, Section *s, size_t column, const Buffer *text) {
        double line, word;

        ink_estimate(g->ink, false, buffer_string(text), text->size, &line, &word);
        s->lines[column] = MAX(s->lines[column], line);
        s->words[column] = MAX(s->words[column], word);
}

/* A number for the chart, if the column is one of its series. */
static int series_take(const Rows *rows, const Header *h, size_t column, const Value *v, double *values,
                       Problem *problem) {
        for (size_t k = 0; k < h->chart.n_series; k++) {
                if (h->chart.series[k] != column)
                        continue;
                if (v->kind != VALUE_NUMBER && v->kind != VALUE_NULL)
                        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-input", NULL,
                                           "line %lld: %s is drawn in a chart, and is no number",
                                           (long long) rows_line(rows), h->columns[column].name);
                values[k] = v->kind == VALUE_NUMBER ? strtod(v->text, NULL) : NAN;
                if (isinf(values[k]))
                        values[k] = NAN;
        }
        return 0;
}

static int row_look(Pages *g, Section *s, Rows *rows, Buffer *text, Problem *problem) {
        Header *h = &s->header;
        double values[HEADER_SERIES_MAX];
        bool chart = h->chart.kind != CHART_NONE;
        char label[LABEL_SIZE] = "";
        Value v;

        for (size_t i = 0; i < h->n_columns; i++) {
                int r = rows_field(rows, h->columns[i].name, &v, problem);
                if (r == 0 && chart)
                        r = series_take(rows, h, i, &v, values, problem);
                if (r != 0)
                        return r;
                buffer_clear(text);
                if (table_cell(g->words, h, i, &v, text)) {
                        char place[32];
                        snprintf(place, sizeof(place), "row %lld", (long long) s->rows + 1);
                        notes_add_cut(&g->notes, h->sheet, place, h->columns[i].name, v.size);
                }
                estimate(g, s, i, text);
                if (chart && i == h->chart.x)
                        text_copy_cut(label, LABEL_SIZE, buffer_string(text));
        }
        if (chart)
                chart_data_add(&s->chart, h->chart.n_series, label, values);
        s->rows++;
        return rows_end(rows, problem);
}

static int section_look(Pages *g, Section *s, Rows *rows, Problem *problem) {
        size_t n = s->header.n_columns;
        Buffer text = {};
        bool more;
        int r;

        s->position = rows_position(rows);
        s->line = rows_line(rows);
        s->lines = memory_new(n * sizeof(double));
        s->words = memory_new(n * sizeof(double));
        for (size_t i = 0; i < n; i++)
                ink_estimate(g->ink, true, s->header.columns[i].label, strlen(s->header.columns[i].label),
                             &s->lines[i], &s->words[i]);
        rows_allow_objects(rows, s->header.facts);
        while ((r = rows_next(rows, &more, problem)) == 0 && more) {
                r = row_look(g, s, rows, &text, problem);
                if (r != 0)
                        break;
                crash_point("render_row");
        }
        if (r == 0 && s->header.chart.kind != CHART_NONE && s->rows > CHART_POINTS_MAX)
                notes_add_chart(&g->notes, s->header.sheet, CHART_POINTS_MAX, s->rows);
        g->rows += s->rows;
        buffer_done(&text);
        return r;
}

static int sections_look(Pages *g, Rows *rows, Problem *problem) {
        char *line;
        size_t n;
        int r;

        for (;;) {
                r = rows_next_line(rows, &line, &n, problem);
                if (r != 0 || (!line && g->n > 0))
                        return r;
                if (g->n == SECTIONS_MAX)
                        return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-many-sections", NULL,
                                           "more than %d sections", SECTIONS_MAX);
                Section *s = &g->sections[g->n];
                r = header_read_at(&s->header, line ? line : "", line ? n : 0, rows_line(rows), problem);
                if (r != 0)
                        return r;
                if (g->n++ == 0) {
                        g->words = words_of(s->header.document.language);
                        ink_set_language(g->ink, s->header.document.language);
                } else
                        header_inherit(&s->header, &g->sections[0].header);
                r = section_look(g, s, rows, problem);
                if (r != 0)
                        return r;
        }
}

/* ---- drawing ---- */

static cairo_status_t on_write(void *closure, const unsigned char *data, unsigned n) {
        Pages *g = closure;

        buffer_add(&g->out, data, n);
        if (g->out.size < OUT_BUFFER)
                return CAIRO_STATUS_SUCCESS;
        int r = fd_write_all(g->out_fd, g->out.data, g->out.size);
        buffer_clear(&g->out);
        if (r < 0 && g->error == 0)
                g->error = r;
        return r < 0 ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

static void heading_draw(Paper *p, const Section *s) {
        static const InkStyle style = { .size = 13, .bold = true };

        if (str_empty(s->header.heading))
                return;
        if (p->surface) {
                Buffer where = {}, name = {};
                ink_clean(s->header.heading, strlen(s->header.heading), &name, NULL);
                buffer_printf(&where, "page=%u pos=[0 %d]", p->page, (int) p->y - 4);
                cairo_pdf_surface_add_outline(p->surface, CAIRO_PDF_OUTLINE_ROOT, buffer_string(&name),
                                              buffer_string(&where), CAIRO_PDF_OUTLINE_FLAG_OPEN);
                buffer_done(&where);
                buffer_done(&name);
        }
        paper_text(p, &style, black, s->header.heading);
        p->y += heading_gap;
}

static double heading_height(Paper *p, const Section *s) {
        static const InkStyle style = { .size = 13, .bold = true };
        const char *heading = s->header.heading;

        return str_empty(heading)
                       ? 0 : ink_text_height(p->ink, &style, paper_body_width(p), heading, strlen(heading)) + heading_gap;
}

/* A heading stands above something: its chart, or the first rows. */
static int section_draw(Paper *p, Section *s, Rows *rows, Problem *problem) {
        bool chart = s->header.chart.kind != CHART_NONE, turned = p->landscape != section_landscape(s);

        p->landscape = section_landscape(s);
        if (p->page > 0 && !turned)
                p->y += section_gap;
        if (turned || !paper_fits(p, heading_height(p, s) + (chart ? plot_height(p, s) : table_least_height(p, s))))
                paper_page(p);
        heading_draw(p, s);
        if (chart)
                plot_draw(p, s);
        if (!paper_fits(p, table_least_height(p, s)))
                paper_page(p);
        return table_draw(p, s, rows, problem);
}

static int all_draw(Pages *g, Paper *p, Rows *rows, Problem *problem) {
        int r = 0;

        p->ink = g->ink;
        p->words = g->words;
        p->first = &g->sections[0].header;
        p->landscape = section_landscape(&g->sections[0]);
        paper_page(p);
        paper_title(p, g->logo, g->symbol);
        p->y -= section_gap;
        for (size_t i = 0; i < g->n && r == 0; i++) {
                r = section_draw(p, &g->sections[i], rows, problem);
                if (r == 0)
                        r = g->error;
        }
        if (r == 0)
                paper_end(p);
        return r;
}

static void property_set(cairo_surface_t *surface, cairo_pdf_metadata_t which, const char *text) {
        Buffer clean = {};

        ink_clean(text, strlen(text), &clean, NULL);
        cairo_pdf_surface_set_metadata(surface, which, buffer_string(&clean));
        buffer_done(&clean);
}

/* What is told of the document, and nothing of the moment or the machine. */
static void metadata_set(cairo_surface_t *surface, const Header *first) {
        const HeaderDocument *d = &first->document;
        char date[TIME_TEXT_SIZE];
        const char *author = d->partner ?: first->author ?: first->company;

        property_set(surface, CAIRO_PDF_METADATA_TITLE, header_title(first));
        if (author)
                property_set(surface, CAIRO_PDF_METADATA_AUTHOR, author);
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, time_text(header_date(first), date));
}

static int surface_close(Pages *g, cairo_surface_t *surface) {
        cairo_surface_finish(surface);
        cairo_status_t status = cairo_surface_status(surface);

        if (g->error == 0 && status != CAIRO_STATUS_SUCCESS)
                return -EIO;
        return g->error < 0 ? g->error : fd_write_all(g->out_fd, g->out.data, g->out.size);
}

static int document_draw(Pages *g, Rows *rows, unsigned *ret_pages, Problem *problem) {
        Paper counted = {};

        int r = all_draw(g, &counted, rows, problem);
        if (r != 0)
                return r;
        Paper p = { .pages = counted.page };
        p.surface = cairo_pdf_surface_create_for_stream(on_write, g, PAPER_SHORT, PAPER_LONG);
        metadata_set(p.surface, &g->sections[0].header);
        p.cr = cairo_create(p.surface);
        r = all_draw(g, &p, rows, problem);
        /* Once something went wrong nothing is drawn any more, without a word. */
        if (r == 0 && cairo_status(p.cr) != CAIRO_STATUS_SUCCESS)
                r = g->error < 0 ? g->error : -EIO;
        cairo_destroy(p.cr);
        if (r == 0)
                r = surface_close(g, p.surface);
        cairo_surface_destroy(p.surface);
        if (r == 0 && p.page != p.pages)
                return -EIO;                 /* the file changed in between */
        *ret_pages = p.pages;
        return r;
}

int pages_write(const PagesPlace *place, PagesResult *ret, Problem *problem) {
        Pages g = { .ink = place->ink, .out_fd = place->out_fd, .words = words_of("en") };
        unsigned pages = 0;
        int fd;

        int r = input_file(place, &fd);
        if (r < 0)
                return r;
        _cleanup_(rows_freep) Rows *rows = rows_new(fd);
        g.sections = memory_new(SECTIONS_MAX * sizeof(Section));
        r = sections_look(&g, rows, problem);
        if (r == 0)
                r = logo_read(&g.sections[0].header.document.logo, "document.logo", &g.logo, problem);
        if (r == 0)
                r = logo_read(&g.sections[0].header.document.symbol, "document.symbol", &g.symbol, problem);
        if (r == 0)
                r = document_draw(&g, rows, &pages, problem);
        if (r == 0) {
                const Notes *glyphs = ink_notes(g.ink);
                for (size_t i = 0; i < glyphs->n_glyphs; i++)
                        notes_add_glyph(&g.notes, glyphs->glyphs[i]);
                *ret = (PagesResult) { .rows = g.rows, .pages = pages };
                notes_json(&g.notes, &ret->warnings);
        }
        for (size_t i = 0; i < g.n; i++)
                section_done(&g.sections[i]);
        free(g.sections);
        logo_free(g.logo);
        logo_free(g.symbol);
        notes_done(&g.notes);
        buffer_done(&g.out);
        return r;
}

void pages_result_done(PagesResult *r) {
        buffer_done(&r->warnings);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "common/memory.h"
#include "common/text.h"
#include "render/ink.h"

enum {
        CACHE_SIZE = 1024,
        CACHED_MAX = 80,                     /* bytes of a text that is kept */
        DESCRIPTIONS_MAX = 16,
        ASCII_FIRST = 0x20, ASCII_END = 0x7f,
};

/* Of columns that hold the same words again and again, which most do. */
typedef struct Kept {
        uint64_t hash;
        PangoLayout *layout;                 /* NULL: empty */
        InkStyle style;
        double width;
        char text[CACHED_MAX];
        size_t n;
} Kept;

typedef struct Description {
        double size, line_height;
        bool bold;
        PangoFontDescription *font;
} Description;

struct Ink {
        PangoFontMap *map;
        PangoContext *context;
        PangoAttrList *attributes;
        Description descriptions[DESCRIPTIONS_MAX];
        size_t n_descriptions;
        double advance[2][ASCII_END];        /* regular and bold, in size 1 */
        Kept *cache;
        Notes notes;
};

static PangoLayout *layout_new(Ink *ink, PangoFontDescription *font, const char *text, size_t n) {
        PangoLayout *layout = pango_layout_new(ink->context);

        pango_layout_set_font_description(layout, font);
        pango_layout_set_attributes(layout, ink->attributes);
        pango_layout_set_text(layout, text, (int) n);
        return layout;
}

double ink_width(PangoLayout *layout) {
        int w;
        pango_layout_get_size(layout, &w, NULL);
        return (double) w / PANGO_SCALE;
}

double ink_height(PangoLayout *layout) {
        int h;
        pango_layout_get_size(layout, NULL, &h);
        return (double) h / PANGO_SCALE;
}

static Description *description(Ink *ink, double size, bool bold) {
        for (size_t i = 0; i < ink->n_descriptions; i++)
                if (ink->descriptions[i].bold == bold && ink->descriptions[i].size == size)
                        return &ink->descriptions[i];
        assert(ink->n_descriptions < DESCRIPTIONS_MAX);
        Description *d = &ink->descriptions[ink->n_descriptions++];
        d->size = size;
        d->bold = bold;
        d->font = pango_font_description_from_string("sans-serif");
        pango_font_description_set_absolute_size(d->font, size * PANGO_SCALE);
        pango_font_description_set_weight(d->font, bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
        PangoLayout *layout = layout_new(ink, d->font, "Xg", 2);
        d->line_height = ink_height(layout);
        g_object_unref(layout);
        return d;
}

static void advances_measure(Ink *ink) {
        static const double size = 10;

        for (int bold = 0; bold < 2; bold++)
                for (int c = ASCII_FIRST; c < ASCII_END; c++) {
                        char text[2] = { (char) c, 0 };
                        PangoLayout *layout = layout_new(ink, description(ink, size, bold)->font, text, 1);
                        ink->advance[bold][c] = ink_width(layout) / size;
                        g_object_unref(layout);
                }
}

/* The libraries tell the terminal what they think of a text: nobody reads that, and it may be long. */
static GLogWriterOutput message_ignore(GLogLevelFlags level, const GLogField *fields, gsize n, void *userdata) {
        return G_LOG_WRITER_HANDLED;
}

Ink *ink_new(void) {
        Ink *ink = memory_new(sizeof(Ink));
        cairo_font_options_t *options = cairo_font_options_create();

        g_log_set_writer_func(message_ignore, NULL, NULL);
        /* Paper has no pixels: nothing is moved to fit them. */
        cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
        cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
        cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
        ink->map = pango_cairo_font_map_new_for_font_type(CAIRO_FONT_TYPE_FT);
        pango_cairo_font_map_set_resolution(PANGO_CAIRO_FONT_MAP(ink->map), 72);
        ink->context = pango_font_map_create_context(ink->map);
        pango_cairo_context_set_font_options(ink->context, options);
        cairo_font_options_destroy(options);
        pango_context_set_round_glyph_positions(ink->context, FALSE);
        ink_set_language(ink, "en");
        /* A hyphen at the end of a line would be taken for a part of the id or address that goes on below. */
        ink->attributes = pango_attr_list_new();
        pango_attr_list_insert(ink->attributes, pango_attr_insert_hyphens_new(FALSE));
        ink->cache = memory_new(CACHE_SIZE * sizeof(Kept));
        advances_measure(ink);
        return ink;
}

void ink_free(Ink *ink) {
        if (!ink)
                return;
        for (size_t i = 0; i < CACHE_SIZE; i++)
                if (ink->cache[i].layout)
                        g_object_unref(ink->cache[i].layout);
        free(ink->cache);
        for (size_t i = 0; i < ink->n_descriptions; i++)
                pango_font_description_free(ink->descriptions[i].font);
        pango_attr_list_unref(ink->attributes);
        g_object_unref(ink->context);
        g_object_unref(ink->map);
        notes_done(&ink->notes);
        free(ink);
}

void ink_set_language(Ink *ink, const char *tag) {
        pango_context_set_language(ink->context, pango_language_from_string(tag));
}

double ink_line_height(Ink *ink, const InkStyle *style) {
        return description(ink, style->size, style->bold)->line_height;
}

/* FNV-1a. */
static uint64_t hash_add(uint64_t h, const void *data, size_t n) {
        const uint8_t *p = data;
        for (size_t i = 0; i < n; i++)
                h = (h ^ p[i]) * 0x100000001b3;
        return h;
}

static bool style_equal(const InkStyle *a, const InkStyle *b) {
        return a->size == b->size && a->bold == b->bold && a->align == b->align && a->lines == b->lines;
}

static bool is_none(uint32_t c) {
        return c == 0 || (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);
}

void ink_clean(const char *text, size_t n, Buffer *ret, Notes *notes) {
        for (size_t i = 0; i < n;) {
                uint32_t c = 0;
                size_t k = MAX(utf8_next(text + i, n - i, &c), (size_t) 1);
                if (is_none(c)) {
                        buffer_add_string(ret, "□");
                        if (notes)
                                notes_add_glyph(notes, c);
                } else
                        buffer_add(ret, text + i, k);
                i += k;
        }
}

static PangoLayout *layout_make(Ink *ink, const InkStyle *style, double width, const char *text, size_t n) {
        static const PangoAlignment alignments[] = { PANGO_ALIGN_LEFT, PANGO_ALIGN_CENTER, PANGO_ALIGN_RIGHT };
        PangoFontDescription *font = description(ink, style->size, style->bold)->font;
        Buffer clean = {};

        ink_clean(text, n, &clean, &ink->notes);
        text = buffer_string(&clean);
        n = clean.size;
        PangoLayout *layout = layout_new(ink, font, text, n);
        pango_layout_set_alignment(layout, alignments[style->align]);
        if (width >= 0) {
                pango_layout_set_width(layout, (int) (width * PANGO_SCALE));
                pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
        }
        if (style->lines > 0) {
                pango_layout_set_height(layout, -style->lines);
                pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
        }
        buffer_done(&clean);
        return layout;
}

PangoLayout *ink_layout(Ink *ink, const InkStyle *style, double width, const char *text, size_t n) {
        if (n > CACHED_MAX)
                return layout_make(ink, style, width, text, n);
        double shape[3] = { width, style->size, style->bold + 2 * style->align };
        uint64_t hash = hash_add(hash_add(0xcbf29ce484222325, shape, sizeof(shape)), text, n);
        Kept *k = &ink->cache[hash % CACHE_SIZE];
        if (!k->layout || k->hash != hash || k->width != width || k->n != n || memcmp(k->text, text, n) != 0 ||
            !style_equal(&k->style, style)) {
                if (k->layout)
                        g_object_unref(k->layout);
                *k = (Kept) { .hash = hash, .style = *style, .width = width, .n = n };
                memcpy(k->text, text, n);
                k->layout = layout_make(ink, style, width, text, n);
        }
        return g_object_ref(k->layout);
}

/* Certainly one line: printable ASCII whose letters, set side by side, leave some room. */
static bool fits_easily(const Ink *ink, const InkStyle *style, double width, const char *text, size_t n) {
        double sum = 0;

        for (size_t i = 0; i < n && sum < width; i++) {
                if (text[i] < ASCII_FIRST || text[i] >= ASCII_END)
                        return false;
                sum += ink->advance[style->bold][(int) text[i]] * style->size;
        }
        return sum * 1.03 < width;
}

double ink_text_height(Ink *ink, const InkStyle *style, double width, const char *text, size_t n) {
        if (n == 0 || fits_easily(ink, style, width, text, n))
                return ink_line_height(ink, style);
        PangoLayout *layout = ink_layout(ink, style, width, text, n);
        double h = ink_height(layout);
        g_object_unref(layout);
        return h;
}

static bool is_wide(uint32_t c) {
        return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
               (c >= 0xff00 && c <= 0xff60) || c >= 0x1f000;
}

void ink_estimate(const Ink *ink, bool bold, const char *text, size_t n, double *ret_line, double *ret_word) {
        double line = 0, word = 0, widest_line = 0, widest_word = 0;

        for (size_t i = 0; i < n;) {
                uint32_t c = 0;
                i += MAX(utf8_next(text + i, n - i, &c), (size_t) 1);
                double w = c >= ASCII_FIRST && c < ASCII_END ? ink->advance[bold][c]
                        : c >= 0x300 && c <= 0x36f ? 0 : is_wide(c) ? 1 : 0.65;
                if (c == '\n')
                        line = word = w = 0;
                line += w;
                /* After these a line may end; Han letters are words of their own. */
                word = c == ' ' || (is_wide(c) && c < 0x1f000) ? 0 : word + w;
                widest_line = MAX(widest_line, line);
                widest_word = MAX(widest_word, word);
                if (c == '-' || c == '/')
                        word = 0;
        }
        *ret_line = widest_line;
        *ret_word = widest_word;
}

static void run_check(Ink *ink, const PangoLayoutRun *run) {
        for (int i = 0; i < run->glyphs->num_glyphs; i++) {
                PangoGlyph g = run->glyphs->glyphs[i].glyph;
                if (g != PANGO_GLYPH_EMPTY && g & PANGO_GLYPH_UNKNOWN_FLAG)
                        notes_add_glyph(&ink->notes, g & ~PANGO_GLYPH_UNKNOWN_FLAG);
        }
}

static void line_check(Ink *ink, PangoLayoutLine *line) {
        for (GSList *l = line->runs; l; l = l->next)
                run_check(ink, l->data);
}

/* Marks piled on marks and letters that cannot be parted reach far out of their place: over other people's rows. Only
 * some scripts can do that, and looking for it takes time. */
static bool reaches_out(PangoLayout *layout) {
        static const int margin = 2 * PANGO_SCALE;
        PangoRectangle drawn, box;
        int width = pango_layout_get_width(layout);

        if ((size_t) pango_layout_get_character_count(layout) == strlen(pango_layout_get_text(layout)))
                return false;
        pango_layout_get_extents(layout, &drawn, &box);
        return drawn.y < -margin || drawn.y + drawn.height > box.height + margin ||
               (width >= 0 && (drawn.x < -margin || drawn.x + drawn.width > width + margin));
}

static void clip_to(cairo_t *cr, double x, double y, double width, double height) {
        cairo_rectangle(cr, x - 1, y - 1, width + 2, height + 2);
        cairo_clip(cr);
}

void ink_show(Ink *ink, cairo_t *cr, PangoLayout *layout, double x, double y) {
        bool clip = reaches_out(layout);
        int width = pango_layout_get_width(layout);

        if (pango_layout_get_unknown_glyphs_count(layout) > 0)
                for (int i = 0; i < pango_layout_get_line_count(layout); i++)
                        line_check(ink, pango_layout_get_line_readonly(layout, i));
        if (clip) {
                cairo_save(cr);
                clip_to(cr, x, y, width >= 0 ? (double) width / PANGO_SCALE : ink_width(layout), ink_height(layout));
        }
        cairo_move_to(cr, x, y);
        pango_cairo_show_layout(cr, layout);
        if (clip)
                cairo_restore(cr);
}

double ink_show_lines(Ink *ink, cairo_t *cr, PangoLayout *layout, int *line, const double place[3], bool force) {
        PangoLayoutIter *iter = pango_layout_get_iter(layout);
        int n = 0, first = *line;
        double taken = 0, from = 0;

        if (cr) {
                cairo_save(cr);
                clip_to(cr, place[0], place[1], (double) pango_layout_get_width(layout) / PANGO_SCALE, place[2]);
        }
        do {
                PangoRectangle box;
                int y0, y1;
                if (n++ < first)
                        continue;
                pango_layout_iter_get_line_yrange(iter, &y0, &y1);
                if (n - 1 == first)
                        from = (double) y0 / PANGO_SCALE;
                double end = (double) y1 / PANGO_SCALE - from;
                if (end > place[2] && !(force && *line == first))
                        break;
                taken = end;
                (*line)++;
                if (!cr)
                        continue;
                pango_layout_iter_get_line_extents(iter, NULL, &box);
                double baseline = (double) pango_layout_iter_get_baseline(iter) / PANGO_SCALE;
                line_check(ink, pango_layout_iter_get_line_readonly(iter));
                cairo_move_to(cr, place[0] + (double) box.x / PANGO_SCALE, place[1] + baseline - from);
                pango_cairo_show_layout_line(cr, pango_layout_iter_get_line_readonly(iter));
        } while (pango_layout_iter_next_line(iter));
        pango_layout_iter_free(iter);
        if (cr)
                cairo_restore(cr);
        return taken;
}

void ink_show_text(Ink *ink, cairo_t *cr, const InkStyle *style, const double place[3], const char *text) {
        PangoLayout *layout = ink_layout(ink, style, place[2], text, strlen(text));
        ink_show(ink, cr, layout, place[0], place[1]);
        g_object_unref(layout);
}

const Notes *ink_notes(const Ink *ink) {
        return &ink->notes;
}

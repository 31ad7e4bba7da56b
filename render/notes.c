/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "common/json.h"
#include "render/cell.h"
#include "render/notes.h"

void notes_done(Notes *n) {
        for (size_t i = 0; i < n->n; i++) {
                free(n->list[i].place);
                free(n->list[i].text);
        }
        *n = (Notes) {};
}

static void add(Notes *n, const char *code, Buffer *place, Buffer *text) {
        n->list[n->n++] = (Note) { code, buffer_take(place), buffer_take(text) };
}

void notes_add_cut(Notes *n, const char *sheet, const char *cell, const char *column, size_t units) {
        Buffer place = {}, text = {};

        n->total++;
        if (n->n == NOTES_MAX)
                return;
        buffer_printf(&place, "%s!%s", sheet, cell);
        buffer_printf(&text, "%s: the text has %zu characters, a cell holds %d; the rest was cut", column, units,
                      CELL_UNITS_MAX);
        add(n, "text-cut", &place, &text);
}

void notes_add_chart(Notes *n, const char *sheet, int64_t drawn, int64_t rows) {
        Buffer place = {}, text = {};

        n->total++;
        if (n->n == NOTES_MAX)
                return;
        buffer_add_string(&place, sheet);
        buffer_printf(&text, "the chart shows the first %lld of %lld rows", (long long) drawn, (long long) rows);
        add(n, "chart-cut", &place, &text);
}

void notes_add_glyph(Notes *n, uint32_t character) {
        for (size_t i = 0; i < n->n_glyphs; i++)
                if (n->glyphs[i] == character)
                        return;
        if (n->n_glyphs < NOTES_GLYPHS_MAX)
                n->glyphs[n->n_glyphs++] = character;
}

static void put(Buffer *ret, const char *code, const Buffer *message) {
        json_put_object_begin(ret);
        json_put_key_string(ret, "code", code);
        json_put_key_string(ret, "message", buffer_string(message));
        json_put_object_end(ret);
}

void notes_json(const Notes *n, Buffer *ret) {
        Buffer message = {};

        json_put_array_begin(ret);
        for (size_t i = 0; i < n->n; i++) {
                buffer_clear(&message);
                buffer_printf(&message, "%s, %s", n->list[i].place, n->list[i].text);
                put(ret, n->list[i].code, &message);
        }
        if (n->total > n->n) {
                buffer_clear(&message);
                buffer_printf(&message, "%llu more texts were cut", (unsigned long long) (n->total - n->n));
                put(ret, "text-cut", &message);
        }
        for (size_t i = 0; i < n->n_glyphs; i++) {
                buffer_clear(&message);
                buffer_printf(&message, "no font here has U+%04X; it is drawn as a box", n->glyphs[i]);
                put(ret, "no-glyph", &message);
        }
        json_put_array_end(ret);
        buffer_done(&message);
}

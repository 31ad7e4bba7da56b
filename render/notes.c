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

void notes_add_cut(Notes *n, const char *sheet, const char *cell, const char *column, size_t units) {
        Buffer place = {}, text = {};

        n->total++;
        if (n->n == NOTES_MAX)
                return;
        buffer_printf(&place, "%s!%s", sheet, cell);
        buffer_printf(&text, "%s: the text has %zu characters, a cell holds %d; the rest was cut", column, units,
                      CELL_UNITS_MAX);
        n->list[n->n++] = (Note) { buffer_take(&place), buffer_take(&text) };
}

void notes_json(const Notes *n, Buffer *ret) {
        Buffer message = {};

        json_put_array_begin(ret);
        for (size_t i = 0; i < n->n; i++) {
                buffer_clear(&message);
                buffer_printf(&message, "%s, %s", n->list[i].place, n->list[i].text);
                json_put_object_begin(ret);
                json_put_key_string(ret, "code", "text-cut");
                json_put_key_string(ret, "message", buffer_string(&message));
                json_put_object_end(ret);
        }
        if (n->total > n->n) {
                buffer_clear(&message);
                buffer_printf(&message, "%llu more texts were cut", (unsigned long long) (n->total - n->n));
                json_put_object_begin(ret);
                json_put_key_string(ret, "code", "text-cut");
                json_put_key_string(ret, "message", buffer_string(&message));
                json_put_object_end(ret);
        }
        json_put_array_end(ret);
        buffer_done(&message);
}

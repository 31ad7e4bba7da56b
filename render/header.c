/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>

#include "common/text.h"
#include "common/time.h"
#include "render/header.h"

static const char *const type_names[] = { "text", "int", "bool", "time", "list", "json", "date", "id", NULL };

static int bad(Problem *problem, const char *what) {
        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-input", NULL, "line 1: %s", what);
}

static int columns_read(Header *h, json_t *columns, Problem *problem) {
        size_t i;
        json_t *column;

        h->n_columns = json_array_size(columns);
        if (h->n_columns == 0)
                return bad(problem, "no columns");
        if (h->n_columns > HEADER_COLUMNS_MAX)
                return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-many-columns", "columns",
                                   "%zu columns, at most %d fit in a workbook", h->n_columns, HEADER_COLUMNS_MAX);
        h->columns = arena_alloc(h->arena, h->n_columns * sizeof(HeaderColumn));
        json_array_foreach(columns, i, column) {
                const char *name = json_string_value(json_object_get(column, "name"));
                const char *type = json_string_value(json_object_get(column, "type"));
                int found = type ? names_find(type_names, type) : -1;
                if (!name || found < 0)
                        return bad(problem, "a column needs a name and one of the known types");
                h->columns[i] = (HeaderColumn) { arena_strdup(h->arena, name), (CellType) found };
        }
        return 0;
}

static int zone_read(Header *h, json_t *zone, Problem *problem) {
        json_t *offsets = json_object_get(zone, "offsets"), *pair;
        const char *name = json_string_value(json_object_get(zone, "name"));
        size_t i;

        if (!zone || json_is_null(zone))
                return 0;
        h->n_offsets = json_array_size(offsets);
        if (!name || h->n_offsets == 0 || h->n_offsets > HEADER_OFFSETS_MAX)
                return bad(problem, "a zone needs a name and its offsets");
        h->zone = arena_strdup(h->arena, name);
        h->offsets = arena_alloc(h->arena, h->n_offsets * sizeof(HeaderOffset));
        json_array_foreach(offsets, i, pair) {
                json_t *from = json_array_get(pair, 0), *offset = json_array_get(pair, 1);
                h->offsets[i] = (HeaderOffset) { json_integer_value(from), json_integer_value(offset) };
                if (!json_is_integer(from) || !json_is_integer(offset) || h->offsets[i].offset < -86400 * 2 ||
                    h->offsets[i].offset > 86400 * 2 || (i > 0 && h->offsets[i].from <= h->offsets[i - 1].from))
                        return bad(problem, "an offset of the zone is wrong");
        }
        return 0;
}

static int properties_read(Header *h, json_t *properties, Problem *problem) {
        const char *created = json_string_value(json_object_get(properties, "created"));

        h->title = arena_strdup(h->arena, json_string_value(json_object_get(properties, "title")));
        h->author = arena_strdup(h->arena, json_string_value(json_object_get(properties, "author")));
        h->company = arena_strdup(h->arena, json_string_value(json_object_get(properties, "company")));
        if (created && !time_parse(created, &h->created))
                return bad(problem, "created is no time");
        return 0;
}

int header_read(Header *ret, const char *line, size_t n, Problem *problem) {
        json_error_t error;
        Header h = { .arena = arena_new(), .zone = "UTC", .created = USEC_NONE };
        json_t *root = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
        const char *sheet = json_string_value(json_object_get(root, "sheet"));
        int r;

        if (!root)
                r = bad(problem, error.text);
        else if (!sheet)
                r = bad(problem, "the header is an object with sheet and columns");
        else {
                h.sheet = arena_strdup(h.arena, sheet);
                r = columns_read(&h, json_object_get(root, "columns"), problem);
        }
        if (r == 0)
                r = zone_read(&h, json_object_get(root, "zone"), problem);
        if (r == 0)
                r = properties_read(&h, json_object_get(root, "properties"), problem);
        json_decref(root);
        if (r == 0)
                *ret = h;
        else
                header_done(&h);
        return r;
}

void header_done(Header *h) {
        arena_free(h->arena);
        *h = (Header) {};
}

Usec header_local(Header *h, Usec t) {
        int64_t seconds = t / USEC_SEC - (t % USEC_SEC < 0);
        size_t i = h->last;

        if (h->n_offsets == 0)
                return t;
        /* Neighbouring rows lie near each other, or not: look where the last one was, then search. */
        if (seconds < h->offsets[i].from || (i + 1 < h->n_offsets && seconds >= h->offsets[i + 1].from)) {
                size_t low = 0, high = h->n_offsets;
                while (high - low > 1) {
                        size_t middle = low + (high - low) / 2;
                        if (h->offsets[middle].from <= seconds)
                                low = middle;
                        else
                                high = middle;
                }
                h->last = i = low;
        }
        return t + h->offsets[i].offset * USEC_SEC;
}

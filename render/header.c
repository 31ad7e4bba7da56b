/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>

#include "common/text.h"
#include "common/time.h"
#include "render/header.h"

static const char *const type_names[] = { "text", "int", "bool", "time", "list", "json", "date", "id", NULL };

static const char *const chart_names[] = { "stacked-bars", "lines", "bars", NULL };

/* Where a header is being read. */
typedef struct Reading {
        Header h;
        int64_t number;
        Problem *problem;
} Reading;

static int bad(Reading *r, const char *what) {
        return problem_set(r->problem, PROBLEM_INVALID_ARGUMENT, "bad-input", NULL, "line %lld: %s",
                           (long long) r->number, what);
}

/* A text that may be missing or null. true: *ret is it, or NULL. */
static bool text_read(Arena *arena, json_t *object, const char *key, const char **ret) {
        json_t *value = json_object_get(object, key);

        if (value && !json_is_null(value) && !json_is_string(value))
                return false;
        *ret = arena_strdup(arena, json_string_value(value));
        return true;
}

static const char *label_of(Arena *arena, const char *name) {
        char *label = arena_strdup(arena, name);
        for (char *p = label; (p = strchr(p, '_'));)
                *p = ' ';
        return label;
}

static int facts_columns(Header *h) {
        static const HeaderColumn columns[] = { { "label", "label", CELL_TEXT }, { "value", "value", CELL_TEXT } };

        h->n_columns = ELEMENTSOF(columns);
        h->columns = arena_alloc(h->arena, sizeof(columns));
        memcpy(h->columns, columns, sizeof(columns));
        return 0;
}

static int columns_read(Reading *r, json_t *columns) {
        Header *h = &r->h;
        size_t i;
        json_t *column;

        if (!columns && h->facts)
                return facts_columns(h);
        h->n_columns = json_array_size(columns);
        if (h->n_columns == 0)
                return bad(r, "no columns");
        if (h->n_columns > HEADER_COLUMNS_MAX)
                return problem_set(r->problem, PROBLEM_LIMIT_EXCEEDED, "too-many-columns", "columns",
                                   "%zu columns, at most %d fit in a document", h->n_columns, HEADER_COLUMNS_MAX);
        h->columns = arena_alloc(h->arena, h->n_columns * sizeof(HeaderColumn));
        json_array_foreach(columns, i, column) {
                HeaderColumn *c = &h->columns[i];
                const char *type = json_string_value(json_object_get(column, "type"));
                int found = type ? names_find(type_names, type) : -1;
                if (!text_read(h->arena, column, "name", &c->name) || !c->name || found < 0 ||
                    !text_read(h->arena, column, "label", &c->label))
                        return bad(r, "a column needs a name and one of the known types");
                c->type = (CellType) found;
                c->label = c->label ?: label_of(h->arena, c->name);
        }
        return h->facts && h->n_columns != 2 ? bad(r, "facts have two columns") : 0;
}

static int zone_read(Reading *r, json_t *zone) {
        Header *h = &r->h;
        json_t *offsets = json_object_get(zone, "offsets"), *pair;
        const char *name = json_string_value(json_object_get(zone, "name"));
        size_t i;

        if (!zone || json_is_null(zone))
                return 0;
        h->n_offsets = json_array_size(offsets);
        if (!name || h->n_offsets == 0 || h->n_offsets > HEADER_OFFSETS_MAX)
                return bad(r, "a zone needs a name and its offsets");
        h->zone = arena_strdup(h->arena, name);
        h->offsets = arena_alloc(h->arena, h->n_offsets * sizeof(HeaderOffset));
        json_array_foreach(offsets, i, pair) {
                json_t *from = json_array_get(pair, 0), *offset = json_array_get(pair, 1);
                h->offsets[i] = (HeaderOffset) { json_integer_value(from), json_integer_value(offset) };
                if (!json_is_integer(from) || !json_is_integer(offset) || h->offsets[i].offset < -86400 * 2 ||
                    h->offsets[i].offset > 86400 * 2 || (i > 0 && h->offsets[i].from <= h->offsets[i - 1].from))
                        return bad(r, "an offset of the zone is wrong");
        }
        return 0;
}

static int properties_read(Reading *r, json_t *properties) {
        Header *h = &r->h;
        const char *created = json_string_value(json_object_get(properties, "created"));

        h->title = arena_strdup(h->arena, json_string_value(json_object_get(properties, "title")));
        h->author = arena_strdup(h->arena, json_string_value(json_object_get(properties, "author")));
        h->company = arena_strdup(h->arena, json_string_value(json_object_get(properties, "company")));
        if (created && !time_parse(created, &h->created))
                return bad(r, "created is no time");
        return 0;
}

static bool column_find(const Header *h, json_t *name, size_t *ret) {
        for (size_t i = 0; i < h->n_columns && json_is_string(name); i++)
                if (str_equal(h->columns[i].name, json_string_value(name))) {
                        *ret = i;
                        return true;
                }
        return false;
}

static int chart_read(Reading *r, json_t *chart) {
        HeaderChart *c = &r->h.chart;
        json_t *series = json_object_get(chart, "series"), *name;
        const char *kind = json_string_value(json_object_get(chart, "kind"));
        size_t i;

        c->kind = CHART_NONE;
        if (!chart || json_is_null(chart))
                return 0;
        int found = kind ? names_find(chart_names, kind) : -1;
        if (found < 0)
                return bad(r, "a chart is stacked-bars, lines or bars");
        if (r->h.facts)
                return bad(r, "facts have no chart");
        if (!text_read(r->h.arena, chart, "title", &c->title))
                return bad(r, "a chart's title is a text");
        if (!column_find(&r->h, json_object_get(chart, "x"), &c->x))
                return bad(r, "a chart's x is the name of a column");
        c->n_series = json_array_size(series);
        if (c->n_series == 0 || c->n_series > HEADER_SERIES_MAX)
                return bad(r, "a chart has 1 to 24 series");
        json_array_foreach(series, i, name)
                if (!column_find(&r->h, name, &c->series[i]) || r->h.columns[c->series[i]].type != CELL_INT)
                        return bad(r, "a chart's series are names of columns of type int");
        c->kind = (ChartKind) found;
        return 0;
}

static int base64_digit(char c) {
        return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26
                : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Strict: whole groups of four, padded, nothing else. */
static bool base64_read(Arena *arena, const char *text, HeaderPicture *ret) {
        size_t n = strlen(text), size = 0;
        uint32_t bits = 0;

        if (n == 0 || n % 4 != 0)
                return false;
        size_t padding = (text[n - 1] == '=') + (text[n - 1] == '=' && text[n - 2] == '=');
        uint8_t *data = arena_alloc(arena, n / 4 * 3);
        for (size_t i = 0; i < n; i++) {
                int d = i >= n - padding ? 0 : base64_digit(text[i]);
                if (d < 0)
                        return false;
                bits = bits << 6 | (uint32_t) d;
                for (int k = 2; i % 4 == 3 && k >= 0; k--)
                        data[size++] = (uint8_t) (bits >> (8 * k));
        }
        *ret = (HeaderPicture) { data, size - padding };
        return true;
}

static bool picture_read(Arena *arena, json_t *document, const char *key, HeaderPicture *ret) {
        json_t *value = json_object_get(document, key);

        if (!value || json_is_null(value))
                return true;
        return json_is_string(value) && base64_read(arena, json_string_value(value), ret);
}

static int document_read(Reading *r, json_t *document) {
        HeaderDocument *d = &r->h.document;
        Arena *arena = r->h.arena;
        const char *date = NULL;
        int year, month, day;

        *d = (HeaderDocument) { .language = "en", .date = USEC_NONE };
        if (!document || json_is_null(document))
                return 0;
        if (!json_is_object(document) || !text_read(arena, document, "title", &d->title) ||
            !text_read(arena, document, "partner", &d->partner) ||
            !text_read(arena, document, "customer", &d->customer) ||
            !text_read(arena, document, "language", &d->language) || !text_read(arena, document, "data_date", &date))
                return bad(r, "what the document tells of itself are texts");
        if (date && !date_parse(date, &year, &month, &day))
                return bad(r, "data_date is no date");
        if (date)
                d->date = civil_days(year, month, day) * USEC_DAY;
        d->language = d->language ?: "en";
        if (!picture_read(arena, document, "logo", &d->logo) || !picture_read(arena, document, "symbol", &d->symbol))
                return bad(r, "a picture is not in base64");
        return 0;
}

static int parts_read(Reading *r, json_t *root) {
        json_t *facts = json_object_get(root, "facts");
        const char *sheet = json_string_value(json_object_get(root, "sheet"));

        if (!sheet)
                return bad(r, "the header is an object with sheet and columns");
        r->h.sheet = arena_strdup(r->h.arena, sheet);
        if (facts && !json_is_boolean(facts))
                return bad(r, "facts is true or false");
        r->h.facts = json_is_true(facts);
        if (!text_read(r->h.arena, root, "heading", &r->h.heading))
                return bad(r, "heading is a text");
        int k = columns_read(r, json_object_get(root, "columns"));
        if (k == 0)
                k = zone_read(r, json_object_get(root, "zone"));
        if (k == 0)
                k = properties_read(r, json_object_get(root, "properties"));
        if (k == 0)
                k = chart_read(r, json_object_get(root, "chart"));
        return k == 0 ? document_read(r, json_object_get(root, "document")) : k;
}

int header_read_at(Header *ret, const char *line, size_t n, int64_t number, Problem *problem) {
        json_error_t error;
        Reading reading = {
                .h = { .arena = arena_new(), .zone = "UTC", .created = USEC_NONE }, .number = number, .problem = problem,
        };
        json_t *root = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);

        int r = root ? parts_read(&reading, root) : bad(&reading, error.text);
        json_decref(root);
        if (r == 0)
                *ret = reading.h;
        else
                header_done(&reading.h);
        return r;
}

int header_read(Header *ret, const char *line, size_t n, Problem *problem) {
        return header_read_at(ret, line, n, 1, problem);
}

void header_inherit(Header *h, const Header *first) {
        if (h->n_offsets > 0 || first->n_offsets == 0)
                return;
        h->zone = arena_strdup(h->arena, first->zone);
        h->n_offsets = first->n_offsets;
        h->offsets = arena_alloc(h->arena, h->n_offsets * sizeof(HeaderOffset));
        memcpy(h->offsets, first->offsets, h->n_offsets * sizeof(HeaderOffset));
}

Usec header_date(const Header *first) {
        if (first->document.date != USEC_NONE && first->document.date > 0)
                return first->document.date;
        return first->created != USEC_NONE && first->created > 0 ? first->created
                                                                : civil_days(2000, 1, 1) * USEC_DAY;
}

const char *header_title(const Header *first) {
        return first->document.title ?: first->title ?: first->sheet;
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

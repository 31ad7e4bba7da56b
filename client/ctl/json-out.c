/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/ctl/json-out.h"
#include "common/text.h"

enum { INDENT = 2 };

typedef struct Writer {
        FILE *f;
        bool pretty;
        int depth;
} Writer;

static void new_line(Writer *w) {
        if (!w->pretty)
                return;
        putc('\n', w->f);
        for (int i = 0; i < w->depth * INDENT; i++)
                putc(' ', w->f);
}

/* DEL, C1, the line separators and the bidi controls are allowed in JSON and wrong on a terminal. */
static bool disturbs(uint32_t c) {
        return (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || (c >= 0x202a && c <= 0x202e) ||
               (c >= 0x2066 && c <= 0x2069);
}

/* A string at p, which is its quote. Returns what follows it. */
static const char *put_string(FILE *f, const char *p, const char *end) {
        const char *from = p++;

        while (p < end && *p != '"') {
                uint32_t code = 0;
                size_t k = *p == '\\' && p + 1 < end ? 2 : utf8_next(p, (size_t) (end - p), &code);
                if (*p != '\\' && disturbs(code)) {
                        fwrite(from, 1, (size_t) (p - from), f);
                        fprintf(f, "\\u%04x", code);
                        from = p + k;
                }
                p += k ? k : 1;
        }
        p += p < end;
        fwrite(from, 1, (size_t) (p - from), f);
        return p;
}

static const char *skip_blanks(const char *p, const char *end) {
        while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
                p++;
        return p;
}

static void put(Writer *w, const char *p, const char *end) {
        for (p = skip_blanks(p, end); p < end; p = skip_blanks(p, end)) {
                switch (*p) {
                case '"':
                        p = put_string(w->f, p, end);
                        continue;
                case '{':
                case '[':
                        putc(*p, w->f);
                        p = skip_blanks(p + 1, end);
                        if (p < end && (*p == '}' || *p == ']')) {
                                putc(*p++, w->f);
                                continue;
                        }
                        w->depth++;
                        new_line(w);
                        continue;
                case '}':
                case ']':
                        w->depth--;
                        new_line(w);
                        putc(*p++, w->f);
                        continue;
                case ',':
                        putc(*p++, w->f);
                        new_line(w);
                        continue;
                case ':':
                        putc(*p++, w->f);
                        if (w->pretty)
                                putc(' ', w->f);
                        continue;
                default:
                        putc(*p++, w->f);
                }
        }
}

void json_out(FILE *f, const char *json, size_t n, JsonMode mode) {
        Writer w = { .f = f, .pretty = mode == JSON_PRETTY };
        put(&w, json, json + n);
        putc('\n', f);
}

void json_array_begin(JsonArray *a) {
        putc('[', a->f);
}

void json_array_add(JsonArray *a, const char *json, size_t n) {
        Writer w = { .f = a->f, .pretty = a->mode == JSON_PRETTY, .depth = 1 };

        if (a->some)
                putc(',', a->f);
        a->some = true;
        new_line(&w);
        put(&w, json, json + n);
}

void json_array_end(JsonArray *a) {
        Writer w = { .f = a->f, .pretty = a->mode == JSON_PRETTY };
        if (a->some)
                new_line(&w);
        fputs("]\n", a->f);
}

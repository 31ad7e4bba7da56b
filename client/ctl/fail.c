/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>

#include "client/ctl/fail.h"
#include "common/json.h"
#include "common/nearest.h"
#include "common/text.h"

static bool as_json;

void fail_as_json(bool json) {
        as_json = json;
}

static void say(const Buffer *b) {
        (void) !fwrite(b->data, 1, b->size, stderr);
}

/* Text from the command line or from elsewhere may be anything; JSON must not. */
static void put_text(Buffer *b, const char *key, const char *text) {
        if (key)
                json_put_key(b, key);
        if (str_empty(text)) {
                json_put_null(b);
                return;
        }
        Buffer shown = {};
        text_escape_controls(&shown, text, strlen(text));
        json_put_string(b, buffer_string(&shown));
        buffer_done(&shown);
}

static void say_json(const Problem *p) {
        Buffer b = {};

        json_put_object_begin(&b);
        json_put_key(&b, "error");
        json_put_object_begin(&b);
        put_text(&b, "code", p->code);
        put_text(&b, "message", p->text);
        put_text(&b, "field", p->field);
        json_put_key(&b, "candidates");
        json_put_array_begin(&b);
        for (size_t i = 0; i < p->n_candidates; i++)
                put_text(&b, NULL, p->candidates[i]);
        json_put_array_end(&b);
        json_put_object_end(&b);
        json_put_object_end(&b);
        buffer_add_char(&b, '\n');
        say(&b);
        buffer_done(&b);
}

int fail_problem(int exit, const Problem *p) {
        if (as_json) {
                say_json(p);
                return exit;
        }
        Buffer b = {};
        buffer_add_string(&b, "tenantctl: ");
        if (*p->code)
                buffer_printf(&b, "%s: ", p->code);
        text_escape_controls(&b, p->text, strlen(p->text));
        buffer_add_char(&b, '\n');
        for (size_t i = 0; i < p->n_candidates; i++) {
                buffer_add_string(&b, i == 0                    ? "  did you mean \""
                                      : i + 1 < p->n_candidates ? ", \""
                                                                : " or \"");
                text_escape_controls(&b, p->candidates[i], strlen(p->candidates[i]));
                buffer_add_string(&b, i + 1 < p->n_candidates ? "\"" : "\"?\n");
        }
        say(&b);
        buffer_done(&b);
        return exit;
}

int fail(int exit, const char *code, const char *field, const char *format, ...) {
        char text[2048];
        Problem p;
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        problem_set(&p, PROBLEM_FAILED, code, field, "%s", text);
        if (!as_json)
                *p.code = 0;
        return fail_problem(exit, &p);
}

int fail_usage(const char *word, const char *const *names, const char *format, ...) {
        char text[2048];
        Problem p;
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        problem_set(&p, PROBLEM_INVALID_ARGUMENT, "usage", NULL, "%s", text);
        const char *nearest = word && names ? nearest_name(names, word) : NULL;
        if (nearest)
                problem_add_candidate(&p, nearest);
        if (!as_json)
                *p.code = 0;
        return fail_problem(EXIT_USAGE, &p);
}

static void say_line(const char *prefix, const char *format, va_list ap) {
        char text[2048];
        Buffer b = {};

        vsnprintf(text, sizeof(text), format, ap);
        buffer_add_string(&b, prefix);
        text_escape_controls(&b, text, strlen(text));
        buffer_add_char(&b, '\n');
        say(&b);
        buffer_done(&b);
}

void warn(const char *format, ...) {
        va_list ap;
        va_start(ap, format);
        say_line("tenantctl: warning: ", format, ap);
        va_end(ap);
}

void note(const char *format, ...) {
        va_list ap;
        if (as_json)
                return;
        va_start(ap, format);
        say_line("", format, ap);
        va_end(ap);
}

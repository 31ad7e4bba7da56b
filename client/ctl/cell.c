/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "client/ctl/cell.h"
#include "client/ctl/timezone.h"
#include "common/text.h"

/* Only these are times: a customer may call itself 2026-12-01T12:00:00Z. */
static const char *const time_keys[] = {
        "created",  "finished",        "started",     "due",          "opened",
        "changed",  "delivered",       "time",        "next_attempt", "snoozed_until",
        "next_due", "next_expiration", "erase_after", "queued",       "restored",
        "newest",   NULL,
};

static const struct {
        const char *word, *color;
} colors[] = {
        { "failed", "31" },    { "partially-failed", "31" }, { "dead", "31" },     { "multiple-issues", "31" },
        { "refused", "33" },   { "canceled", "33" },         { "finished-with-exception", "33" },
        { "no-backup-updates", "33" }, { "disconnecting", "33" }, { "waiting", "33" },
        { "working", "32" },   { "finished", "32" },         { "done", "32" },     { "ok", "32" },
        { "running", "36" },   { "queued", "36" },
};

static const char *const color_keys[] = { "status", "state", "outcome", NULL };

bool cell_is_time(const char *key) {
        return names_find(time_keys, key) >= 0;
}

const char *cell_color(const char *key, const json_t *value) {
        const char *word = json_string_value(value);

        if (!word || names_find(color_keys, key) < 0)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(colors); i++)
                if (str_equal(colors[i].word, word))
                        return colors[i].color;
        return NULL;
}

void cell_put_number(Buffer *b, int64_t n) {
        char text[32];
        int length = snprintf(text, sizeof(text), "%" PRId64, n);

        for (int i = 0; i < length; i++) {
                buffer_add_char(b, text[i]);
                if (i + 1 < length && (length - i - 1) % 3 == 0 && text[i] != '-')
                        buffer_add_char(b, ',');
        }
}

static const char *text_of(const json_t *object, const char *key) {
        const char *s = json_string_value(json_object_get(object, key));
        return s ? s : "";
}

static void put_escaped(Buffer *b, const char *s) {
        text_escape_controls(b, s, strlen(s));
}

static void put_contact(Buffer *b, const json_t *v) {
        put_escaped(b, text_of(v, "role"));
        buffer_add_char(b, ' ');
        put_escaped(b, text_of(v, "address"));
        if (*text_of(v, "name")) {
                buffer_add_string(b, " (");
                put_escaped(b, text_of(v, "name"));
                buffer_add_char(b, ')');
        }
}

static void put_grant(Buffer *b, const json_t *v) {
        put_escaped(b, text_of(v, "who"));
        if (*text_of(v, "end")) {
                buffer_add_string(b, " until ");
                cell_put(b, "end", json_object_get(v, "end"));
        }
}

/* Of a report: an address, and what became of its mail. */
static void put_recipient(Buffer *b, const json_t *v) {
        put_escaped(b, text_of(v, "address"));
        buffer_add_string(b, " (");
        put_escaped(b, text_of(v, "state"));
        if (*text_of(v, "reason")) {
                buffer_add_string(b, ": ");
                cell_put_sentence(b, text_of(v, "reason"));
        }
        buffer_add_char(b, ')');
}

static void put_actor(Buffer *b, const json_t *v) {
        if (*text_of(v, "name"))
                put_escaped(b, text_of(v, "name"));
        else
                buffer_printf(b, "uid %" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(v, "uid")));
        if (*text_of(v, "on_behalf_of")) {
                buffer_add_string(b, " for ");
                put_escaped(b, text_of(v, "on_behalf_of"));
        }
}

static void put_picture(Buffer *b, const json_t *v) {
        put_escaped(b, text_of(v, "type"));
        buffer_printf(b, ", %" JSON_INTEGER_FORMAT " x %" JSON_INTEGER_FORMAT ", ",
                      json_integer_value(json_object_get(v, "width")),
                      json_integer_value(json_object_get(v, "height")));
        cell_put_number(b, json_integer_value(json_object_get(v, "bytes")));
        buffer_add_string(b, " bytes");
}

static void put_object(Buffer *b, const char *key, const json_t *v) {
        const char *name;
        json_t *item;
        bool some = false;

        if (str_equal(key, "contacts"))
                put_contact(b, v);
        else if (str_equal(key, "grants"))
                put_grant(b, v);
        else if (str_equal(key, "recipients"))
                put_recipient(b, v);
        else if (str_equal(key, "actor"))
                put_actor(b, v);
        else if (str_equal(key, "symbol") || str_equal(key, "logo"))
                put_picture(b, v);
        else
                json_object_foreach((json_t *) v, name, item) {
                        if (some)
                                buffer_add_string(b, ", ");
                        some = true;
                        put_escaped(b, name);
                        buffer_add_char(b, '=');
                        cell_put(b, name, item);
                }
}

static void put_array(Buffer *b, const char *key, const json_t *v) {
        size_t i;
        json_t *item;

        json_array_foreach((json_t *) v, i, item) {
                if (i > 0)
                        buffer_add_string(b, json_is_object(item) ? "; " : ", ");
                cell_put(b, key, item);
        }
}

/* A run's time in its schedule's own zone, in the form that times have for people: 2026-12-01T12:00. */
static bool put_local(Buffer *b, const char *s) {
        static const char form[] = "dddd-dd-ddTdd:dd";

        if (strlen(s) != strlen(form))
                return false;
        for (size_t i = 0; form[i]; i++)
                if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
                        return false;
        buffer_printf(b, "%.10s %s", s, s + 11);
        return true;
}

static void put_text(Buffer *b, const char *key, const json_t *v) {
        const char *s = json_string_value(v);

        if (names_find(time_keys, key) >= 0 && timezone_put(b, s))
                return;
        if (str_equal(key, "local") && put_local(b, s))
                return;
        text_escape_controls(b, s, json_string_length(v));
}

void cell_put_sentence(Buffer *b, const char *s) {
        enum { TIME = sizeof("2026-12-01T12:00:00Z") - 1 };
        const char *shown = s;

        for (const char *z = strchr(s, 'Z'); z; z = strchr(z + 1, 'Z')) {
                char time[TIME + 1] = "";
                Buffer local = {};
                if (z + 1 - shown >= TIME)
                        memcpy(time, z + 1 - TIME, TIME);
                if (timezone_put(&local, time)) {
                        text_escape_controls(b, shown, (size_t) (z + 1 - TIME - shown));
                        buffer_add_string(b, buffer_string(&local));
                        shown = z + 1;
                }
                buffer_done(&local);
        }
        text_escape_controls(b, shown, strlen(shown));
}

void cell_put(Buffer *b, const char *key, const json_t *v) {
        switch (json_typeof(v)) {
        case JSON_STRING:
                put_text(b, key, v);
                break;
        case JSON_INTEGER:
                buffer_printf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
                break;
        case JSON_REAL:
                buffer_printf(b, "%g", json_real_value(v));
                break;
        case JSON_TRUE:
                buffer_add_string(b, "yes");
                break;
        case JSON_FALSE:
                buffer_add_string(b, "no");
                break;
        case JSON_NULL:
                buffer_add_char(b, '-');
                break;
        case JSON_OBJECT:
                if (json_object_size(v) > 0)
                        put_object(b, key, v);
                else
                        buffer_add_char(b, '-');
                break;
        case JSON_ARRAY:
                if (json_array_size(v) > 0)
                        put_array(b, key, v);
                else
                        buffer_add_char(b, '-');
                break;
        }
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/json.h"
#include "common/time.h"

/* A value needs a comma before it unless it begins the text, follows an opening bracket or a key, or stands on a
 * line of its own (JSON lines). */
static void separate(Buffer *b) {
        if (b->size == 0)
                return;
        char last = b->data[b->size - 1];
        if (last != '{' && last != '[' && last != ':' && last != '\n' && last != ',')
                buffer_add_char(b, ',');
}

void json_put_object_begin(Buffer *b) {
        separate(b);
        buffer_add_char(b, '{');
}

void json_put_object_end(Buffer *b) {
        buffer_add_char(b, '}');
}

void json_put_array_begin(Buffer *b) {
        separate(b);
        buffer_add_char(b, '[');
}

void json_put_array_end(Buffer *b) {
        buffer_add_char(b, ']');
}

void json_put_key(Buffer *b, const char *key) {
        size_t n = strlen(key);

        separate(b);
        char *p = buffer_reserve(b, n + 3);
        p[0] = '"';
        memcpy(p + 1, key, n);
        p[n + 1] = '"';
        p[n + 2] = ':';
        p[n + 3] = 0;
        b->size += n + 3;
}

/* Whether one of eight bytes is a quote, a backslash or a control character: bit 7 of a byte is set in a difference if it was
 * smaller, and bytes beyond ASCII are none of these. */
static bool needs_escape(uint64_t eight) {
        const uint64_t each = UINT64_C(0x0101010101010101), high = each << 7;
        uint64_t quote = eight ^ each * '"', backslash = eight ^ each * '\\';

        return ((eight - each * 0x20) | (quote - each) | (backslash - each)) & ~eight & high;
}

static char *put_escaped(char *p, unsigned char c) {
        static const char digits[] = "0123456789abcdef";

        if (c == '"' || c == '\\') {
                *p++ = '\\';
                *p++ = (char) c;
        } else if (c >= 0x20) {
                *p++ = (char) c;
        } else if (c == '\n' || c == '\t') {
                *p++ = '\\';
                *p++ = c == '\n' ? 'n' : 't';
        } else {
                memcpy(p, "\\u00", 4);
                p[4] = digits[c >> 4];
                p[5] = digits[c & 15];
                p += 6;
        }
        return p;
}

void json_put_string_n(Buffer *b, const char *s, size_t n) {
        separate(b);
        char *start = buffer_reserve(b, 6 * n + 2), *p = start;
        *p++ = '"';
        while (n > 0) {
                uint64_t eight;
                size_t k = MIN(n, sizeof(eight));

                if (k == sizeof(eight) && (memcpy(&eight, s, k), !needs_escape(eight)))
                        p = mempcpy(p, &eight, k);
                else
                        for (size_t i = 0; i < k; i++)
                                p = put_escaped(p, (unsigned char) s[i]);
                s += k;
                n -= k;
        }
        *p++ = '"';
        *p = 0;
        b->size += (size_t) (p - start);
}

void json_put_string(Buffer *b, const char *s) {
        if (s)
                json_put_string_n(b, s, strlen(s));
        else
                json_put_null(b);
}

void json_put_int(Buffer *b, int64_t v) {
        char text[24], *p = text + sizeof(text);
        uint64_t u = v < 0 ? -(uint64_t) v : (uint64_t) v;

        separate(b);
        do
                *--p = (char) ('0' + u % 10);
        while (u /= 10);
        if (v < 0)
                *--p = '-';
        buffer_add(b, p, (size_t) (text + sizeof(text) - p));
}

void json_put_bool(Buffer *b, bool v) {
        separate(b);
        buffer_add_string(b, v ? "true" : "false");
}

void json_put_null(Buffer *b) {
        separate(b);
        buffer_add(b, "null", 4);
}

static void put_quoted(Buffer *b, const char *s, size_t n) {
        separate(b);
        char *p = buffer_reserve(b, n + 2);
        *p++ = '"';
        p = mempcpy(p, s, n);
        *p++ = '"';
        *p = 0;
        b->size += n + 2;
}

void json_put_time(Buffer *b, Usec t) {
        char text[TIME_TEXT_SIZE];

        if (t == USEC_NONE) {
                json_put_null(b);
                return;
        }
        time_text(t, text);
        put_quoted(b, text, strlen(text));
}

void json_put_id(Buffer *b, Id id) {
        char text[ID_TEXT_SIZE];
        put_quoted(b, id_text(id, text), ID_TEXT_SIZE - 1);
}

void json_put_raw(Buffer *b, const char *json, size_t n) {
        if (n == 0) {
                json_put_null(b);
                return;
        }
        separate(b);
        buffer_add(b, json, n);
}

void json_put_key_string(Buffer *b, const char *key, const char *s) {
        json_put_key(b, key);
        json_put_string(b, s);
}

void json_put_key_int(Buffer *b, const char *key, int64_t v) {
        json_put_key(b, key);
        json_put_int(b, v);
}

void json_put_key_bool(Buffer *b, const char *key, bool v) {
        json_put_key(b, key);
        json_put_bool(b, v);
}

void json_put_key_null(Buffer *b, const char *key) {
        json_put_key(b, key);
        json_put_null(b);
}

void json_put_key_time(Buffer *b, const char *key, Usec t) {
        json_put_key(b, key);
        json_put_time(b, t);
}

void json_put_key_id(Buffer *b, const char *key, Id id) {
        json_put_key(b, key);
        json_put_id(b, id);
}

void json_put_key_raw(Buffer *b, const char *key, const char *json, size_t n) {
        json_put_key(b, key);
        json_put_raw(b, json, n);
}

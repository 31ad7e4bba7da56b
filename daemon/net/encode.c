/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/text.h"
#include "daemon/model/unicode.h"
#include "daemon/net/encode.h"

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/* =?UTF-8?B? and ?= around at most 60 characters of base64: at most 75 are allowed. */
enum { WORD_AROUND = 12, WORD_TEXT = 60, PLAIN_PARAMETER_MAX = 48, SEGMENT_MAX = 54 };

bool text_is_header(const char *s) {
        size_t n = strlen(s);

        for (size_t i = 0; i < n;) {
                uint32_t code = 0;
                size_t k = utf8_next(s + i, n - i, &code);
                if (k == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
                    text_char_noncharacter(code))
                        return false;
                i += k;
        }
        return true;
}

void base64_add(Buffer *b, const void *data, size_t n) {
        const uint8_t *p = data;
        char *to = buffer_reserve(b, (n + 2) / 3 * 4 + 1), *start = to;

        for (; n >= 3; n -= 3, p += 3) {
                *to++ = digits64[p[0] >> 2];
                *to++ = digits64[(p[0] & 3) << 4 | p[1] >> 4];
                *to++ = digits64[(p[1] & 15) << 2 | p[2] >> 6];
                *to++ = digits64[p[2] & 63];
        }
        if (n > 0) {
                uint8_t second = n > 1 ? p[1] : 0;
                *to++ = digits64[p[0] >> 2];
                *to++ = digits64[(p[0] & 3) << 4 | second >> 4];
                *to++ = n > 1 ? digits64[(second & 15) << 2] : '=';
                *to++ = '=';
        }
        *to = 0;
        b->size += (size_t) (to - start);
}

void base64_add_lines(Buffer *b, const void *data, size_t n) {
        const char *p = data;

        for (; n > 0; p += BASE64_LINE) {
                size_t k = MIN(n, (size_t) BASE64_LINE);
                base64_add(b, p, k);
                buffer_add(b, "\r\n", 2);
                n -= k;
        }
}

static bool is_ascii(const char *s) {
        for (; *s; s++)
                if ((unsigned char) *s >= 0x80)
                        return false;
        return true;
}

/* The column after the buffer's last character; a line's first has column 0. */
static size_t column(const Buffer *b) {
        const char *last = b->size > 0 ? memrchr(b->data, '\n', b->size) : NULL;

        return last ? b->size - (size_t) (last + 1 - b->data) : b->size;
}

/* Bytes of whole characters at s that base64 makes at most room characters of. */
static size_t whole_characters(const char *s, size_t n, size_t room) {
        size_t fits = 0, most = room / 4 * 3;

        while (fits < n) {
                size_t k = utf8_next(s + fits, n - fits, NULL);
                if (k == 0 || fits + k > most)
                        break;
                fits += k;
        }
        return fits;
}

/* Encoded words from the current column on, each but the first on a line of its own; lines of at most `most`. */
static void add_words(Buffer *b, const char *s, size_t most) {
        size_t n = strlen(s), used = column(b);

        while (n > 0) {
                size_t room = used + WORD_AROUND < most ? most - used - WORD_AROUND : 0;
                size_t k = whole_characters(s, n, MIN(room, (size_t) WORD_TEXT));
                if (k > 0) {
                        buffer_add_string(b, "=?UTF-8?B?");
                        base64_add(b, s, k);
                        buffer_add_string(b, "?=");
                        s += k;
                        n -= k;
                }
                if (n > 0)
                        buffer_add_string(b, "\r\n ");
                used = 1;
        }
}

/* Can the text stand as it is, folded at single blanks, and be read back the same? */
static bool can_fold(const char *s, size_t first) {
        size_t word = 0, used = first;

        if (!is_ascii(s) || strstr(s, "=?") || strstr(s, "  ") || *s == ' ' || (*s && s[strlen(s) - 1] == ' '))
                return false;
        for (; *s; s++) {
                word = *s == ' ' ? 0 : word + 1;
                if (used + word > HEADER_LINE_MAX)
                        return false;
                if (*s == ' ')
                        used = 1;
        }
        return true;
}

void header_add_text(Buffer *b, const char *name, const char *text) {
        buffer_printf(b, "%s:", name);
        if (*text)
                buffer_add_char(b, ' ');
        if (!can_fold(text, column(b)))
                add_words(b, text, HEADER_LINE_MAX);
        else
                while (*text) {
                        size_t k = strcspn(text + 1, " ") + 1;   /* with the blank before it, but for the first */
                        if (column(b) + k > HEADER_LINE_MAX)
                                buffer_add_string(b, "\r\n");
                        buffer_add(b, text, k);
                        text += k;
                }
        buffer_add_string(b, "\r\n");
}

static void add_quoted(Buffer *b, const char *s) {
        buffer_add_char(b, '"');
        for (; *s; s++) {
                if (*s == '"' || *s == '\\')
                        buffer_add_char(b, '\\');
                buffer_add_char(b, *s);
        }
        buffer_add_char(b, '"');
}

void header_add_mailbox(Buffer *b, const char *name, const char *display, const char *address) {
        buffer_printf(b, "%s:", name);
        if (!str_empty(display)) {
                buffer_add_char(b, ' ');
                /* Quotes double at most what is in them. Programs that decode words even in quotes are many. */
                if (is_ascii(display) && !strstr(display, "=?") && column(b) + 2 + 2 * strlen(display) <= HEADER_LINE_MAX)
                        add_quoted(b, display);
                else
                        add_words(b, display, HEADER_LINE_MAX);
        }
        size_t brackets = str_empty(display) ? 0 : 2;
        if (column(b) + 1 + strlen(address) + brackets > HEADER_LINE_MAX)
                buffer_add_string(b, "\r\n");
        buffer_printf(b, brackets ? " <%s>\r\n" : " %s\r\n", address);
}

/* Short, and made of nothing that any reader treats as special. */
static bool is_plain_parameter(const char *s) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._-+,()";

        return *s && strspn(s, plain) == strlen(s) && strlen(s) <= PLAIN_PARAMETER_MAX && *s != ' ' && s[strlen(s) - 1] != ' ' &&
               !strstr(s, "  ");
}

void parameter_add_words(Buffer *b, const char *name, const char *value) {
        buffer_printf(b, ";\r\n %s=\"", name);
        if (is_plain_parameter(value))
                buffer_add_string(b, value);
        else
                add_words(b, value, HEADER_LINE_MAX - 2);        /* a quote and a semicolon follow */
        buffer_add_char(b, '"');
}

/* Appends as many whole characters as make at most SEGMENT_MAX of percent encoding; returns their bytes. */
static size_t add_segment(Buffer *b, const char *s) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
        size_t n = strlen(s), taken = 0, start = b->size;

        while (taken < n) {
                size_t k = utf8_next(s + taken, n - taken, NULL);
                if (b->size - start + 3 * k > SEGMENT_MAX)
                        break;
                for (size_t i = 0; i < k; i++, taken++)
                        if (strchr(plain, s[taken]))
                                buffer_add_char(b, s[taken]);
                        else
                                buffer_printf(b, "%%%02X", (unsigned char) s[taken]);
        }
        return taken;
}

void parameter_add_2231(Buffer *b, const char *name, const char *value) {
        _cleanup_(buffer_done) Buffer segment = {};
        size_t k;

        if (is_plain_parameter(value)) {
                buffer_printf(b, ";\r\n %s=\"%s\"", name, value);
                return;
        }
        k = add_segment(&segment, value);
        if (!value[k]) {
                buffer_printf(b, ";\r\n %s*=UTF-8''%s", name, buffer_string(&segment));
                return;
        }
        for (unsigned i = 0; *value; i++, value += k) {
                buffer_clear(&segment);
                k = add_segment(&segment, value);
                buffer_printf(b, ";\r\n %s*%u*=%s%s", name, i, i == 0 ? "UTF-8''" : "", buffer_string(&segment));
        }
}

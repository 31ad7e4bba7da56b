/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/text.h"

size_t utf8_next(const char *s, size_t n, uint32_t *ret_code) {
        const unsigned char *u = (const unsigned char *) s;
        uint32_t code, least;
        size_t length;

        if (n == 0)
                return 0;
        if (u[0] < 0x80) {
                if (ret_code)
                        *ret_code = u[0];
                return 1;
        }
        if (u[0] >= 0xc2 && u[0] <= 0xdf)
                length = 2, code = u[0] & 0x1f, least = 0x80;
        else if ((u[0] & 0xf0) == 0xe0)
                length = 3, code = u[0] & 0x0f, least = 0x800;
        else if (u[0] >= 0xf0 && u[0] <= 0xf4)
                length = 4, code = u[0] & 0x07, least = 0x10000;
        else
                return 0;
        if (n < length)
                return 0;
        for (size_t i = 1; i < length; i++) {
                if ((u[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | (u[i] & 0x3f);
        }
        if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
                return 0;
        if (ret_code)
                *ret_code = code;
        return length;
}

bool utf8_valid(const char *s, size_t n) {
        for (size_t i = 0; i < n;) {
                uint64_t eight;         /* most text is ASCII: eight bytes at a time */
                if (n - i >= sizeof(eight)) {
                        memcpy(&eight, s + i, sizeof(eight));
                        if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                                i += sizeof(eight);
                                continue;
                        }
                }
                size_t k = utf8_next(s + i, n - i, NULL);
                if (k == 0)
                        return false;
                i += k;
        }
        return true;
}

size_t utf8_length(const char *s) {
        size_t n = 0;
        for (; *s; s++)
                n += ((unsigned char) *s & 0xc0) != 0x80;
        return n;
}

size_t utf8_encode(uint32_t code, char ret[4]) {
        if (code < 0x80) {
                ret[0] = (char) code;
                return 1;
        }
        if (code < 0x800) {
                ret[0] = (char) (0xc0 | code >> 6);
                ret[1] = (char) (0x80 | (code & 0x3f));
                return 2;
        }
        if (code < 0x10000) {
                ret[0] = (char) (0xe0 | code >> 12);
                ret[1] = (char) (0x80 | (code >> 6 & 0x3f));
                ret[2] = (char) (0x80 | (code & 0x3f));
                return 3;
        }
        ret[0] = (char) (0xf0 | code >> 18);
        ret[1] = (char) (0x80 | (code >> 12 & 0x3f));
        ret[2] = (char) (0x80 | (code >> 6 & 0x3f));
        ret[3] = (char) (0x80 | (code & 0x3f));
        return 4;
}

void text_copy_cut(char *to, size_t size, const char *from) {
        size_t n = strlen(from);
        if (n >= size) {
                n = size - 1;
                while (n > 0 && ((unsigned char) from[n] & 0xc0) == 0x80)
                        n--;
        }
        memcpy(to, from, n);
        to[n] = 0;
}

static bool is_disturbing(uint32_t c) {
        return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || (c >= 0x202a && c <= 0x202e) ||
               (c >= 0x2066 && c <= 0x2069) || (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);
}

void text_escape_controls(Buffer *b, const char *s, size_t n) {
        for (size_t i = 0; i < n;) {
                uint32_t code;
                size_t k = utf8_next(s + i, n - i, &code);
                if (k == 0) {
                        buffer_printf(b, "\\x%02x", (unsigned char) s[i++]);
                        continue;
                }
                if (!is_disturbing(code))
                        buffer_add(b, s + i, k);
                else if (code < 0x100)
                        buffer_printf(b, "\\x%02x", code);
                else
                        buffer_printf(b, "\\u{%04x}", code);
                i += k;
        }
}

bool language_is(const char *tag, const char *language) {
        if (!tag)
                return false;
        while (*language && ascii_lower(*tag) == *language)
                tag++, language++;
        return !*language && (!*tag || *tag == '-');
}

bool number_parse(const char *s, uint64_t max, uint64_t *ret) {
        uint64_t v = 0;

        if (str_empty(s))
                return false;
        for (; *s; s++) {
                if (*s < '0' || *s > '9')
                        return false;
                unsigned digit = (unsigned) (*s - '0');
                if (v > (max - MIN(max, (uint64_t) digit)) / 10)
                        return false;
                v = v * 10 + digit;
        }
        if (v > max)
                return false;
        *ret = v;
        return true;
}

int names_find(const char *const *names, const char *s) {
        for (int i = 0; names[i]; i++)
                if (strcmp(names[i], s) == 0)
                        return i;
        return -1;
}

void names_join(Buffer *b, const char *const *names) {
        for (size_t i = 0; names[i]; i++)
                buffer_printf(b, "%s%s", i == 0 ? "" : names[i + 1] ? ", " : " or ", names[i]);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Bytes and UTF-8 without tables: what daemon and clients both need. What needs Unicode's data is in
 * daemon/model/unicode.h. */

#include "common/buffer.h"

/* Length in bytes of the valid UTF-8 sequence at s (n bytes are there), 0 if there is none. Overlong forms,
 * surrogates and values above U+10FFFF are not valid. *ret_code may be NULL. */
size_t utf8_next(const char *s, size_t n, uint32_t *ret_code);
bool utf8_valid(const char *s, size_t n);                        /* a NUL inside is valid here */
size_t utf8_length(const char *s);                               /* code points of a valid string */
size_t utf8_encode(uint32_t code, char ret[4]);                  /* bytes written */

/* Copies as much of a valid string as fits in size bytes with its NUL, cut between characters. */
void text_copy_cut(char *to, size_t size, const char *from);

/* Appends s with what could disturb a line or a terminal shown as \\xNN or \\u{NNNN}: C0, DEL, C1, line and
 * paragraph separator, the bidi controls, noncharacters (which no message on the bus can hold), and bytes that are no
 * UTF-8. */
void text_escape_controls(Buffer *b, const char *s, size_t n);

static inline char ascii_upper(char c) {
        return c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
}

static inline char ascii_lower(char c) {
        return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

/* Whether a tag (BCP 47: de, de-CH, DE) is of this language, given in lower case, whatever its script and region. NULL is of none. */
bool language_is(const char *tag, const char *language);

/* Whole numbers, ASCII digits alone, no sign, no blanks. false if it is none or above max. */
bool number_parse(const char *s, uint64_t max, uint64_t *ret);

/* One name of a NULL-terminated table: its index, or -1. Exact. */
int names_find(const char *const *names, const char *s);
void names_join(Buffer *b, const char *const *names);            /* "a, b or c" */

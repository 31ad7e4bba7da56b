/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An id: 128 random bits, shown as 32 lower-case hex digits. */

#include "common/macro.h"

typedef struct Id {
        uint8_t bytes[16];
} Id;

enum { ID_TEXT_SIZE = 33, ID_PREFIX_MIN = 6 };

Id id_new(void);                                                 /* from random_bytes() */
char *id_text(Id id, char ret[ID_TEXT_SIZE]);                    /* returns ret */
bool id_parse(const char *s, Id *ret);                           /* exactly 32 lower- or upper-case hex digits */
bool id_is_prefix(const char *s);                                /* 6..31 hex digits */
static inline bool id_equal(Id a, Id b) {
        return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

void hex_text(const uint8_t *bytes, size_t n, char *ret);        /* 2n digits and a NUL */
bool hex_parse(const char *s, size_t n, uint8_t *ret);           /* exactly n digits of either case, n even: n / 2 bytes */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A growing run of bytes, always followed by a NUL that does not count. Initialise with {}. */

#include <stdarg.h>
#include "common/memory.h"

typedef struct Buffer {
        char *data;          /* owned; NULL while empty */
        size_t size, capacity;
        bool secret;         /* see BUFFER_SECRET */
} Buffer;

/* The initialiser of one for a key, a password, a token, a code or a text that tells one: it lives in memory_secret_new()
 * memory, and every copy that it leaves behind while it grows is wiped, as the last one is. Not for buffer_take(). */
#define BUFFER_SECRET ((Buffer) { .secret = true })

void buffer_done(Buffer *b);                                     /* frees; the buffer is empty again */
void buffer_clear(Buffer *b);                                    /* keeps the memory */
void buffer_grow(Buffer *b, size_t n);                           /* buffer_reserve() where there is no room */
void buffer_add(Buffer *b, const void *data, size_t n);
void buffer_add_string(Buffer *b, const char *s);
void buffer_printf(Buffer *b, const char *format, ...) _printf_(2, 3);
char *buffer_take(Buffer *b);                                    /* a string, never NULL, owned by the caller */
const char *buffer_string(const Buffer *b);                      /* "" while empty */
/* The same in an arena, and the buffer is freed. */
char *buffer_into(Buffer *b, Arena *a);

/* Room for n more bytes and the NUL; returns where they go. These two are here because every byte of a list goes through them. */
static inline char *buffer_reserve(Buffer *b, size_t n) {
        if (b->capacity - b->size < n + 1)
                buffer_grow(b, n);
        return b->data + b->size;
}

static inline void buffer_add_char(Buffer *b, char c) {
        char *p = buffer_reserve(b, 1);
        p[0] = c;
        p[1] = 0;
        b->size++;
}

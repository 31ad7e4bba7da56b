/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/memory.h"

void buffer_done(Buffer *b) {
        if (b->secret)
                memory_secret_free(b->data, b->capacity);
        else
                free(b->data);
        *b = (Buffer) { .secret = b->secret };
}

void buffer_clear(Buffer *b) {
        if (b->secret && b->data)
                explicit_bzero(b->data, b->capacity);
        b->size = 0;
        if (b->data)
                b->data[0] = 0;
}

static char *grow_secret(const Buffer *b, size_t capacity) {
        char *data = memory_secret_new(capacity);
        if (b->size > 0)
                memcpy(data, b->data, b->size);
        memory_secret_free(b->data, b->capacity);
        return data;
}

void buffer_grow(Buffer *b, size_t n) {
        size_t capacity = MAX(b->capacity * 2, b->size + n + 64);

        b->data = b->secret ? grow_secret(b, capacity) : memory_grow(b->data, capacity);
        b->capacity = capacity;
}

void buffer_add(Buffer *b, const void *data, size_t n) {
        char *p = buffer_reserve(b, n);
        if (n > 0)
                memcpy(p, data, n);
        p[n] = 0;
        b->size += n;
}

void buffer_add_string(Buffer *b, const char *s) {
        buffer_add(b, s, strlen(s));
}

void buffer_printf(Buffer *b, const char *format, ...) {
        char *room = buffer_reserve(b, 64);
        va_list ap, again;

        va_start(ap, format);
        va_copy(again, ap);
        size_t left = b->capacity - b->size;
        int n = vsnprintf(room, left, format, ap);
        assert(n >= 0);
        if ((size_t) n >= left)
                vsnprintf(buffer_reserve(b, (size_t) n), (size_t) n + 1, format, again);
        va_end(again);
        va_end(ap);
        b->size += (size_t) n;
}

char *buffer_take(Buffer *b) {
        assert(!b->secret);
        char *s = b->data ? b->data : memory_strdup("");
        *b = (Buffer) {};
        return s;
}

const char *buffer_string(const Buffer *b) {
        return b->data ? b->data : "";
}

char *buffer_into(Buffer *b, Arena *a) {
        char *s = arena_strdup(a, buffer_string(b));
        buffer_done(b);
        return s;
}

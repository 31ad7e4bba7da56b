/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/memory.h"

typedef struct Block Block;
struct Block {
        Block *next;
        size_t size, used;
        bool secret;                         /* came from memory_secret_new() */
        max_align_t data[];
};

struct Arena {
        Block *head;
        size_t total;
        bool secret;
};

enum { BLOCK_SIZE = 8000 };

static _noreturn_ void out_of_memory(void) {
        static const char text[] = "tenantd: out of memory\n";
        (void) !write(STDERR_FILENO, text, sizeof(text) - 1);
        _exit(71);
}

void *memory_new(size_t size) {
        void *p = calloc(1, size ? size : 1);
        if (!p)
                out_of_memory();
        return p;
}

void *memory_grow(void *p, size_t size) {
        p = realloc(p, size ? size : 1);
        if (!p)
                out_of_memory();
        return p;
}

char *memory_strdup(const char *s) {
        if (!s)
                return NULL;
        char *copy = strdup(s);
        if (!copy)
                out_of_memory();
        return copy;
}

static size_t whole_pages(size_t size) {
        size_t page = (size_t) sysconf(_SC_PAGESIZE);
        return (MAX(size, (size_t) 1) + page - 1) / page * page;
}

void *memory_secret_new(size_t size) {
        size_t n = whole_pages(size);
        void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
                out_of_memory();
        (void) madvise(p, n, MADV_DONTDUMP);
        (void) mlock(p, n);
        return p;
}

void memory_secret_free(void *p, size_t size) {
        if (!p)
                return;
        explicit_bzero(p, whole_pages(size));
        (void) munmap(p, whole_pages(size));
}

Arena *arena_new(void) {
        return memory_new(sizeof(Arena));
}

void arena_free(Arena *a) {
        if (!a)
                return;
        for (Block *b = a->head, *next; b; b = next) {
                next = b->next;
                if (b->secret)
                        memory_secret_free(b, sizeof(Block) + b->size);
                else if (a->secret)
                        explicit_bzero(b, sizeof(Block) + b->size), free(b);
                else
                        free(b);
        }
        free(a);
}

void arena_keep_secret(Arena *a) {
        /* What is left of the block that is in use would be in a core dump. */
        if (!a->secret && a->head)
                a->head->used = a->head->size;
        a->secret = true;
}

void *arena_alloc(Arena *a, size_t size) {
        size = (MAX(size, (size_t) 1) + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
        if (!a->head || a->head->size - a->head->used < size) {
                size_t room = MAX(size, (size_t) BLOCK_SIZE);
                Block *b = a->secret ? memory_secret_new(sizeof(Block) + room) : malloc(sizeof(Block) + room);
                if (!b)
                        out_of_memory();
                *b = (Block) { .next = a->head, .size = room, .secret = a->secret };
                a->head = b;
        }
        void *p = (char *) a->head->data + a->head->used;
        a->head->used += size;
        a->total += size;
        return memset(p, 0, size);
}

char *arena_strndup(Arena *a, const char *s, size_t n) {
        char *copy = arena_alloc(a, n + 1);
        memcpy(copy, s, n);
        return copy;
}

char *arena_strdup(Arena *a, const char *s) {
        return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_vprintf(Arena *a, const char *format, va_list ap) {
        char small[256];                     /* most are: they are formatted once */
        va_list again;

        va_copy(again, ap);
        int n = vsnprintf(small, sizeof(small), format, again);
        va_end(again);
        assert(n >= 0);
        if ((size_t) n < sizeof(small)) {
                char *copy = arena_strndup(a, small, (size_t) n);
                if (a->secret)
                        explicit_bzero(small, sizeof(small));
                return copy;
        }
        char *s = arena_alloc(a, (size_t) n + 1);
        vsnprintf(s, (size_t) n + 1, format, ap);
        if (a->secret)
                explicit_bzero(small, sizeof(small));
        return s;
}

char *arena_printf(Arena *a, const char *format, ...) {
        va_list ap;
        va_start(ap, format);
        char *s = arena_vprintf(a, format, ap);
        va_end(ap);
        return s;
}

size_t arena_size(const Arena *a) {
        return a->total;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Memory. An allocation that fails ends the process (exit 71): nothing acknowledged is lost by that, and no
 * line of the daemon has to be right in a state that cannot be tested. Sizes that a caller chooses are limited
 * before they come here.
 *
 * An Arena is the memory of one call, one task or one test: allocate freely, free once. */

#include <stdarg.h>
#include "common/macro.h"

void *memory_new(size_t size) _warn_unused_;                     /* zeroed; owned by the caller */
void *memory_grow(void *p, size_t size) _warn_unused_;           /* like realloc */
char *memory_strdup(const char *s) _warn_unused_;                /* NULL gives NULL */

/* For keys, passwords and codes: whole pages of their own, which no core dump takes and, as far as the limits of the process
 * allow, no swap; zeroed, and wiped before they are given back. size as it was asked for. */
void *memory_secret_new(size_t size) _warn_unused_;
void memory_secret_free(void *p, size_t size);                   /* NULL is taken */

static inline void freep(void *p) {
        extern void free(void *);
        free(*(void **) p);
}

typedef struct Arena Arena;

Arena *arena_new(void) _warn_unused_;
void arena_free(Arena *a);
DEFINE_CLEANUP(Arena, arena_free)

void *arena_alloc(Arena *a, size_t size) _warn_unused_;          /* zeroed, aligned for any type */
char *arena_strdup(Arena *a, const char *s);                     /* NULL gives NULL */
char *arena_strndup(Arena *a, const char *s, size_t n);
char *arena_printf(Arena *a, const char *format, ...) _printf_(2, 3);
char *arena_vprintf(Arena *a, const char *format, va_list ap) _printf_(2, 0);
size_t arena_size(const Arena *a);                               /* bytes handed out so far */
/* From here on it holds a secret: what is allocated lives in memory as above, and everything is wiped when it is freed. */
void arena_keep_secret(Arena *a);

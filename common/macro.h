/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Small words of the language that C lacks. Everything here is a macro or an inline function. */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))
#undef MIN
#undef MAX
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* The pointer's value; the variable is NULL afterwards: ownership has moved. */
#define TAKE_PTR(p)                              \
        ({                                       \
                __typeof__(p) *_pp = &(p);       \
                __typeof__(p) _taken = *_pp;     \
                *_pp = NULL;                     \
                _taken;                          \
        })
#define TAKE_FD(fd)                              \
        ({                                       \
                int *_fdp = &(fd);               \
                int _taken = *_fdp;              \
                *_fdp = -1;                      \
                _taken;                          \
        })

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _warn_unused_ __attribute__((warn_unused_result))
#define _noreturn_ __attribute__((noreturn))

/* DEFINE_CLEANUP(Buffer, buffer_free) makes buffer_freep() for _cleanup_(buffer_freep) Buffer *b = NULL. */
#define DEFINE_CLEANUP(type, function)                          \
        static inline void function##p(type **p) {              \
                if (*p)                                         \
                        function(*p);                           \
        }

static inline bool str_equal(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

static inline bool str_empty(const char *s) {
        return !s || !*s;
}

static inline bool str_starts(const char *s, const char *prefix) {
        return strncmp(s, prefix, strlen(prefix)) == 0;
}

static inline void closep(int *fd) {
        if (*fd >= 0)
                close(*fd);
}

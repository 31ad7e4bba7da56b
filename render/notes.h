/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a workbook could not hold as it was: told to the caller and, on a sheet of its own, to the reader. */

#include "common/buffer.h"

enum { NOTES_MAX = 100 };                    /* listed one by one; the others are counted */

typedef struct Note {
        char *place;                         /* "customers!C17"; owned */
        char *text;                          /* owned */
} Note;

typedef struct Notes {
        Note list[NOTES_MAX];
        size_t n;                            /* listed */
        uint64_t total;
} Notes;

void notes_done(Notes *n);
void notes_add_cut(Notes *n, const char *sheet, const char *cell, const char *column, size_t units);
void notes_json(const Notes *n, Buffer *ret);                    /* [{"code":"text-cut","message":…}] */

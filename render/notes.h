/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a document could not hold as it was: told to the caller and, in a workbook, on a sheet of its own to the reader. */

#include "common/buffer.h"

enum {
        NOTES_MAX = 100,                     /* listed one by one; the others are counted */
        NOTES_GLYPHS_MAX = 20,
};

typedef struct Note {
        const char *code;                    /* text-cut, chart-cut */
        char *place;                         /* "customers!C17"; owned */
        char *text;                          /* owned */
} Note;

typedef struct Notes {
        Note list[NOTES_MAX];
        size_t n;                            /* listed */
        uint64_t total;
        uint32_t glyphs[NOTES_GLYPHS_MAX];   /* characters that no font has */
        size_t n_glyphs;
} Notes;

void notes_done(Notes *n);
void notes_add_cut(Notes *n, const char *sheet, const char *cell, const char *column, size_t units);
void notes_add_chart(Notes *n, const char *sheet, int64_t drawn, int64_t rows);
void notes_add_glyph(Notes *n, uint32_t character);              /* once each */
void notes_json(const Notes *n, Buffer *ret);                    /* [{"code":"text-cut","message":…}] */

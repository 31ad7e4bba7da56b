/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which columns of a table are cut, and how far, where a terminal is too narrow for it. Widths are a terminal's cells; they need
 * a locale of UTF-8. */

#include <stdbool.h>
#include <stddef.h>

typedef struct FitColumn {
        size_t width;                        /* of its widest cell, the heading's too; fit_columns() makes it less */
        size_t least;                        /* it is never cut below this: the digits of a number, an id; 0: to any */
        bool is_name;                        /* what people look for: it is cut when the others have given what they can */
        bool is_time;                        /* keeps its date as long as the others keep a word */
} FitColumn;

/* gap: cells between two columns. What cannot fit stays too wide. */
void fit_columns(FitColumn *columns, size_t n, size_t gap, size_t width);

size_t fit_width(const char *text);
/* text, or what of it fits into width, with an ellipsis: NULL if it fits as it is, else the caller's. */
char *fit_cut(const char *text, size_t width);

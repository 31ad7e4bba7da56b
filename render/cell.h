/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a workbook can hold, and how a value is written so that it is read back as it was. Pure. */

#include "common/buffer.h"
#include "common/clock.h"

enum {
        CELL_UNITS_MAX = 32767,              /* UTF-16 units in one cell */
        SHEET_NAME_UNITS_MAX = 31,
        CELL_WIDTH_MAX = 60,                 /* of a column, in characters */
};

/* The serial number of the first day that all programs count alike: 1900-03-01. */
enum { SERIAL_FIRST = 61 };

/* Appends a valid text (which may hold NULs) as cell content: the workbook's own escape _xHHHH_ is used for what XML
 * cannot carry and for text that looks like such an escape. Longer ones are cut at a code point and end in '…'.
 * Returns true if it was cut; *ret_units (may be NULL) is then the length it had. */
bool cell_text(Buffer *b, const char *text, size_t n, size_t *ret_units);

/* Bytes of the text that fit into a cell, with room for the ellipsis if not all of it does. */
size_t cell_fitting(const char *text, size_t n, size_t *ret_units);

/* true if the number must be text to stay what it is: a whole number above 2^53, or no finite double. Else *ret. */
bool cell_number_is_text(const char *number, double *ret);

/* Days since 1899-12-30, with the time of day as fraction. false before 1900-03-01 and after 9999-12-31. */
bool cell_serial(Usec local, double *ret);

/* Display columns of the longest line, at most CELL_WIDTH_MAX; wide characters count two. */
int cell_width(const char *text, size_t n);

/* The n-th sheet of that name: mended to what sheets may be called, "NAME (2)" from the second on. */
void cell_sheet_name(Buffer *b, const char *name, unsigned n);
bool cell_sheet_names_equal(const char *a, const char *b);       /* ASCII without case */

char *cell_reference(uint32_t row, unsigned column, char ret[16]);   /* both from 0; "C17"; returns ret */

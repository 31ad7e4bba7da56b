/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sections from a descriptor become a workbook, each on a sheet of its own, or on several if it has too many rows. The document goes where streams_open() was told. */

#include "common/buffer.h"
#include "common/problem.h"

typedef struct BookResult {
        int64_t rows;
        unsigned sheets;                     /* with the notes */
        Buffer warnings;                     /* JSON array of {"code","message"}; book_result_done() frees it */
} BookResult;

/* Refusals: bad-input, row-too-long, too-many-columns, too-many-rows. The result is set only when 0 is returned. */
int book_write(int in_fd, BookResult *ret, Problem *problem);
void book_result_done(BookResult *r);

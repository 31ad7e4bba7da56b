/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sections from a descriptor become a pdf. They are read three times: to learn what is there, to count the pages, and
 * to draw them; so what comes through a pipe is put into a file first, and no rows are kept in memory. */

#include "common/buffer.h"
#include "common/problem.h"
#include "render/ink.h"

typedef struct PagesResult {
        int64_t rows;
        unsigned pages;
        Buffer warnings;                     /* JSON array of {"code","message"}; pages_result_done() frees it */
} PagesResult;

typedef struct PagesPlace {
        int in_fd, out_fd;
        int spool_fd;                        /* an empty file */
        Ink *ink;
} PagesPlace;

/* Refusals: bad-input, row-too-long, too-many-columns, too-many-sections, too-big, wrong-type, bad-image. */
int pages_write(const PagesPlace *place, PagesResult *ret, Problem *problem);
void pages_result_done(PagesResult *r);

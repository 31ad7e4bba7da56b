/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A section's rows on paper: as a table whose header is repeated on every page, or as a list of facts. */

#include "render/chart.h"
#include "render/paper.h"

/* What has been learned of a section before any of it is drawn. */
typedef struct Section {
        Header header;
        int64_t position, line;              /* where its rows begin; the header's line */
        int64_t rows;
        double *lines, *words;               /* owned; by column: the widest, in size 1 */
        ChartData chart;
} Section;

bool section_landscape(const Section *s);

/* Reads the section's rows again, once for every group of columns. notes may be NULL: texts that were cut. */
int table_draw(Paper *p, Section *s, Rows *rows, Problem *problem);
double table_least_height(Paper *p, Section *s);                 /* its header and a row */

/* Appends the value of a column as it is shown, cut to what a cell may hold. Returns true if it was cut. */
bool table_cell(const Words *w, Header *h, size_t column, Value *v, Buffer *ret);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A section's chart in a workbook: it refers to the cells of its sheet. */

#include <xlsxwriter.h>

#include "render/header.h"

typedef struct BookChart {
        lxw_workbook *workbook;
        lxw_worksheet *sheet;
        const Header *header;
        uint32_t rows;                       /* of the sheet, below its header */
} BookChart;

/* Beside the table. *ret_column and *ret_row: the last cell that it covers. */
int book_chart_add(const BookChart *c, lxw_col_t *ret_column, lxw_row_t *ret_row);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* CSV, in and out, by rules.md §2 and §4 of the design: RFC 4180 made strict where it is vague. Pure over bytes. */

#include "common/buffer.h"
#include "common/problem.h"

enum { CSV_SIZE_MAX = 64 << 20, CSV_COLUMNS_MAX = 1024 };

typedef struct CsvFile CsvFile;
typedef struct CsvRecord {
        int64_t line;                /* physical line on which the record starts, from 1 */
        const char **cells;          /* n_cells strings, trimmed, formula quote taken off */
        size_t n_cells;              /* of this record; above CSV_COLUMNS_MAX: text stands behind them */
        bool has_nul;                /* a NUL stood in a cell: a fault of this line */
} CsvRecord;

/* Decodes UTF-8 (mark allowed) or UTF-16 with mark; finds delimiter ("sep=X" line, else the one of , ; TAB | that
 * splits the header into most fields outside quotes); checks the quoting of the whole file. Refusals are
 * InvalidArgument: not-utf8 (line, byte offset and the iconv line to type), bad-quoting (line), too-big, empty-file,
 * too-many-columns (of the header). The header's cells are in csv_header(). bytes must live as long as the CsvFile. */
int csv_open(Arena *a, const char *bytes, size_t n, CsvFile **ret, Problem *problem);
const CsvRecord *csv_header(const CsvFile *f);
char csv_delimiter(const CsvFile *f);
/* 1: a record was read into *ret (cells in the arena given), 0: end. Blank records are skipped. Cannot fail: quoting
 * was checked at csv_open. A cursor is a plain number: 0 is the first record after the header. */
int csv_next(const CsvFile *f, size_t *cursor, Arena *a, CsvRecord *ret);

/* Out: comma, CR LF, quoted where needed. With guard, one ' is put before text that starts with = + - @ TAB CR, or
 * with a run of ' followed by one of these. */
void csv_cell(Buffer *b, bool first, const char *text, size_t n, bool guard);
void csv_end_record(Buffer *b);

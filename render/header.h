/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The first line of a table's input: what the rows behind it are.
 *
 *   {"sheet":"customers","columns":[{"name":"organization","type":"text"},…],
 *    "zone":{"name":"Europe/Berlin","offsets":[[from_epoch_seconds,offset_seconds],…]},
 *    "properties":{"title":"…","author":"…","company":"…","created":"2026-12-01T12:00:00Z"}}
 *
 * zone (default UTC) and properties may be missing; offsets ascend, and the first one also counts before its time. */

#include "common/clock.h"
#include "common/problem.h"

enum { HEADER_COLUMNS_MAX = 1024, HEADER_OFFSETS_MAX = 10000 };

typedef enum CellType {
        CELL_TEXT,
        CELL_INT,
        CELL_BOOL,
        CELL_TIME,           /* RFC 3339, shown in the zone */
        CELL_LIST,
        CELL_JSON,
        CELL_DATE,           /* YYYY-MM-DD, a civil date of no zone */
        CELL_ID,
        _CELL_TYPE_MAX,
} CellType;

typedef struct HeaderColumn {
        const char *name;
        CellType type;
} HeaderColumn;

typedef struct HeaderOffset {
        int64_t from;        /* seconds since the epoch */
        int64_t offset;      /* seconds east of UTC */
} HeaderOffset;

typedef struct Header {
        Arena *arena;        /* owns everything below */
        const char *sheet;
        HeaderColumn *columns;
        size_t n_columns;
        const char *zone;
        HeaderOffset *offsets;
        size_t n_offsets, last;      /* last: where the time before was found */
        const char *title, *author, *company;        /* NULL: none */
        Usec created;                /* USEC_NONE: not told */
} Header;

int header_read(Header *ret, const char *line, size_t n, Problem *problem);
void header_done(Header *h);

Usec header_local(Header *h, Usec t);        /* the zone's civil time at t, read as if it were UTC */

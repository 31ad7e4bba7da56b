/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The first line of a section: what the rows behind it are. A document has one section or more.
 *
 *   {"sheet":"customers","columns":[{"name":"organization","type":"text","label":"Organization"},…],
 *    "zone":{"name":"Europe/Berlin","offsets":[[from_epoch_seconds,offset_seconds],…]},
 *    "properties":{"title":"…","author":"…","company":"…","created":"2026-12-01T12:00:00Z"},
 *    "heading":"…","facts":true,
 *    "chart":{"kind":"stacked-bars","title":"…","x":"day","series":["finished","failed"]},
 *    "document":{"title":"…","partner":"…","customer":"…","data_date":"2026-12-01","language":"de",
 *                "logo":"base64 of a PNG or JPEG","symbol":"…"}}
 *
 * All but sheet and columns may be missing. offsets ascend, and the first one also counts before its time; a section
 * without a zone has the first section's, the first one UTC. properties and document count in the first section only.
 * label (default: the name with blanks for '_') is what a pdf shows, heading too. A section of facts has two columns,
 * by default the texts label and value, and is shown as a list; its rows may also be written as objects
 * {"label":…,"value":…}. A chart is drawn from the section's rows: x is a column of any type, series are columns of type
 * int whose nulls are gaps. language is "de" or anything else, which is English. */

#include "common/clock.h"
#include "common/problem.h"

enum { HEADER_COLUMNS_MAX = 1024, HEADER_OFFSETS_MAX = 10000, HEADER_SERIES_MAX = 24 };

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
        const char *label;
        CellType type;
} HeaderColumn;

typedef struct HeaderOffset {
        int64_t from;        /* seconds since the epoch */
        int64_t offset;      /* seconds east of UTC */
} HeaderOffset;

typedef enum ChartKind {
        CHART_STACKED_BARS,
        CHART_LINES,
        CHART_BARS,
        _CHART_KIND_MAX,
        CHART_NONE = -1,
} ChartKind;

typedef struct HeaderChart {
        ChartKind kind;
        const char *title;           /* NULL: none */
        size_t x;                    /* columns, from 0 */
        size_t series[HEADER_SERIES_MAX];
        size_t n_series;             /* 1 or more */
} HeaderChart;

typedef struct HeaderPicture {
        const uint8_t *data;         /* NULL: none */
        size_t size;
} HeaderPicture;

typedef struct HeaderDocument {
        const char *title, *partner, *customer;      /* NULL: none */
        const char *language;        /* "en" unless given */
        Usec date;                   /* of the data; USEC_NONE: not told */
        HeaderPicture logo, symbol;
} HeaderDocument;

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
        const char *heading;         /* NULL: none */
        bool facts;
        HeaderChart chart;
        HeaderDocument document;
} Header;

int header_read(Header *ret, const char *line, size_t n, Problem *problem);
int header_read_at(Header *ret, const char *line, size_t n, int64_t number, Problem *problem);   /* number: of the line */
void header_inherit(Header *h, const Header *first);             /* the zone, if h tells none */
void header_done(Header *h);

/* What stands in the document's properties: the data's date, else created, else a fixed day. Never the present. */
Usec header_date(const Header *first);
const char *header_title(const Header *first);                   /* of the document; never NULL */

Usec header_local(Header *h, Usec t);        /* the zone's civil time at t, read as if it were UTC */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What can be listed: one Dataset per kind (customers, views, operations, operation items, tasks, reports, audit),
 * and its columns. The same table serves List, Query, exports, selectors, sorting and the header of a workbook. */

#include "common/macro.h"

typedef enum ColumnType {
        COLUMN_ID,           /* 16 bytes, shown as hex */
        COLUMN_TEXT,
        COLUMN_ENUM,         /* a word of names */
        COLUMN_INT,
        COLUMN_BOOL,
        COLUMN_TIME,         /* microseconds, shown as RFC 3339 UTC */
        COLUMN_LIST,         /* JSON array of strings, stored as it leaves */
        COLUMN_JSON,         /* any other JSON, stored as it leaves */
} ColumnType;

enum {
        C_SORT = 1,          /* can be sorted by */
        C_FILTER = 2,        /* a selector field */
        C_INDEXED = 4,       /* sorted by an index; others are sorted by reading everything, on a worker if that takes long */
        C_HIDDEN = 8,        /* only when asked for by name, never part of "all columns" */
        C_EXPORT = 16,       /* a column of the kind's report, in this table's order of exports */
};

typedef struct Column {
        const char *name;                    /* = JSON key = selector field = header */
        ColumnType type;
        unsigned flags;
        const char *const *names;            /* COLUMN_ENUM: the words, NULL-terminated */
} Column;

typedef struct Dataset {
        const char *kind;                    /* "customers" */
        const Column *columns;               /* ends with name NULL; the order of a whole JSON object */
        const char *const *export_columns;   /* names, in the order of the report; NULL-terminated; NULL: no report */
        const char *const *list_columns;     /* tenantctl's default text columns; NULL-terminated */
        const char *default_sort;            /* as written in a query: "organization", "-n" … */
} Dataset;

const Dataset *dataset_find(const char *kind);                   /* NULL if unknown */
const Column *dataset_column(const Dataset *d, const char *name);/* NULL if unknown */

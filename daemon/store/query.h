/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one way from a question of a caller to rows: what is listed, exported, counted or picked for a bulk operation
 * is compiled here from a selector, and the caller's scope joins it. Compiling is pure and belongs to no connection: a
 * Query may run on the loop's connection first and, stopped there, on a worker's. It lives in the arena given.
 *
 * Nothing that came from outside is ever part of the SQL text: names are looked up in tables, values are bound. */

#include "common/buffer.h"
#include "common/clock.h"
#include "common/id.h"
#include "common/problem.h"
#include "daemon/model/dataset.h"
#include "daemon/model/selector.h"

typedef struct Db Db;
typedef struct Query Query;

typedef struct QueryRequest {
        const Dataset *dataset;
        const char *const *columns;          /* names; n_columns 0: all that are not hidden */
        size_t n_columns;
        const char *selector;                /* NULL: none; "" is refused like any selector that is empty */
        const char *search;                  /* customers: part of the organization's name; NULL or blank: none */
        const char *sort;                    /* "FIELD" or "-FIELD"; NULL: the dataset's */
        const char *cursor;                  /* the ret_next of the page before; NULL: from the start */
        int64_t limit;                       /* rows at most; 0: no limit. PAGE_MAX is the caller's to check */
        Usec since, until;                   /* [since, until) of the dataset's time (created; audit: time); 0: open */
        int64_t uid;                         /* who asks: pinned, and whose cursor it is */
        int64_t parent;                      /* items: the operation's internal key */
        const Selector *scope;               /* what the caller may see: checked against customers; NULL: everything */
        SelectorGroups groups;               /* those that the selector may name */
} QueryRequest;

/* Under a scope, customers are those within it; rows with a customer (items, reports, messages, audit …) those of such a
 * customer, and those of the caller's own that have none; operations, tasks and schedules the caller's own; report templates
 * the caller's own and those that name no customers; views all.
 * Refusals, all InvalidArgument: bad-selector, unknown-column, doubled-column, not-sortable, bad-cursor, no-search. */
int query_compile(Arena *a, const QueryRequest *request, Query **ret, Problem *problem);
/* The same rows in the same order, for query_ids(). */
int query_compile_ids(Arena *a, const QueryRequest *request, Query **ret, Problem *problem);

const char *query_sql(const Query *q);                           /* the text alone says how long it may take */
bool query_is_unindexed(const Query *q);                         /* sorts everything it finds before the first row */
size_t query_columns(const Query *q);
const Column *query_column(const Query *q, size_t i);

typedef enum QueryFormat {
        QUERY_ARRAY,         /* [{…},{…}] */
        QUERY_LINES,         /* one object a line */
        QUERY_ROWS,          /* one array a line: the values alone, in the order of the columns */
        QUERY_CSV,           /* header and records, no byte order mark */
} QueryFormat;

/* A page of query_run() may end before its limit, where its rows are very long: only *ret_next tells whether there are more.
 *
 * All of these: 0 done, < 0 a fault; -ETIME: stopped by the connection's limit, nothing was appended or returned, to be
 * repeated where there is more time. *ret_next (may be NULL) is NULL after the last row, else owned by the caller. */
int query_run(Db *db, const Query *q, QueryFormat format, Buffer *out, char **ret_next);

/* Whether the scope lets the row through that has this internal key: 1, or 0. */
int query_in_scope(Db *db, Arena *a, const QueryRequest *request, int64_t n);

/* The row with this id, all columns that are not hidden, as one JSON object: 1, or 0 if there is none. Its statement is
 * compiled at the first call on a connection and kept. Without a scope, like its request. */
int query_one(Db *db, const Dataset *d, Id id, int64_t uid, Buffer *out);

/* For answers of any size. The callback's result, if not 0, ends it and is returned. */
typedef int (*QuerySink)(void *userdata, const char *bytes, size_t n);
int query_stream(Db *db, const Query *q, QuerySink row, void *userdata);     /* one JSON object a call, no line end */
int query_pour(Db *db, const Query *q, QueryFormat format, QuerySink chunk, void *userdata);   /* about 64 KiB a call */

typedef struct QueryKey {
        int64_t n;                           /* internal key */
        Id id;                               /* zero where rows have none */
} QueryKey;

/* At most max keys, which must be at least the request's limit. */
int query_ids(Db *db, const Query *q, QueryKey *ret, size_t max, size_t *ret_n, char **ret_next);
int query_count(Db *db, const Query *q, int64_t *ret);           /* of all pages */

/* The SQL functions that queries use: text_key(x), address_key(x), text_has(x, part). For every connection. 0 or -EIO. */
struct sqlite3;
int query_register(struct sqlite3 *connection);

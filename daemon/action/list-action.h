/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reading: lists, pages, counts and single objects of every kind, all through the one query compiler. These may run
 * on the loop or on a worker; -ETIME from the loop's means: repeat it on a worker. */

#include "daemon/action/action.h"
#include "daemon/store/query.h"

/* A question of the caller's, within the scope of the call, with the groups it names. All questions from outside go through here. */
int list_compile(Context *c, QueryRequest *q, Query **ret, Problem *problem);
/* The internal keys it finds, at most max. */
int list_keys(Context *c, const QueryRequest *q, QueryKey *ret, size_t max, size_t *ret_n);

/* A page: {rows array} into *answer, the next page's cursor into *ret_next (in the arena; "" after the last). */
int list_page(Context *c, const Dataset *d, const Request *request, Buffer *answer, const char **ret_next, Problem *problem);
/* Everything, as JSON lines or CSV (request->format), poured into a sink: for a worker. */
int list_all(Context *c, const Dataset *d, const Request *request, QuerySink sink, void *userdata, Problem *problem);
int list_count(Context *c, const Dataset *d, const Request *request, int64_t *ret, Problem *problem);
/* 1: there is a row with this id that the caller may see; 0: there is none. */
int list_has(Context *c, const Dataset *d, Id id);
/* One whole row by its id, as the object that show prints. 1 with NotFound if there is none. */
int list_one(Context *c, const Dataset *d, Id id, Buffer *answer, Problem *problem);

/* The customers that a selector picks, in the order they were made. want_keys false: their number alone, 0 if counting
 * takes longer than a call may. */
int list_select(Context *c, const char *selector, bool want_keys, int64_t **ret_keys, size_t *ret_n, Problem *problem);

/* The query of an export: columns, selector and so on from its fields; checked. */
int list_export_query(Context *c, const Dataset *d, const Dict *fields, Query **ret, Problem *problem);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Verbs that take several customers: one named is changed in the call, more (or a selector, even if it matches one)
 * make an operation, whose slices run the same function an item. */

#include "daemon/action/action.h"
#include "daemon/store/operation-store.h"

typedef struct ItemResult {
        Id id;
        int64_t customer, revision;
        const char *organization;
        const char *before, *after;          /* JSON or NULL */
        const char *reason;                  /* an import's: exists …; NULL: made or changed */
} ItemResult;

typedef int (*ItemAction)(Context *c, int64_t customer, const Request *request, ItemResult *ret, Problem *problem);

typedef struct BulkVerb {
        const char *verb;                    /* "customer.edit"; NULL ends a table */
        ItemAction item;
} BulkVerb;

const BulkVerb *bulk_verb_find(const BulkVerb *table, const char *verb);     /* NULL: not in it */

/* The call. options may hold selector. */
int bulk_change(Context *c, const BulkVerb *verb, const Request *request, Buffer *answer, Problem *problem);

/* What a dry run tells: how many, and of the first ten and of every refusal what would come of it. Of very many refusals
 * only those are shown that an answer has room for. Begins with {}. */
typedef struct DryRun {
        int64_t count, refused;
        Buffer items;
        bool cut;                            /* not all refusals are shown */
} DryRun;
void dry_run_item(DryRun *d, DryItem item);                      /* n is its own */
/* And frees what it holds. */
void dry_run_answer(const Context *c, const char *verb, DryRun *d, Buffer *answer);

/* The dry run of a call over many: whom it is about is found out by reading, on a worker; then it goes in slices on the
 * loop, as the operation would. */
typedef struct BulkDryRun {
        const BulkVerb *verb;
        int64_t *keys;                       /* in the arena of the context */
        size_t n, next;
        DryRun told;
} BulkDryRun;
bool bulk_is_about_many(const Request *request);
/* More than are looked up on the loop: to be done before, on a worker, for request->keys and unresolved. */
bool bulk_names_many(const Request *request);
int bulk_resolve(Context *c, Request *request);
int bulk_dry_begin(Context *c, const BulkVerb *verb, const Request *request, BulkDryRun *ret, Problem *problem);
int bulk_dry_slice(BulkDryRun *d, Context *c, const Request *request, Usec time, bool *ret_done);

/* One item of a running operation: its savepoint, audit record and row; counts in *o. customer 0: the n-th reference. */
int bulk_item(Context *c, const BulkVerb *verb, Operation *o, const Request *request, int64_t customer);

/* Starts an operation with the request's fields; what retry and revert use too. */
typedef struct BulkOrder {
        const char *verb;
        const char *selector;                /* who; NULL: by keys */
        const int64_t *keys;                 /* NULL: those of another operation's items */
        size_t n;                            /* how many that are, as far as is known */
        int64_t retry_of;                    /* operation whose items that were not done these are; 0: none */
} BulkOrder;
int bulk_start(Context *c, const BulkOrder *order, const Request *request, Buffer *answer);

/* One item's outcome into its row and the operation's counts. */
int operation_record(Context *c, Operation *o, OperationItem *item, int result, const ItemResult *done, const Problem *problem);
/* The state of an operation whose last item has ended. */
const char *operation_end_state(const Operation *o);

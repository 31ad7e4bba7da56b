/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Operations: what one call started for many, with one row a finished item. */

#include "daemon/store/turn.h"

enum { OPERATION_FORMAT = 1 };
#define OPERATION_ARGUMENTS_ERASED "{\"erased\":true}"
#define OPERATION_ARGUMENTS_NONE "{}"        /* forgotten when it was over */

typedef struct Operation {
        int64_t n;
        Id id;
        const char *kind, *state;            /* kind: NOUN.VERB; state: running finished partially-failed failed canceled */
        int64_t done, total, ok, refused, failed, canceled;
        int64_t uid;
        const char *user, *behalf;
        Usec created, finished;
        bool cancel;
        int64_t format;
        const char *arguments;               /* JSON */
        const char *cursor;                  /* where the next slice goes on; NULL: at the begin */
        int64_t retry_of;                    /* n of the operation whose failed part this is; 0: none */
} Operation;

typedef struct OperationItem {
        int64_t n, line;                     /* n from 1; line 0: none */
        int64_t customer;                    /* 0: none */
        const Id *customer_id;
        const char *organization;
        const char *before, *after;          /* JSON or NULL */
        const char *outcome;                 /* ok refused failed canceled */
        const char *reason, *message;
        Usec finished;
} OperationItem;

int operation_insert(Db *db, Operation *o);                      /* sets n, id, state running */
int operation_load(Db *db, Arena *a, int64_t n, Operation *ret); /* 1 found, 0 not */
int operation_find(Db *db, Arena *a, Id id, Operation *ret);
int operation_item_insert(Db *db, const Operation *o, const OperationItem *item);
int operation_item_remove(Db *db, int64_t operation, int64_t n);
/* Writes the counts, total, cursor and state; tells subscribers by an effect. */
int operation_progress(Db *db, const Operation *o);
int operation_forget_arguments(Db *db, int64_t n);               /* of one that is over and cannot be repeated: they may name people */
int operation_cancel(Db *db, int64_t n);                         /* its next slice ends it */
/* Ends what runs although its task is dead: what was not done counts as canceled. */
int operation_abandon(Db *db, Usec now);
void operation_write_json(Buffer *b, const Operation *o);        /* the row of shapes, without items */

/* The customers of its items, in order: of those that were done, to revert them, or of the others, to try them again. */
int operation_customers(Db *db, Arena *a, int64_t operation, bool done, int64_t **ret, size_t *ret_n);
int operation_has_item(Db *db, int64_t operation, int64_t customer);      /* 1 yes, 0 no */
/* The ok item of a customer: n, before, after. 1 found, 0 not. */
int operation_item_of(Db *db, Arena *a, int64_t operation, int64_t customer, OperationItem *ret);
int operation_wants_file(Db *db, const char *path);              /* 1: one that runs has this file in the spool */
/* Of the oldest finished one so many items, and itself after its last. *ret_more becomes true: there is more. */
int operation_expire(Db *db, Usec before, int64_t max, bool *ret_more);
/* Takes names and values of a customer out of the items that tell of it, and the arguments out of their operations,
 * which can then not be repeated. */
int operation_items_erase(Db *db, int64_t customer, int64_t max, bool *ret_done);

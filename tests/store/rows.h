/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Customers as a test knows them: in plain structs, and stored. What a query must answer is computed from the structs
 * by code that shares nothing with the compiler but the search key of a text. */

#include "common/id.h"
#include "daemon/store/row.h"

enum { ROW_LIST_MAX = 4, TEST_UID = 1000 };

typedef struct Row {
        int64_t n;
        Id id;
        const char *organization, *account, *account_type, *cloud, *first_name, *last_name, *country, *phone;   /* NULL: unset */
        const char *tags[ROW_LIST_MAX], *services[ROW_LIST_MAX], *subscriptions[ROW_LIST_MAX], *recipients[ROW_LIST_MAX];
        const char *site;                    /* custom.site */
        const char *state, *mode, *status, *reason;
        bool hidden, verified, pinned;       /* pinned: by TEST_UID */
        int64_t tenants, open_tickets;
        int64_t next_expiration;             /* 0: unset */
        int64_t created;
} Row;

/* A database with n random customers in it, whose internal keys are 1..n. */
typedef struct Rows {
        char directory[64];
        Arena *arena;
        Db *db;
        Row *rows;
        size_t n;
        int64_t next_n;                      /* for customers that a test adds */
} Rows;

Rows *rows_new(size_t n);
void rows_free(Rows *r);
void rows_add(Rows *r, const Row *row);                          /* in a turn of its own */
void rows_seed(void);                                            /* random, or TEST_SEED; printed */

void row_randomize(Arena *a, Row *ret, int64_t n);
int row_insert(Db *db, const Row *row);
int row_delete(Db *db, const Row *row);

/* A list as JSON. */
const char *row_list_json(Arena *a, const char *const *items);

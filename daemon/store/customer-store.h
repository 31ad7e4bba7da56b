/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Customers as they are kept: the customer's row and its children (tags, custom fields, symbol, pins). */

#include "daemon/model/customer.h"
#include "daemon/store/turn.h"

/* 1 found, 0 not. */
int customer_load(Db *db, Arena *a, int64_t n, Customer **ret);
int customer_find_id(Db *db, Id id, int64_t *ret_n);
int customer_find_account(Db *db, const char *account_key, int64_t *ret_n);

/* Those that the address belongs to: as registered account, or as recipient of a delivery. At most max. */
int customer_has_address(Db *db, int64_t n, const char *address_key);        /* 1: it is one of those that customer_of_address() finds */
int customer_of_address(Db *db, const char *address_key, int64_t *ret_n, size_t max, size_t *ret_count);

/* All addresses of a customer, of its account, its deliveries and its contacts: a JSON array. */
int customer_addresses(Db *db, Arena *a, int64_t n, const char **ret);
/* 1: it is a contact of another customer than this. */
int customer_other_contact(Db *db, int64_t n, const char *address_key);

/* Up to max internal keys, by exact organization or by id prefix (hex digits); returns how many there are, max + 1 if more. */
int customer_find_organization(Db *db, const char *organization, int64_t *ret_n, size_t max);
int customer_find_prefix(Db *db, const char *prefix, int64_t *ret_n, size_t max);
/* Names near a text, for "did you mean": organizations whose key begins like it, then those that contain it. */
int customer_near(Db *db, Arena *a, const char *key, const char **ret_names, size_t max);

int customer_insert(Db *db, Customer *c);                        /* sets c->n */
/* Writes what differs from old, and the new revision (old's plus one). */
int customer_update(Db *db, const Customer *old, Customer *new);

int customer_symbol_put(Db *db, int64_t n, const void *bytes, size_t size);     /* size 0: none any more */
int customer_symbol_get(Db *db, int64_t n, Buffer *ret);         /* 1 found, 0 none */

int customer_pin(Db *db, int64_t uid, int64_t n, Usec when);     /* pinned already: stays at its place */
int customer_unpin(Db *db, int64_t uid, int64_t n);

/* Rewrites the stored columns that are computed from other tables. Called in the savepoint that changed an input. */
int customer_refresh(Db *db, int64_t n);

/* Those whose grace period is over, oldest first. */
int customer_due_for_erasure(Db *db, Usec now, int64_t *ret_n, size_t max, size_t *ret_count);
/* The row, its children and what other tables say about it, except the audit's values; id goes to the erasure record. */
int customer_erase(Db *db, int64_t n, Usec now, Usec backups_until);
int erasure_complete(Db *db, Usec now);                          /* after VACUUM: all open erasure records are complete */
int erasure_newest(Db *db, int64_t *ret);                        /* n of the last erasure record; 0: there is none */
int erasures_open(Db *db, int64_t *ret);                         /* how many are not complete yet */

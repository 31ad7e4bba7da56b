/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reports that were made: what they are and where their file is. */

#include "daemon/store/turn.h"

typedef struct Report {
        int64_t n;
        Id id;
        const char *kind, *format, *file_name;
        const char *path;                    /* relative to the state directory */
        int64_t rows, bytes;
        uint8_t sha256[32];
        const char *data_date;
        Usec created;
        int64_t task;                        /* n of the task that made it */
        const char *warnings;                /* JSON array of sentences */
        int64_t owner;
        int64_t customer;                    /* whose report it is; 0: not one customer's */
        const char *template;                /* name of the template it was made by; NULL: an export */
        const Id *schedule;                  /* NULL: not by one */
        int64_t run;                         /* 0: not by one */
} Report;

int report_insert(Db *db, Report *r);                            /* sets n; id is the caller's */
int report_find(Db *db, Arena *a, Id id, Report *ret);           /* 1 found, 0 not */
int report_find_task(Db *db, Arena *a, int64_t task, Report *ret);
int report_wants_file(Db *db, const char *path);                 /* 1: it is one's own, 0: nobody's */
int report_is_file(Db *db, const char *path, const uint8_t sha256[32]);      /* 1: as it was written, too */
int report_load(Db *db, Arena *a, int64_t n, Report *ret);
/* Rows older than that; their files go by effects after the commit. */
int report_expire(Db *db, const char *state, Usec before, int64_t max, bool *ret_more);      /* true: there are more */
int report_erase_customer(Db *db, Arena *a, const char *state, int64_t customer);

/* Who gets it. States: queued (a message is on its way), sent, waiting-verification, suppressed, failed. */
typedef struct Recipient {
        int64_t report, n;
        const char *address, *address_key;
        int64_t customer;                    /* whose rules decide: the address belongs to it; 0: nobody's */
        const char *state, *reason;
        int64_t message;                     /* 0: none */
} Recipient;

int recipient_insert(Db *db, Recipient *r, Usec now);            /* sets n */
int recipient_is_one(Db *db, int64_t report, const char *address_key);
int recipient_set(Db *db, const Recipient *r, Usec now);         /* state, reason, message */
int recipient_by_message(Db *db, Arena *a, int64_t message, Recipient *ret);     /* 1 found, 0 not */
/* Those of reports made since then that wait for this address to be verified, at most max. */
int recipient_waiting(Db *db, Arena *a, int64_t customer, const char *address_key, Usec since, Recipient *ret, size_t max, size_t *ret_n);
int recipient_expire_waiting(Db *db, Usec before, Usec now);     /* failed, not-verified */

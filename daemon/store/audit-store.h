/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The audit: records chained by hash. digest = SHA-256(salt, before, after); chain = SHA-256(chain before, header,
 * digest). The values stand in a table of their own, so that a customer's can be erased and the chain still holds; a seal stands for them then. */

#include "common/seal.h"
#include "daemon/store/turn.h"

typedef struct AuditRecord {
        Usec time;
        int64_t uid;
        const char *user, *behalf;           /* behalf NULL: for oneself */
        const char *verb;                    /* "customer.edit" */
        const char *object;                  /* id as text, or NULL */
        const char *outcome;                 /* ok, refused, failed */
        const char *code;                    /* of the refusal, or NULL */
        const char *request_id;
        const Id *operation;                 /* NULL: a call of its own */
        int64_t customer;                    /* whose values these are; 0: nobody's */
        const char *before, *after;          /* JSON, or NULL */
} AuditRecord;

int audit_append(Db *db, const AuditRecord *record);
int audit_newest(Db *db, Usec *ret);                             /* the time of the newest record; USEC_NONE: there is none */

typedef struct AuditVerdict {
        int64_t records, first, last;        /* how many were looked at, their numbers */
        int64_t broken;                      /* number of the first broken one; 0: none */
        int64_t erased;                      /* records whose values were erased */
        int64_t expired, checkpoints;        /* records that were kept long enough; what stands for them */
        const char *why;                     /* static string */
} AuditVerdict;
/* Reads the whole chain and its seals: for a worker. */
int audit_verify(Db *db, AuditVerdict *ret);

/* What is older than before, from the begin of the chain on as far as that goes: sealed as a checkpoint, then deleted, at most max at
 * a time. *ret_more becomes true: there is more. */
int audit_expire(Db *db, Usec before, Usec now, int64_t max, bool *ret_more);
/* The newest record's number and hash, in hex. 0: there is none; 1. */
int audit_head(Db *db, Arena *a, int64_t *ret_n, const char **ret_hash);

/* Removes the values of one customer's records, at most max, and seals that it did; *ret_done: there are none left. */
int audit_erase_values(Db *db, int64_t customer, int64_t max, bool *ret_done);
/* The same of all records of one object (its id as text). */
int audit_erase_object(Db *db, const char *object);
/* Under another key, as audit_reseal(). */
int audit_erasures_reseal(Db *db, const Key *old, const Key *new);

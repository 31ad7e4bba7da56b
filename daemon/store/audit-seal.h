/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Both ends of the audit's chain, sealed with the key. The head is the newest record as of the last commit: without its seal
 * the newest records could be cut off, and what is left would hold. A checkpoint stands for the records through its number,
 * which are expired: the chain goes on from it. */

#include "common/crypt.h"
#include "common/seal.h"
#include "daemon/store/turn.h"

typedef struct AuditLink {
        int64_t n;                           /* 0: before the first record */
        uint8_t chain[SHA256_SIZE];
} AuditLink;

/* In the turn of key_open(): seals the head of a database that is new. One that is not has lost it, and verifying tells. */
int audit_seal_begin(Db *db);
/* The last step of a turn that appended records. Where the head is not what was sealed, it is not sealed anew: what was done to
 * it shall be seen. */
int audit_seal_head(Db *db);
/* Under another key, in a turn; refuses (-EBADMSG) what does not hold under the old one. */
int audit_reseal(Db *db, const Key *old, const Key *new);

/* The end of the chain, read in the transaction: nothing in memory mirrors it. Where all records are expired, the checkpoint. */
int audit_newest_link(Db *db, AuditLink *ret);
int audit_checkpoint_newest(Db *db, AuditLink *ret);             /* n 0: there is none */
int audit_checkpoint_put(Db *db, const AuditLink *link, int64_t count, Usec now);

/* What takes the place of values that were erased: nobody else can have taken them away. record: its number and its digest. */
const Key *audit_seal_key(const Db *db);                         /* NULL: a reader that has none */
void audit_erasure_seal(const Key *key, const AuditLink *record, uint8_t ret[KEYED_HASH_SIZE]);

/* What verifying stands on. Without a key (see key_lend()) seals are not looked at. */
typedef struct AuditSeals {
        AuditLink from, head;
        bool sealed;                         /* head counts */
        int64_t checkpoints;
        int64_t broken;                      /* number of a record whose checkpoint or seal is wrong; 0: none */
        const char *why;                     /* static string */
} AuditSeals;
int audit_seals_read(Db *db, AuditSeals *ret);

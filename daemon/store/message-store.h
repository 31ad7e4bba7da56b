/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The outbox: one message for one target. States: queued (due at next_attempt), sending, delivered, dead. Everything
 * that a mail says is fixed when its row is made. */

#include "common/seal.h"
#include "daemon/store/turn.h"

typedef struct OutMessage {
        int64_t n;
        Id id;
        const char *event;                   /* report, schedule, verification … */
        const char *address, *address_key;
        const char *sender, *sender_name;    /* name NULL: none */
        const char *message_id;              /* without the angle brackets */
        const char *language, *subject;
        const char *body;                    /* NULL: sealed, or wiped after it was delivered */
        bool secret;                         /* of a new one: its body is kept sealed, and wiped when it has left */
        int64_t report, customer;            /* what is attached, and whose it is; 0: none */
        int64_t addressee;                   /* of a new one: another customer, whose address it is; 0: none */
        const char *state, *error;
        int64_t attempt;
        Usec next_attempt, created, delivered;
        Usec begun;                          /* created, or replayed last: tried for three days from here on */
} OutMessage;

int message_insert(Db *db, OutMessage *m);                          /* queued; sets n, id, message_id */
/* Takes the next due one: sending, attempt + 1, its body opened (secret, and NULL: it was sealed with another key or for another
 * place, or changed). The arena keeps a secret from then on. 1 taken, 0 there is none. */
int message_claim(Db *db, Arena *a, Usec now, OutMessage *ret);
int message_unclaim(Db *db, const OutMessage *m);                   /* nothing was tried: queued as before */
int message_load(Db *db, Arena *a, int64_t n, OutMessage *ret);     /* body NULL if it is sealed */
int message_find(Db *db, Arena *a, Id id, OutMessage *ret);
/* How many are due or being sent; of those that are due it counts to max. */
int message_work(Db *db, Usec now, int64_t max, int64_t *ret);
int message_waiting(Db *db, Usec now, int64_t max, int64_t *ret);   /* how many are due, counted to max */
int message_next_due(Db *db, Usec *ret);                         /* USEC_NONE: none is queued */

int message_delivered(Db *db, const OutMessage *m, Usec now);
int message_again(Db *db, const OutMessage *m, Usec due, const char *error);
int message_dead(Db *db, const OutMessage *m, const char *error, Usec now);
int message_replay(Db *db, const OutMessage *m, Usec now);          /* a dead one is queued anew */
int message_recover(Db *db);                                     /* at start: what was being sent is queued again */
/* Those about a customer or to an address of theirs, before its reports go; 1: a courier has some of them, which stay until it is back.
 * Below: ended ones. Their files in STATE/outbox-mail go after the commit. */
int message_erase_customer(Db *db, const char *state, int64_t customer);
int message_count_dead(Db *db, int64_t *ret);
/* Whatever is sealed, from one key to another. Of what the first cannot open, *ret_lost is counted and nothing changed. */
int message_reseal(Db *db, const Key *from, const Key *to, int64_t *ret_resealed, int64_t *ret_lost);
int message_expire(Db *db, const char *state, Usec before, int64_t max, bool *ret_more);            /* ended ones older than that */

/* Addresses that mail bounced from for good. */
int suppression_get(Db *db, Arena *a, const char *address_key, const char **ret_reason);     /* 1 it is one */
int suppression_put(Db *db, const char *address_key, const char *address, const char *reason, Usec now);
int suppression_lift(Db *db, const char *address_key);           /* 1 lifted, 0 it was none */
int suppression_erase_customer(Db *db, int64_t customer);        /* of its addresses; before they go themselves */
/* Whether a file of STATE/outbox-mail is of a message that is there, or not called as any. */
int message_wants_file(Db *db, const char *name);
/* Whether this message id was sent to this address by us. */
int message_was_sent(Db *db, const char *message_id, const char *address_key);

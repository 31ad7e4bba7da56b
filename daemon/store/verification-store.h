/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who proved that an address is theirs, for one customer: by a code or a link that was mailed to it. */

#include "common/seal.h"
#include "daemon/store/turn.h"

enum { VERIFICATION_SENT_MAX = 3 };

typedef struct Verification {
        int64_t customer;
        const char *address_key, *address;
        bool pending;                        /* a code was sent and not used up */
        uint8_t code[KEYED_HASH_SIZE];
        Usec expires;
        int64_t tries;                       /* wrong ones since the code was sent */
        Usec sent[VERIFICATION_SENT_MAX];    /* the newest first; 0: not */
        Usec verified;                       /* USEC_NONE: not yet */
} Verification;

int verification_get(Db *db, Arena *a, int64_t customer, const char *address_key, Verification *ret);   /* 1 found, 0 not */
/* A new code: tries begin anew, and what was verified stays so. */
int verification_put(Db *db, const Verification *v, const uint8_t link[KEYED_HASH_SIZE]);
int verification_tried(Db *db, const Verification *v);           /* one more wrong try */
int verification_done(Db *db, const Verification *v, Usec now);  /* verified; the code is gone */
/* When the last code that is still good ends; 0: there is none. */
int verification_last(Db *db, Usec now, Usec *ret);
int verification_forget(Db *db, int64_t customer, const char *address_key);
int verification_erase_customer(Db *db, int64_t customer);

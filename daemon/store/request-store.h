/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Remembered answers: what a changing call with a request_id was told, so that the same call again is told the same
 * and does nothing. Kept REQUEST_DAYS days. Answers hold ids and revisions only. */

#include "common/crypt.h"
#include "daemon/store/turn.h"

enum { REQUEST_DAYS = 30, REQUEST_FORMAT = 1, REQUEST_ID_MAX = 128 };

typedef struct RequestKey {
        int64_t uid;
        const char *behalf;                  /* "" for oneself */
        const char *method;                  /* "customer.edit" */
        const char *id;
} RequestKey;

typedef struct RequestAnswer {
        uint8_t digest[SHA256_SIZE];         /* of the arguments; of one that was found, what is kept of it: see request_is() */
        const char *kind, *code, *field;     /* of a refusal; kind NULL: it was done */
        const char *answer;                  /* JSON, if it was done */
} RequestAnswer;

int request_find(Db *db, Arena *a, const RequestKey *key, RequestAnswer *ret);   /* 1 found, 0 not */
/* Whether it was found for arguments of this digest. Of a digest only a keyed hash is kept: what a call tells in secret is short. */
bool request_is(const Db *db, const RequestAnswer *found, const uint8_t digest[SHA256_SIZE]);
int request_put(Db *db, const RequestKey *key, const RequestAnswer *answer, Usec now);
int request_expire(Db *db, Usec before, int64_t max, bool *ret_more);    /* *ret_more becomes true: there are more of them */

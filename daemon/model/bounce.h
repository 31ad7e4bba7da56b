/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Delivery status notifications (RFC 3464, 6533): what a mail server says came of a message. Anyone can write one, so
 * nothing in it is believed here; who reads it compares message id and address with what was sent. Pure. */

#include "common/problem.h"

enum { BOUNCE_BYTES_MAX = 1 << 20, BOUNCE_RECIPIENTS_MAX = 100 };

/* Texts are printable UTF-8, cut at 500 bytes, "" where the notification says nothing. */
typedef struct BounceRecipient {
        const char *final, *original;        /* addresses without their type and angle brackets; original: as it was sent to */
        const char *action;                  /* lower case: failed delayed delivered relayed expanded, or whatever stands there */
        const char *status;                  /* 5.1.1, without a comment */
        const char *diagnostic;              /* without its type */
} BounceRecipient;

typedef struct Bounce {
        const char *message_id;              /* of the returned message, without angle brackets; "" if it is not there */
        BounceRecipient *recipients;         /* those beyond BOUNCE_RECIPIENTS_MAX are left out */
        size_t n_recipients;                 /* at least 1 */
} Bounce;

/* Refused: too-big, or no-bounce (InvalidArgument) if it is no such notification. All of *ret is in the arena. */
int bounce_read(Arena *a, const char *data, size_t n, Bounce *ret, Problem *problem);

/* Does the address not exist, by what stands here: action failed, and 5.1.x as status or in the diagnostic? */
bool bounce_is_hard(const BounceRecipient *r);

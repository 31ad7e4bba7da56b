/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A new key: everything that the old one sealed is sealed with it, in the turn of the call. */

#include "daemon/action/action.h"

typedef struct Resealed {
        int64_t sealed, lost;                /* values; lost: could not be opened, and stay as they are */
        Usec codes_until;                    /* codes that were sent stay good until then; 0: none is on its way */
} Resealed;

/* After key_change_begin(), or where key_next() is there after key_open(). */
int key_reseal(Context *c, Resealed *ret);
/* Refused: no-new-key, rotation-running, too-many-rotations, unwritable. */
int admin_rotate_key(Context *c, const Request *request, Buffer *answer, Problem *problem);

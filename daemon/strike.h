/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What happens when the clock strikes: whether it is to be believed, and the runs that are due. */

#include "daemon/action/action.h"
#include "daemon/model/clock-guard.h"

typedef struct Strike {
        ClockGuard guard;
        Usec looked;                         /* into STATE/bounces, monotonic */
        bool more;                           /* the turn had enough: there is more due at once */
} Strike;

int strike_start(Strike *s, Context *c);     /* in the first turn: the clock against the newest row */
int strike(Strike *s, Context *c);           /* in a turn of the clock */
/* Looks at the clock, whatever turn it is: while it is held, nothing is created, and nothing is thrown away for its age. */
bool strike_is_held(Strike *s, Usec now);
Usec strike_next(const Strike *s, Db *db);   /* when it wants to strike again, in wall time; USEC_NONE: whenever */

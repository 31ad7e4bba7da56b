/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* When the wall clock is not to be believed. Pure: fed with the wall clock and the boot time (CLOCK_BOOTTIME, which counts
 * through a suspend) at every tick, read together; at least once a minute.
 *
 * After a forward jump of more than 25 hours the clock is held: nothing is created by it until it has gone on steadily for
 * ten minutes or an operator accepts it. Jumps are measured from the clock last believed, so that several smaller ones
 * within ten minutes count together, and a clock that comes back to where it was, from 1970 or from 2036, is believed at
 * once. At a start, a clock more than 32 days ahead of the newest row counts as such a jump. A jump back is never held; a
 * clock that has stayed back for ten minutes is the one believed, and its way forward is a jump like any other. */

#include "common/clock.h"

#define CLOCK_GUARD_JUMP (25 * USEC_HOUR)
#define CLOCK_GUARD_START (32 * USEC_DAY)
#define CLOCK_GUARD_HOLD (10 * USEC_MINUTE)
#define CLOCK_GUARD_STEADY USEC_MINUTE                   /* slewing and small corrections do not begin the wait anew */

typedef struct ClockGuard {
        Usec wall, boot;                                 /* of the newest tick */
        Usec limit;                                      /* a greater difference wall - boot is not believed */
        Usec steady, steady_since;                       /* the difference now, and since which boot time it is that */
        Usec held_since, released;                       /* wall time; boot time */
        bool held;
} ClockGuard;

/* newest is the newest time in the database, USEC_NONE if there is none. Both answer whether the clock is held. */
bool clock_guard_start(ClockGuard *g, Usec wall, Usec boot, Usec newest);
bool clock_guard_tick(ClockGuard *g, Usec wall, Usec boot);
void clock_guard_accept(ClockGuard *g);                  /* the clock as it was at the newest tick */

Usec clock_guard_held_until(const ClockGuard *g);        /* in wall time, if it goes on steadily; USEC_NONE: not held */
/* In wall time, while it is held and for one minute after: what fell due in between is not late. Else USEC_NONE. */
Usec clock_guard_held_since(const ClockGuard *g);

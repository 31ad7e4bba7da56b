/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which runs of a schedule have to be created now: what fell due since all was settled, by the missed-run policy. Pure.
 *
 *   latest  the newest due instant is queued, whatever lies before it is missed. If a zone's skipped date makes two
 *           occurrences due at that instant, both are queued.
 *   all     every one is queued.
 *   none    only what is on time is queued, all else is missed. On time is what fell due at most CATCH_UP_LATE ago, or
 *           while the clock was held (clock-guard.h) and at most CATCH_UP_HELD ago.
 *
 * A missed occurrence is one row; beyond the newest CATCH_UP_SINGLE the older ones are one row together. Rows come one by
 * one, oldest first: a caller may stop after any of them, keep its local time as settled, and begin anew later. */

#include "daemon/model/plan.h"

typedef enum MissedPolicy {
        MISSED_LATEST,
        MISSED_ALL,
        MISSED_NONE,
} MissedPolicy;

extern const char *const missed_policy_names[];          /* in that order, NULL at the end */
int missed_policy_parse(const char *text, MissedPolicy *ret, Problem *problem);

#define CATCH_UP_LATE USEC_MINUTE                        /* the clock ticks once a minute at least; a restart is shorter */
#define CATCH_UP_HELD (15 * USEC_MINUTE)
enum { CATCH_UP_SINGLE = 1000 };

typedef struct CatchUpFacts {
        PlanPoint settled;
        MissedPolicy policy;
        Usec now;
        Usec held_since;                                 /* clock_guard_held_since(); USEC_NONE: it was not held */
} CatchUpFacts;

typedef struct RunRow {
        CivilTime local;                                 /* of several: the newest one's */
        Usec due;
        bool queued;                                     /* else missed */
        int64_t count;                                   /* 1, or how many missed ones this row stands for */
} RunRow;

typedef struct CatchUp {
        const Plan *plan;                                /* both are borrowed */
        const Zone *zone;
        int64_t next, queue, end;                        /* numbers: what is to come, from where on it is queued */
} CatchUp;

void catch_up_begin(CatchUp *c, const Plan *p, const Zone *z, const CatchUpFacts *facts);
bool catch_up_next(CatchUp *c, RunRow *ret);             /* false: that was all */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The calendar of a schedule: which civil times it names, and at which instants they are due. Pure.
 *
 * Occurrences are numbered; each has a civil time of its own (local), which is its identity: (schedule, local) is the key
 * of its run, whatever clock and zone data do. local grows with the number. due is computed from it: the first instant at
 * which the zone's clock shows local or anything later. So a time in a gap is due at the first instant after the gap, one
 * in an overlap at its first pass, a civil date that a zone skips at the first instant after it; and due never falls as
 * local grows, but two occurrences can be due at one instant (a skipped date and the midnight after it). Who goes on from
 * an instant alone would lose the second of them, so what is settled is told by a PlanPoint, which holds the local time too.
 *
 * Nothing here walks from occurrence to occurrence: counting over centuries costs as much as over a day. */

#include "daemon/model/zone.h"

typedef enum PlanFrequency {
        PLAN_DAILY,
        PLAN_WEEKLY,
        PLAN_MONTHLY,
        PLAN_QUARTERLY,
        PLAN_YEARLY,
} PlanFrequency;

extern const char *const plan_frequency_names[];         /* in that order, NULL at the end */

typedef struct CivilDate {
        int year, month, day;                            /* 1..9999, 1..12, 1..31; a date that exists */
} CivilDate;

typedef struct PlanOn {
        enum {
                PLAN_ON_START,                           /* none was given: the start date says it */
                PLAN_ON_WEEKDAY,                         /* weekly */
                PLAN_ON_DAY,                             /* monthly, quarterly */
                PLAN_ON_DATE,                            /* yearly */
        } kind;
        int weekday;                                     /* 0 Monday .. 6 Sunday */
        int month, day;                                  /* 1..12; 1..31, in a shorter month its last day */
} PlanOn;

typedef struct Plan {
        PlanFrequency frequency;
        PlanOn on;
        int at;                                          /* minutes after midnight, 0..1439 */
        CivilDate start;                                 /* nothing before it; quarters count from its month */
        bool has_end;
        CivilDate end;                                   /* inclusive, a civil date of the zone like start */
} Plan;

enum { PLAN_TEXT_SIZE = 16 };

/* Words of the wire. Each refusal is InvalidArgument and names its field. */
int plan_frequency_parse(const char *text, PlanFrequency *ret, Problem *problem);
/* tuesday; day:1 .. day:31; MM-DD. NULL is none given. */
int plan_on_parse(PlanFrequency frequency, const char *text, PlanOn *ret, Problem *problem);
int plan_at_parse(const char *text, int *ret, Problem *problem);                                 /* HH:MM */
int plan_date_parse(const char *field, const char *text, CivilDate *ret, Problem *problem);      /* YYYY-MM-DD */
/* As shown: what the start date says where none was given. NULL for daily. Returns ret. */
const char *plan_on_text(const Plan *p, char ret[PLAN_TEXT_SIZE]);
char *plan_at_text(int at, char ret[PLAN_TEXT_SIZE]);
char *plan_date_text(const CivilDate *d, char ret[PLAN_TEXT_SIZE]);
/* What fits together and what does not: on and frequency, start and end. The rest of this header asks for a plan that
 * has passed. A plan without a single occurrence is allowed: it has ended. */
int plan_check(const Plan *p, Problem *problem);

/* The text of a run's key: 2026-12-01T12:00. */
char *local_text(const CivilTime *local, char ret[TIME_TEXT_SIZE]);
bool local_parse(const char *text, CivilTime *ret);

typedef struct Occurrence {
        CivilTime local;                                 /* of its own civil date: end, summaries and quiet hours go by it */
        Usec due;
        bool after_gap, first_pass;                      /* the note: local does not exist, or comes twice */
} Occurrence;

/* Up to where all is settled: an occurrence is after it if it is due after the instant and its local time is later too.
 * The instant is that of creation, resume or the last edit, the local time that of the newest run. Either keeps what is
 * settled settled when the clock goes back. A resume by hand may drop the local time: then a schedule that was settled far
 * into a wrong future works again, and the key of its runs still lets none be doubled. */
typedef struct PlanPoint {
        Usec instant;                                    /* USEC_NONE: no limit */
        bool has_local;
        CivilTime local;
} PlanPoint;

bool plan_next(const Plan *p, const Zone *z, const PlanPoint *after, Occurrence *ret);   /* false: none, it has ended */
int64_t plan_count(const Plan *p, const Zone *z, const PlanPoint *after, Usec until);    /* those of them due by until */

/* The same by numbers: [begin, end), and the occurrence of a number. Numbers hold as long as the plan is not edited. */
typedef struct PlanRange {
        int64_t begin, end;
} PlanRange;

PlanRange plan_range(const Plan *p, const Zone *z, const PlanPoint *after, Usec until);
void plan_occurrence(const Plan *p, const Zone *z, int64_t number, Occurrence *ret);
/* When a local time is due, anew: what is kept of an occurrence is its local time, and zone data may have changed. */
void occurrence_set(Occurrence *o, const Zone *z, const CivilTime *local);

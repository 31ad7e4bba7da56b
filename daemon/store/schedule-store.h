/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Schedules and their runs. A run is one occurrence: (schedule, local civil time) happens once. While it is queued its
 * task says how far it is: running, failed, skipped. */

#include "daemon/store/turn.h"

typedef struct Schedule {
        int64_t n;
        Id id;
        int64_t revision;
        const char *export;                  /* kind of export; NULL: a template's */
        int64_t template, customer;          /* internal keys; 0: none */
        const char *frequency, *at, *zone, *start, *end;        /* as shown; end NULL: none */
        const char *on, *on_shown;           /* as given, NULL: not; and as it follows from start then */
        const char *missed;                  /* latest all none */
        const char *recipients;              /* JSON array */
        const char *format, *columns, *selector, *file_name;    /* columns: JSON array or NULL */
        const char *state, *reason;          /* active paused ended */
        Usec next_due;                       /* USEC_NONE: nothing is due any more, or it is paused */
        Usec settled_due;                    /* nothing up to here is ever due */
        const char *settled_local;           /* civil time of the newest occurrence dealt with; NULL: none yet */
        int64_t owner;                       /* uid whose rights it runs with */
        Usec created;
} Schedule;

int schedule_find(Db *db, Arena *a, Id id, Schedule *ret);       /* 1 found, 0 not */
int schedule_load(Db *db, Arena *a, int64_t n, Schedule *ret);
int schedule_insert(Db *db, Schedule *s);                        /* sets n; revision 1 */
int schedule_update(Db *db, Schedule *s);                        /* the whole row; revision plus one */
int schedule_delete(Db *db, const Schedule *s);                  /* its runs too */
/* How far it is: next_due, settled_due, settled_local, state, reason. No new revision. */
int schedule_advance(Db *db, const Schedule *s);

/* The first whose time has come, at most max. */
int schedule_due(Db *db, Arena *a, Usec now, Schedule *ret, size_t max, size_t *ret_n);
int schedule_next_due(Db *db, Usec *ret);                        /* USEC_NONE: none */
/* Those of a template: of one owner, or (owner < 0) of anybody, at most max. */
int schedule_uses_template(Db *db, int64_t template, int64_t owner, Id *ret, size_t max, size_t *ret_n);
int schedule_of_others(Db *db, int64_t template, int64_t owner);             /* 1: some that use it are not this owner's */
/* Those of one customer alone whose n is greater than after, in its order. */
int schedule_of_customer(Db *db, Arena *a, int64_t customer, int64_t after, Schedule *ret, size_t max, size_t *ret_n);
/* The first one after n, in its order, that has this address among its recipients. 1 found, 0 not. */
int schedule_of_recipient(Db *db, Arena *a, const char *address_key, int64_t after, Schedule *ret);
int schedule_erase_customer(Db *db, int64_t customer);
int schedule_pause_template(Db *db, int64_t template, const char *reason);   /* those of one template, which they lose */

typedef struct Run {
        int64_t n;
        Id id;
        int64_t schedule;
        const char *local;                   /* 2026-12-01T12:00; NULL: by hand, or many missed ones */
        Usec due;
        const char *state;                   /* queued running done late failed missed skipped */
        int64_t task, report;                /* internal keys; 0: none */
        const char *error;
        int64_t count;
} Run;

/* 1: it may be made, under run->n, which a task may be told before. 0: there is one of this schedule and local time already. */
int run_next(Db *db, Run *run);
int run_insert(Db *db, Run *run, Usec now);                      /* sets id */
int run_find_task(Db *db, Arena *a, int64_t task, Run *ret);     /* 1 found, 0 not */
int run_load(Db *db, Arena *a, int64_t n, Run *ret);
int run_finish(Db *db, const Run *run, const char *state, const char *error, Usec now);
/* Those that have not begun: skipped, with the reason. Their tasks, to be canceled, go to *ret. */
int run_skip_queued(Db *db, int64_t schedule, const char *reason, Usec now, int64_t *ret_tasks, size_t max, size_t *ret_n);
int run_expire(Db *db, Usec before, int64_t max, bool *ret_more);                /* those made before that */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The queue as it is kept. States: queued (due now or at `due`), running, waiting (tries again at `due`), done,
 * failed (a refusal of its own), canceled, dead (given up). Only the loop claims. */

#include "daemon/store/turn.h"

enum { TASK_FORMAT = 1 };

typedef struct Task {
        int64_t n;
        Id id;
        const char *kind, *state, *lane;     /* lane: people or sweeps */
        int64_t attempt, deaths;
        Usec due, created, started, finished;
        int64_t operation;                   /* 0: none */
        int64_t owner;                       /* uid whose rights it runs with */
        int64_t granted;                     /* what polkit let through, as in a Caller */
        bool cancel;
        int64_t format;
        const char *arguments, *saved, *error;       /* JSON; saved: what a later attempt goes on from */
} Task;

/* Makes it queued; sets n and id. Kind and lane are static strings. Tells the runner by an effect. */
int task_insert(Db *db, Task *task);
int task_load(Db *db, Arena *a, int64_t n, Task *ret);           /* 1 found, 0 not */
int task_find(Db *db, Arena *a, Id id, Task *ret);

/* Of a lane (NULL: any). alone: only one that killed the daemon often; not alone: only the others. no_erasure: while the clock is
 * not believed, nobody is erased by it. */
typedef struct TaskChoice {
        const char *lane;
        bool alone, no_erasure;
} TaskChoice;

/* Takes the next due one: running, attempt + 1. 1 claimed, 0 there is none. */
int task_claim(Db *db, Arena *a, const TaskChoice *choice, Usec now, Task *ret);
/* When the next one of those that task_claim() would take is due. USEC_NONE: none waits. */
int task_next_due(Db *db, const TaskChoice *choice, Usec *ret);

int task_finish(Db *db, const Task *task, const char *state, const char *error, Usec now);
int task_forget_arguments(Db *db, int64_t n);                    /* of one that has done its work: they may name people */
int task_save(Db *db, int64_t n, const char *saved);
int task_again(Db *db, const Task *task, Usec due, const char *saved, const char *error);    /* waiting until due */
int task_later(Db *db, const Task *task, Usec due, const char *saved);       /* the same without a fault: its attempts are counted anew */
int task_cancel(Db *db, const Task *task, Usec now);             /* queued, waiting: canceled; running: its flag */
int task_hasten(Db *db, int64_t operation, Usec now);            /* an operation's waiting task is due now */
int task_retry(Db *db, const Task *task, Usec now);              /* of one that ended: queued anew, attempt 0 */

/* At start: what was running when the process ended is queued again, its deaths counted; dead after max of them. */
int task_recover(Db *db, int64_t max_deaths, Usec now, int64_t *ret_count);
/* At an end in order: what is running is queued as if it had not been claimed. */
int task_release(Db *db);

typedef struct QueueFigures {
        int64_t queued, running, waiting, dead;
} QueueFigures;
int task_is_running(Db *db, const Task *task);                   /* 1: this attempt of it is; 0 not any more */
int task_couriers(Db *db, int64_t *ret);                         /* tasks of kind mail that run or are about to */
int task_is_coming(Db *db, const char *kind);                    /* 1: one of this kind is queued, runs or waits; for rare kinds */
int task_figures(Db *db, QueueFigures *ret);
int task_expire(Db *db, Usec before, int64_t max, bool *ret_more);       /* ended ones older than that; true: there are more */

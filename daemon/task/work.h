/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Work has one shape: a part on a worker thread (optional; straight-line, may block; frozen input, a read-only
 * connection) and a part on the loop, in a turn, that settles what came of it. A task's work is durable and is begun
 * again after a crash; a call's work dies with the process.
 *
 * Who owns what: a Work and its arena belong to the worker while it works and to the loop before and after. */

#include <stdatomic.h>

#include "daemon/action/action.h"
#include "daemon/store/task-store.h"

typedef struct Work Work;
typedef int (*WorkStep)(Work *work, Context *c);     /* what a worker asks the loop for, see work_turn() */

enum {
        SETTLE_DONE = 0,     /* over: the task is done (or failed, if the work refused) */
        SETTLE_SLICE = 2,    /* more to do: call again in the next turn */
        SETTLE_LATER = 3,    /* waiting until work->again_at, then from the begin with work->saved */
};

enum { SLICE = 5 * USEC_MSEC };      /* how long a slice may take on the loop */

typedef struct TaskKind {
        const char *kind;
        /* On a worker. 0, 1 with work->problem, or < 0: tried again later. NULL: everything happens in settle. */
        int (*work)(Work *work);
        /* On the loop, in a turn, in a savepoint of its own. SETTLE_… or < 0: a fault, tried again later.
         * NULL: done when the work is. */
        int (*settle)(Work *work, Context *c);
        /* Frees what arena_free() does not. May be NULL. */
        void (*done)(Work *work);
        int64_t attempts_max;                /* faults until it is dead; 0: 20 */
        bool gathers;                        /* its steps wait a moment for those of others like it, to share a commit */
        bool finishes;                       /* the daemon's end waits some seconds for its work, which watches work->stop */
} TaskKind;

struct Work {
        const TaskKind *kind;
        Task task;                           /* task.n 0: a call's */
        Caller caller;                       /* whose rights it has */
        Arena *arena;
        void *state;                         /* the kind's own */
        void *userdata;                      /* of a call's: its maker's */

        /* On the worker: */
        Db *reader;
        const Settings *settings;
        const CustomerRules *rules;
        const char *host;
        const ChangeRow *(*find_change)(const char *verb);   /* which change a verb is; NULL: none */
        atomic_bool cancel;                  /* stop now: canceled, interrupted, or the daemon ends */
        atomic_bool stop;                    /* the daemon is about to end: finish what was begun, begin nothing */
        _Atomic Usec snapshot_since;         /* monotonic begin of the read snapshot; 0: none is held */

        int result;                          /* of work() */
        Problem problem;
        Usec again_at;
        const char *saved;                   /* what a later attempt goes on from; in the arena */

        WorkStep step;                       /* what the loop is asked for */
        struct Worker *worker;               /* who waits for it */
        Work *next;                          /* the runner's lists */
        int event;
        bool settled;                        /* in the turn that is open */
};

/* A Context to run actions or queries with on the worker's connection. */
Context work_context(Work *work);

/* A read snapshot of the worker's connection, watched by the runner: held only while reading. */
int work_snapshot_begin(Work *work);
void work_snapshot_end(Work *work);

/* From a worker: lets the loop run step in a turn, in a savepoint of its own, and blocks until that is on disk. Its result;
 * -ECANCELED: the task was canceled or the daemon ends; -EIO and others: nothing of it happened. */
int work_turn(Work *work, WorkStep step);
/* The same in two steps: between them the worker goes on, with what step does not touch. After a post that gave 0 there must be
 * a wait. */
int work_post(Work *work, WorkStep step);
int work_wait(Work *work);
/* work_turn() of writing the task's saved state. */
int work_save(Work *work, const char *saved);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Runs the queue: claims due tasks for free workers, settles results. Only the loop thread calls these; the workers are
 * threads of its own. At least one worker never takes sweeps, and of three or more one takes calls alone. */

#include "daemon/task/work.h"

typedef struct Runner Runner;

typedef struct RunnerConfig {
        Db *db;                              /* the writer */
        const char *state, *vfs;             /* where the workers' readers connect to */
        const Settings *settings;
        const CustomerRules *rules;
        const char *host;
        const ChangeRow *(*find_change)(const char *verb);   /* which change a verb is; NULL: none */
        const TaskKind *const *kinds;        /* NULL-terminated */
        /* Whether somebody waits for the loop; slices go on in one turn, up to 50 ms, while nobody does. NULL: always. */
        bool (*somebody_waits)(void *userdata);
        /* Whether the clock is far ahead of what it was: then nobody is erased by it. NULL: never. */
        bool (*clock_is_held)(void *userdata);
        void *userdata;
        size_t workers;                      /* threads; 0: work runs inline, in runner_turn() (tests) */
} RunnerConfig;

int runner_new(const RunnerConfig *config, Runner **ret);
/* Cancels everything and waits at most so long for workers to let go. False: some did not, and nothing was freed. */
bool runner_free(Runner *r, Usec patience);

int runner_fd(const Runner *r);              /* readable when runner_turn() has something to do */
int runner_timer_fd(const Runner *r);        /* the same */
bool runner_is_idle(const Runner *r);

/* In a turn: what was running when the process ended is queued again. */
int runner_recover(Runner *r, Usec now);
/* In the last turn of a process that ends in order: what is running is queued again, and this was no death. */
int runner_leave(Runner *r);
/* In a turn: settles what came back and goes on with what is sliced. */
void runner_turn(Runner *r, Usec now);
/* In a turn, at its end: claims what is due while workers are free. They start when runner_committed() is told. */
int runner_claim(Runner *r, Usec now);
/* After the turn: starts what was claimed, wakes who waits in work_turn(); not done: forgets it. */
void runner_committed(Runner *r, bool done);
Usec runner_next_due(Runner *r);             /* wall clock; USEC_NONE: nothing waits */

/* A call's work: begins now, before anything of the queue; settle runs in a turn. work is taken over. */
Work *runner_call_new(Runner *r, const TaskKind *kind, const Caller *caller);
void runner_call_start(Runner *r, Work *work);

void runner_use_settings(Runner *r, const Settings *settings);   /* of work that begins from here on; the former ones stay in place */
void runner_cancel(Runner *r, int64_t task); /* asks the work of this task to stop */
void runner_stop_claiming(Runner *r);
bool runner_has_finishing(const Runner *r);  /* work that the daemon's end waits for */
/* Once a second: interrupts tasks' snapshots older than 10 s, or the oldest of all if the WAL is above 256 MiB. */
void runner_watch(Runner *r);

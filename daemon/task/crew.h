/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The threads that do what blocks, and the two lists over which they and the loop hand works to each other. All but the
 * functions of work.h are the loop thread's. */

#include "daemon/task/work.h"

typedef struct Crew Crew;

typedef struct WorkList {
        Work *first, **end;
} WorkList;

enum { WORKERS_MAX = 64 };

enum { EVENT_DONE, EVENT_STEP };             /* of a result: the work is over, or its worker waits in work_turn() */

static inline void list_add(WorkList *l, Work *w) {
        if (!l->first)
                l->end = &l->first;
        w->next = NULL;
        *l->end = w;
        l->end = &w->next;
}

static inline Work *list_take(WorkList *l) {
        Work *w = l->first;
        if (w) {
                l->first = w->next;
                w->next = NULL;
        }
        return w;
}

/* writer: lends its key to the workers' connections. workers 0: what is given is done at once, in crew_give(). state and vfs stay
 * the caller's. */
int crew_new(const Db *writer, const char *state, const char *vfs, size_t workers, Crew **ret);
/* Waits at most so long for works that were told to stop. False: some worker did not let go, and nothing was freed. */
bool crew_free(Crew *c, Usec patience);
size_t crew_size(const Crew *c);

int crew_fd(const Crew *c);                  /* readable when there are results, or crew_call() was called */
int crew_timer_fd(const Crew *c);            /* the same, of results that have waited long enough for others */
void crew_call(Crew *c);
void crew_give(Crew *c, Work *w);            /* a call's goes before tasks': somebody waits */
WorkList crew_results(Crew *c);
/* After the commit (done) or without it: who waits in work_turn() goes on. gather: how long a commit takes. */
void crew_wake(Crew *c, WorkList *steps, bool done, Usec gather);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Asks actions what the bus would ask them, without a bus: verbs, and arguments as JSON. Each call is a turn of its own,
 * unless one is open already. */

#include "daemon/action/action.h"
#include "daemon/task/runner.h"
#include "tests/store/scratch.h"

typedef struct Answer {
        int result;                          /* 0, 1 with problem, < 0 */
        TurnEnd end;                         /* TURN_DONE too where the turn was open before */
        Problem problem;
        const char *text;                    /* JSON; lives as long as the Scratch */
        Id id;                               /* its "id", if it has one */
        int64_t revision;
} Answer;

typedef struct Asker {
        Scratch *scratch;
        Caller caller;
        Usec now;
        Settings settings;
        CustomerRules rules;
        Runner *runner;                      /* inline: work runs in run_queue() */
} Asker;

int asker_setup(void **state);
int asker_teardown(void **state);

/* ids: one or more, separated by |; "" for none. fields, options: JSON objects or NULL. */
Answer ask(Asker *a, const char *verb, const char *ids, const char *fields, const char *options);
/* Must be done, or be refused with this kind and code; field "" if none. */
Answer ask_done(Asker *a, const char *verb, const char *ids, const char *fields, const char *options);
Answer ask_refused(Asker *a, ProblemKind kind, const char *code, const char *field, const Answer *answer);

Context asker_context(Asker *a, Arena *arena);
void queue_turn(Asker *a, bool lost);        /* one turn; lost: its commit finds a full disk */
/* Until nothing is due. Returns how many turns it took. */
int run_queue(Asker *a);
void recover_queue(Asker *a);                /* as after a death: a new runner */

Answer onboard(Asker *a, const char *organization, const char *account);
const char *text_of(Asker *a, const char *sql);      /* the first value as text; NULL if there is none */
#define count_of(a, sql) scratch_int((a)->scratch->db, sql)

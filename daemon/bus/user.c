/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "common/names.h"
#include "daemon/bus/call.h"
#include "daemon/bus/codec.h"

/* What one user of the host keeps busy, over all connections. Calls wait here for their turn: each user in turn starts one, so
 * that whoever floods waits for oneself and not the others. */

enum {
        RATE = 1000,                         /* calls a second, and so many more at once; who may do everything has no such limit */
        BURST = 2000,
        MEMORY_MAX = 64 << 20,               /* arguments of calls under way */
};

User *user_find(Bus *b, int64_t uid) {
        for (User *u = b->users; u; u = u->next)
                if (u->uid == uid)
                        return u;
        User *u = memory_new(sizeof(*u));
        u->uid = uid;
        u->tokens = BURST;
        u->filled = clock_monotonic();
        u->next = b->users;
        b->users = u;
        return u;
}

void users_free(Bus *b) {
        for (User *u = b->users, *next; u; u = next) {
                Call *c;
                next = u->next;
                while ((c = call_list_take(&u->queue)))
                        call_free(c);
                free(u);
        }
        b->users = NULL;
}

/* One more call now, or too many in the last seconds. */
static bool take_token(User *u) {
        Usec now = clock_monotonic();
        double more = (double) (now - u->filled) * RATE / USEC_SEC;

        u->filled = now;
        u->tokens = MIN(u->tokens + more, (double) BURST);
        if (u->tokens < 1)
                return false;
        u->tokens--;
        return true;
}

int user_check_count(const Peer *p, Problem *problem) {
        if (p->in_flight > CALLS_PER_CONNECTION_MAX)
                return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-many-calls", NULL,
                                   "more than %d calls of this connection are under way: wait for some of their answers", CALLS_PER_CONNECTION_MAX);
        if (p->owner && p->owner->in_flight > CALLS_PER_UID_MAX)
                return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-many-calls", NULL,
                                   "more than %d calls of this user are under way: wait for some of their answers", CALLS_PER_UID_MAX);
        return 0;
}

int user_check(const Peer *p, Problem *problem) {
        int r = user_check_count(p, problem);
        if (r != 0)
                return r;
        if (!p->all && !take_token(p->owner))
                return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-fast", NULL, "this user makes more than %d calls a second: wait a moment", RATE);
        return 0;
}

static int take(Call *c, size_t size, Problem *problem) {
        User *u = c->peer->owner;

        if (u->memory - c->memory + size > MEMORY_MAX)
                return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-much-at-once", NULL,
                                   "the calls of this user that are under way hold more than %d MiB: wait for some of their answers", MEMORY_MAX >> 20);
        u->memory = u->memory - c->memory + size;
        c->memory = size;
        return 0;
}

int user_hold(Call *c, Problem *problem) {
        if (c->memory > 0)
                return 0;
        size_t size = codec_weigh(c->message, ARGUMENTS_MAX);
        if (size > ARGUMENTS_MAX)
                return codec_refuse_size(problem);
        return take(c, size, problem);
}

int user_take_memory(Call *c, Problem *problem) {
        return take(c, arena_size(c->arena), problem);
}

void user_queue(Call *c) {
        call_list_add(&c->peer->owner->queue, c);
        c->bus->n_queued++;
}

void users_run(Bus *b, Usec until) {
        User *u = b->next_user ?: b->users;

        while (b->n_queued > 0) {
                Call *c = u ? call_list_take(&u->queue) : NULL;
                u = u && u->next ? u->next : b->users;
                if (!c)
                        continue;
                b->n_queued--;
                b->begin(c);
                if (clock_monotonic() > until)
                        break;
        }
        b->next_user = u;
}

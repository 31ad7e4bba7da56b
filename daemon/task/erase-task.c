/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdatomic.h>

#include "daemon/action/disconnect-action.h"
#include "daemon/task/kinds.h"

/* Sliced: the customer's values go in lots, the customer itself last. */
static int erase_settle(Work *work, Context *c) {
        const Caller system = CALLER_SYSTEM;
        Dict arguments = {};
        int64_t customer = 0;
        Problem ignored;
        bool done = false;

        /* The database may be about to be replaced by one that would not know of it. */
        if (atomic_load(&work->stop)) {
                work->again_at = c->now;
                return SETTLE_LATER;
        }
        int r = dict_read_json(c->arena, work->task.arguments, strlen(work->task.arguments), &arguments);
        if (r < 0 || dict_int(&arguments, "customer", 1, INT64_MAX, &customer, &ignored) != 0)
                return -EBADMSG;
        c->caller = &system;
        r = customer_erase_slice(c, customer, &done, &work->again_at);
        if (r < 0)
                return r;
        /* The clock went back since it was claimed, or it waits for a courier. */
        if (work->again_at != USEC_NONE)
                return SETTLE_LATER;
        return done ? SETTLE_DONE : SETTLE_SLICE;
}

const TaskKind erase_kind = { .kind = "erase", .settle = erase_settle };

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/action/access.h"
#include "daemon/action/approval.h"
#include "daemon/action/bulk.h"
#include "daemon/task/kinds.h"

/* A call that waited for a second person. If it was approved, it is made now, with the rights that its caller has now; else
 * its time is over. */

/* The caller's groups are looked up on the way to this. */
static int nothing(Work *work) {
        return 0;
}

static int make_call(Work *work, Context *c, const Operation *o, Buffer *answer, Problem *problem) {
        const ChangeRow *row = work->find_change(o->kind);
        Caller caller = work->caller;
        Request request;

        if (!row)
                return -EBADMSG;
        int r = approval_read(c->arena, o->arguments, &request);
        if (r < 0)
                return r;
        caller.user = o->user;
        caller.behalf = o->behalf;
        c->caller = &caller;
        c->approved = true;
        r = access_enter(c, o->kind, problem);
        if (r == 0) {
                r = action_change(c, row, &request, answer, problem);
        } else if (r > 0) {
                int k = action_refuse(c, o->kind, &request, problem);
                r = k < 0 ? k : r;
        }
        c->caller = &work->caller;
        return r;
}

static int approval_settle(Work *work, Context *c) {
        OperationItem item = {};
        Problem problem = {};
        Buffer answer = {};
        Operation o;

        int r = operation_load(c->db, c->arena, work->task.operation, &o);
        if (r <= 0)
                return r;
        if (str_equal(o.state, APPROVAL_PENDING)) {
                item = (OperationItem) { .outcome = "canceled", .reason = "not-approved", .message = "nobody approved it within 24 hours" };
                o.canceled = 1;
                return approval_end(c, &o, "canceled", &item);
        }
        if (!str_equal(o.state, "running"))
                return SETTLE_DONE;
        if (o.cancel) {
                item = (OperationItem) { .outcome = "canceled", .reason = "withdrawn", .message = "it was withdrawn before it was done" };
                o.canceled = 1;
                return approval_end(c, &o, "canceled", &item);
        }
        r = make_call(work, c, &o, &answer, &problem);
        if (r < 0) {
                buffer_done(&answer);
                return r;
        }
        item.outcome = r == 0 ? "ok" : "refused";
        item.reason = r == 0 ? NULL : problem.code;
        item.message = r == 0 ? NULL : problem.text;
        item.after = answer.size > 0 ? buffer_into(&answer, c->arena) : NULL;
        *(r == 0 ? &o.ok : &o.refused) = 1;
        return approval_end(c, &o, r == 0 ? "finished" : "failed", &item);
}

const TaskKind approval_kind = { .kind = "approval", .work = nothing, .settle = approval_settle };

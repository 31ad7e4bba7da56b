/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/text.h"
#include "daemon/model/catch-up.h"

const char *const missed_policy_names[] = { "latest", "all", "none", NULL };

int missed_policy_parse(const char *text, MissedPolicy *ret, Problem *problem) {
        int i = names_find(missed_policy_names, text);
        if (i < 0)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "unknown-word", "missed",
                                   "missed is \"%.60s\", but must be latest, all or none", text);
        *ret = (MissedPolicy) i;
        return 0;
}

/* What is due after this instant is queued. */
static Usec queue_after(const CatchUp *c, const CatchUpFacts *f) {
        if (f->policy == MISSED_LATEST) {
                Occurrence newest;
                plan_occurrence(c->plan, c->zone, c->end - 1, &newest);
                return newest.due - 1;
        }
        Usec limit = f->now - CATCH_UP_LATE - 1;
        if (f->held_since != USEC_NONE)
                limit = MIN(limit, MAX(f->held_since, f->now - CATCH_UP_HELD) - 1);
        return limit;
}

void catch_up_begin(CatchUp *c, const Plan *p, const Zone *z, const CatchUpFacts *f) {
        PlanRange due = plan_range(p, z, &f->settled, f->now);

        *c = (CatchUp) { .plan = p, .zone = z, .next = due.begin, .queue = due.begin, .end = due.end };
        if (due.begin == due.end || f->policy == MISSED_ALL)
                return;
        PlanPoint point = f->settled;
        point.instant = MAX(point.instant, queue_after(c, f));
        c->queue = MIN(plan_range(p, z, &point, f->now).begin, due.end);
}

bool catch_up_next(CatchUp *c, RunRow *ret) {
        Occurrence o;

        if (c->next >= c->end)
                return false;
        int64_t lost = c->queue - c->next, count = lost > CATCH_UP_SINGLE ? lost - CATCH_UP_SINGLE : 1;
        plan_occurrence(c->plan, c->zone, c->next + count - 1, &o);
        *ret = (RunRow) { .local = o.local, .due = o.due, .queued = lost <= 0, .count = count };
        c->next += count;
        return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/log.h"
#include "daemon/action/access.h"
#include "daemon/bus/call.h"

int call_refuse_stranger(Call *c, const char *verb, const char *why) {
        Usec now = clock_monotonic();
        if (now - c->bus->stranger_logged > USEC_SEC) {
                c->bus->stranger_logged = now;
                log_warning("%s (uid %lld) has no right to %s: refused (%s)", c->peer->user, (long long) c->peer->uid, verb, why);
        }
        return problem_set(&c->problem, PROBLEM_NOT_AUTHORIZED, "not-authorized", NULL,
                           "you have no right to %s (%s): ask an administrator of this tenantd for a role that has it", verb, why);
}

int call_decide_again(Call *c) {
        const char *verb = c->row->verb;
        Context context = call_context(c);
        const Selector *unused;
        Problem problem;

        int r = access_decide(&context, verb, &c->scope, &problem);
        if (r == 0 && c->caller.behalf && c->granted <= RIGHT_ACT_FOR) {
                verb = RIGHT_TO_ACT_FOR;
                r = access_decide(&context, verb, &unused, &problem);
        }
        return r > 0 ? call_refuse_stranger(c, verb, "the role that had it was taken away meanwhile") : r;
}

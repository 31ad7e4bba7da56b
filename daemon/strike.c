/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/log.h"
#include "daemon/action/schedule-due.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/schedule-store.h"
#include "daemon/strike.h"

static void tell(bool was_held, const Strike *s) {
        if (s->guard.held && !was_held)
                log_warning("the clock is far ahead of what it was: no run is created until it has held for ten minutes, or `tenantctl admin accept-clock`");
        else if (was_held && !s->guard.held)
                log_info("the clock is believed again");
}

int strike_start(Strike *s, Context *c) {
        Usec newest = USEC_NONE;
        int r = audit_newest(c->db, &newest);
        if (r < 0)
                return r;
        clock_guard_start(&s->guard, clock_now(), clock_boot(), newest);
        tell(false, s);
        return 0;
}

int strike(Strike *s, Context *c) {
        bool was_held = s->guard.held;

        s->more = false;
        clock_guard_tick(&s->guard, c->now, clock_boot());
        tell(was_held, s);
        if (s->guard.held)
                return 0;
        return schedules_due(c, clock_guard_held_since(&s->guard), &s->more);
}

Usec strike_next(const Strike *s, Db *db) {
        Usec due = USEC_NONE;
        if (s->guard.held)
                return clock_guard_held_until(&s->guard);
        (void) schedule_next_due(db, &due);
        return due;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>

#include "common/log.h"
#include "daemon/action/outbox.h"
#include "daemon/action/schedule-due.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/schedule-store.h"
#include "daemon/store/task-store.h"
#include "daemon/strike.h"

enum { LOOK = 30 * USEC_SEC };

static void tell(bool was_held, const Strike *s) {
        if (s->guard.held && !was_held)
                log_warning("the clock is far ahead of what it was: nothing is created or thrown away by it until it has held for ten minutes, or `tenantctl admin accept-clock`");
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

static bool is_empty(const char *folder) {
        bool empty = true;
        DIR *d = opendir(folder);
        for (const struct dirent *e; d && empty && (e = readdir(d));)
                empty = e->d_name[0] == '.' || strcmp(e->d_name, "unmatched") == 0;
        if (d)
                closedir(d);
        return empty;
}

/* What came back is dropped there by others: nobody tells us, so we look. */
static int look_for_bounces(Strike *s, Context *c) {
        Usec now = clock_monotonic();

        if (s->looked > 0 && now - s->looked < LOOK)
                return 0;
        s->looked = now;
        if (is_empty(arena_printf(c->arena, "%s/bounces", c->settings->state)))
                return 0;
        int r = task_is_coming(c->db, "bounce");
        if (r != 0)
                return MIN(r, 0);
        Task task = { .kind = "bounce", .lane = "sweeps", .due = c->now, .created = c->now, .arguments = "{}" };
        return task_insert(c->db, &task);
}

bool strike_is_held(Strike *s, Usec now) {
        bool was_held = s->guard.held;

        clock_guard_tick(&s->guard, now, clock_boot());
        tell(was_held, s);
        return s->guard.held;
}

int strike(Strike *s, Context *c) {
        bool held = strike_is_held(s, c->now);

        s->more = false;
        int r = look_for_bounces(s, c);
        if (r >= 0)
                r = outbox_look(c);
        if (r < 0 || held)
                return MIN(r, 0);
        return schedules_due(c, clock_guard_held_since(&s->guard), &s->more);
}

Usec strike_next(const Strike *s, Db *db) {
        Usec due = USEC_NONE;
        if (s->guard.held)
                return clock_guard_held_until(&s->guard);
        (void) schedule_next_due(db, &due);
        return due;
}

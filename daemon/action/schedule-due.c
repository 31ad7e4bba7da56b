/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "common/log.h"
#include "daemon/action/schedule-due.h"
#include "daemon/action/schedule-plan.h"

enum { SCHEDULES_A_TURN = 100, RUNS_A_TURN = 250 };

typedef struct Lot {
        ZoneCache zones;
        Usec held_since;
        size_t runs;                         /* made in this turn */
} Lot;

/* What cannot run is paused, so that an operator sees it, and nothing is retried for ever. */
static int pause_for(Context *c, Schedule *s, const char *reason) {
        char id[ID_TEXT_SIZE];

        s->state = "paused";
        s->reason = reason;
        s->next_due = USEC_NONE;
        log_warning("schedule %s is paused: %s", id_text(s->id, id), reason);
        return schedule_advance(c->db, s);
}

static int make_run(Context *c, Schedule *s, const RunRow *row, Problem *problem) {
        char local[TIME_TEXT_SIZE];
        Run run = {
                .schedule = s->n, .local = row->count == 1 ? local_text(&row->local, local) : NULL, .due = row->due, .count = row->count,
                .state = row->queued ? "queued" : "missed", .error = row->queued ? NULL : "the daemon did not run, or the clock was not trusted, when it was due",
        };
        int r = run_next(c->db, &run);
        if (r <= 0)
                return r;
        r = row->queued ? schedule_task(c, s, run.n, &run.task, problem) : 0;
        return r != 0 ? r : run_insert(c->db, &run, c->now);
}

/* 1: the turn has had enough; the rest of this one's comes in the next. */
static int catch_up(Context *c, Lot *lot, Schedule *s, const Plan *plan, const Zone *zone, Problem *problem) {
        char local[TIME_TEXT_SIZE];
        const CatchUpFacts facts = {
                .settled = schedule_settled(s), .policy = (MissedPolicy) names_find(missed_policy_names, s->missed), .now = c->now, .held_since = lot->held_since,
        };
        CatchUp walk;
        RunRow row;

        catch_up_begin(&walk, plan, zone, &facts);
        while (catch_up_next(&walk, &row)) {
                int r = make_run(c, s, &row, problem);
                if (r != 0)
                        return r;
                s->settled_local = arena_strdup(c->arena, local_text(&row.local, local));
                if (++lot->runs >= RUNS_A_TURN)
                        break;
        }
        schedule_look_ahead(s, plan, zone);
        return schedule_advance(c->db, s);
}

static int handle(Context *c, Lot *lot, Schedule *s) {
        Problem problem = {};
        Zone *zone;
        Plan plan;

        int r = zone_cached(&lot->zones, c->arena, c->settings, s->zone, &zone);
        if (r < 0)
                return pause_for(c, s, r == -ENOENT ? "zone-gone: this host does not have its time zone any more" : "zone-broken: its time zone's file cannot be read");
        r = schedule_plan(s, &plan, &problem);
        if (r == 0) {
                r = savepoint_begin(c->db);
                if (r < 0)
                        return r;
                r = catch_up(c, lot, s, &plan, zone, &problem);
                if (r == 0)
                        return savepoint_release(c->db);
                savepoint_rollback(c->db);
        }
        return r < 0 ? r : pause_for(c, s, arena_printf(c->arena, "%s: %s", problem.code, problem.text));
}

int schedules_due(Context *c, Usec held_since, bool *ret_more) {
        Schedule *due = arena_alloc(c->arena, SCHEDULES_A_TURN * sizeof(*due));
        Lot lot = { .held_since = held_since };
        size_t n = 0;

        int r = schedule_due(c->db, c->arena, c->now, due, SCHEDULES_A_TURN, &n);
        for (size_t i = 0; i < n && r >= 0 && lot.runs < RUNS_A_TURN; i++)
                r = handle(c, &lot, &due[i]);
        *ret_more = n == SCHEDULES_A_TURN || lot.runs >= RUNS_A_TURN;
        return r;
}

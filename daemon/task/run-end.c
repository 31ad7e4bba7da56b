/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/deliver.h"
#include "daemon/action/generate-order.h"
#include "daemon/action/json-list.h"
#include "daemon/action/schedule-plan.h"
#include "daemon/task/run-end.h"

/* 1 found; 0: it, or its schedule, is gone, or it is over already. The number of a run that went with its schedule is the
 * next one's: only the run that knows the task is the task's. */
static int find_run(Context *c, int64_t n, int64_t task, Run *run, Schedule *schedule) {
        int r = n ? run_load(c->db, c->arena, n, run) : 0;
        if (r <= 0 || run->task != task || !str_equal(run->state, "queued"))
                return MIN(r, 0);
        return schedule_load(c->db, c->arena, run->schedule, schedule);
}

int run_keep_report(Context *c, Report *report) {
        Schedule schedule;
        Run run;
        size_t n;

        int r = find_run(c, report->run, report->task, &run, &schedule);
        if (r < 0)
                return r;
        bool scheduled = r > 0;
        if (!scheduled)
                report->run = 0;
        report->schedule = scheduled ? &schedule.id : NULL;
        r = report_insert(c->db, report);
        if (r < 0 || !scheduled)
                return r;
        const char **recipients = json_list_read(c->arena, schedule.recipients, &n);
        return deliver_report(c, report, "schedule", recipients, n, false);
}

static bool is_late(Context *c, const Run *run, const Schedule *schedule) {
        CivilTime local, now;
        Zone *zone;

        if (!run->local || !local_parse(run->local, &local) || zone_load(c->arena, c->settings, schedule->zone, &zone) < 0)
                return false;
        now = zone_civil(zone, c->now);
        return civil_days(now.year, now.month, now.day) > civil_days(local.year, local.month, local.day);
}

int run_end(Context *c, int64_t n, int64_t task, int64_t report) {
        Schedule schedule;
        Run run;

        int r = find_run(c, n, task, &run, &schedule);
        if (r <= 0)
                return r;
        run.report = report;
        turn_effect(c->db, (Effect) { .type = EFFECT_CHANGED, .kind = "schedule", .id = schedule.id });
        return run_finish(c->db, &run, is_late(c, &run, &schedule) ? "late" : "done", NULL, c->now);
}

int run_refused(Context *c, int64_t n, int64_t task, const Problem *problem) {
        Schedule schedule;
        Run run;

        if (problem->kind != PROBLEM_NOT_AUTHORIZED)
                return 0;
        int r = find_run(c, n, task, &run, &schedule);
        if (r <= 0)
                return r;
        r = run_finish(c->db, &run, "skipped", "its owner has no right to it", c->now);
        if (r < 0 || !str_equal(schedule.state, "active"))
                return r;
        schedule.state = "paused";
        schedule.reason = arena_printf(c->arena, "no-right: its owner (uid %lld) has no right to it any more; let somebody who has it make a new one, or grant "
                                                 "a role and resume it", (long long) schedule.owner);
        schedule.next_due = USEC_NONE;
        return schedule_update(c->db, &schedule);
}

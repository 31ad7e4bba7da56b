/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/action/export-order.h"
#include "daemon/action/generate-order.h"
#include "daemon/action/json-list.h"
#include "daemon/action/resolve.h"
#include "daemon/action/schedule-plan.h"
#include "daemon/action/zone-file.h"
#include "daemon/store/task-store.h"

enum { SKIPPED_MAX = 1000, LOT = 100 };

#define DISCONNECTED "customer-disconnected: its customer is being disconnected"

int schedule_plan(const Schedule *s, Plan *ret, Problem *problem) {
        *ret = (Plan) {};
        int r = plan_frequency_parse(s->frequency, &ret->frequency, problem);
        if (r == 0)
                r = plan_on_parse(ret->frequency, s->on, &ret->on, problem);
        if (r == 0)
                r = plan_at_parse(s->at, &ret->at, problem);
        if (r == 0)
                r = plan_date_parse("start", s->start, &ret->start, problem);
        if (r == 0 && s->end) {
                ret->has_end = true;
                r = plan_date_parse("end", s->end, &ret->end, problem);
        }
        return r != 0 ? r : plan_check(ret, problem);
}

PlanPoint schedule_settled(const Schedule *s) {
        PlanPoint p = { .instant = s->settled_due };
        p.has_local = s->settled_local && local_parse(s->settled_local, &p.local);
        return p;
}

void schedule_resume_here(Schedule *s, Usec now) {
        s->settled_due = now;
        s->settled_local = NULL;
}

void schedule_look_ahead(Schedule *s, const Plan *plan, const Zone *zone) {
        const PlanPoint settled = schedule_settled(s);
        Occurrence next;

        s->next_due = USEC_NONE;
        if (str_equal(s->state, "paused"))
                return;
        bool more = plan_next(plan, zone, &settled, &next);
        s->state = more ? "active" : "ended";
        s->reason = NULL;
        if (more)
                s->next_due = next.due;
}

static int export_arguments(Context *c, const Schedule *s, int64_t run, const char **ret, Problem *problem) {
        char id[ID_TEXT_SIZE];
        const char *organization;
        ExportOrder order;
        Dict fields = {};
        Id customer;

        dict_add(c->arena, &fields, "kind", (Value) { VALUE_STRING, .string = s->export });
        dict_add(c->arena, &fields, "format", (Value) { VALUE_STRING, .string = s->format });
        if (s->customer) {
                int r = customer_identity(c, s->customer, &customer, &organization);
                if (r <= 0)
                        return r < 0 ? r : problem_set(problem, PROBLEM_NOT_FOUND, "no-such-customer", NULL, "the customer is gone");
                dict_add(c->arena, &fields, "customer", (Value) { VALUE_STRING, .string = arena_strdup(c->arena, id_text(customer, id)) });
        }
        if (s->columns) {
                Value columns = { VALUE_STRINGS };
                columns.strings.items = json_list_read(c->arena, s->columns, &columns.strings.n);
                dict_add(c->arena, &fields, "columns", columns);
        }
        if (s->selector)
                dict_add(c->arena, &fields, "selector", (Value) { VALUE_STRING, .string = s->selector });
        if (s->file_name)
                dict_add(c->arena, &fields, "file_name", (Value) { VALUE_STRING, .string = s->file_name });
        int r = export_order_check(c, &fields, &order, problem);
        order.run = run;
        if (r == 0)
                *ret = export_order_json(c->arena, &order);
        return r;
}

int schedule_task(Context *c, const Schedule *s, int64_t run, int64_t *ret_task, Problem *problem) {
        Task task = { .kind = s->export ? "export" : "generate", .lane = "people", .due = c->now, .created = c->now, .owner = s->owner };
        size_t n = 0;

        if (str_equal(s->recipients, "[]"))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "recipients",
                                   "the last recipient was erased with its customer: give the schedule another one (--recipients), then resume it");
        if (!s->export)
                (void) json_list_read(c->arena, s->recipients, &n);
        int r = s->export ? export_arguments(c, s, run, &task.arguments, problem)
                          : generate_arguments(c, &(GenerateOrder) { .template = s->template, .customer = s->customer, .format = s->format,
                                                                     .file_name = s->file_name, .run = run, .n_subscribed = n }, &task.arguments, problem);
        if (r == 0)
                r = task_insert(c->db, &task);
        *ret_task = task.n;
        return r;
}

int schedule_skip_queued(Context *c, const Schedule *s, const char *reason) {
        int64_t *tasks = arena_alloc(c->arena, SKIPPED_MAX * sizeof(*tasks));
        size_t n = 0;

        int r = run_skip_queued(c->db, s->n, reason, c->now, tasks, SKIPPED_MAX, &n);
        for (size_t i = 0; i < n && r >= 0; i++) {
                Task task;
                r = task_load(c->db, c->arena, tasks[i], &task);
                if (r > 0)
                        r = task_cancel(c->db, &task, c->now);
        }
        return MIN(r, 0);
}

/* ---- with its customer ---- */

static int end_with_customer(Context *c, Schedule *s) {
        int r = schedule_skip_queued(c, s, "the customer is being disconnected");
        if (r < 0 || !str_equal(s->state, "active"))
                return r;
        s->state = "paused";
        s->reason = DISCONNECTED;
        s->next_due = USEC_NONE;
        return schedule_update(c->db, s);
}

/* As a resume by hand; what an operator paused stays paused. */
static int come_back(Context *c, Schedule *s) {
        Problem ignored;
        Zone *zone;
        Plan plan;

        if (!str_equal(s->state, "paused") || !str_equal(s->reason, DISCONNECTED))
                return 0;
        int r = schedule_plan(s, &plan, &ignored);
        if (r == 0 && zone_load(c->arena, c->settings, s->zone, &zone) < 0) {
                s->reason = "zone-gone: this host does not have its time zone any more";
        } else if (r == 0) {
                s->state = "active";
                schedule_resume_here(s, c->now);
                schedule_look_ahead(s, &plan, zone);
        }
        return r < 0 ? r : schedule_update(c->db, s);
}

static int each_of_customer(Context *c, int64_t customer, int (*with)(Context *c, Schedule *s)) {
        Schedule *lot = arena_alloc(c->arena, LOT * sizeof(*lot));
        int64_t after = 0;
        size_t n;
        int r;

        do {
                r = schedule_of_customer(c->db, c->arena, customer, after, lot, LOT, &n);
                for (size_t i = 0; i < n && r >= 0; i++) {
                        after = lot[i].n;
                        r = with(c, &lot[i]);
                }
        } while (r >= 0 && n == LOT);
        return MIN(r, 0);
}

int schedules_end_with_customer(Context *c, int64_t customer) {
        return each_of_customer(c, customer, end_with_customer);
}

int schedules_come_back(Context *c, int64_t customer) {
        return each_of_customer(c, customer, come_back);
}

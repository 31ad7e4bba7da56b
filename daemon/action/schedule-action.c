/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/time.h"
#include "daemon/action/access.h"
#include "daemon/action/export-order.h"
#include "daemon/action/generate-order.h"
#include "daemon/action/json-list.h"
#include "daemon/action/outbox.h"
#include "daemon/action/resolve.h"
#include "daemon/action/schedule-action.h"
#include "daemon/action/schedule-plan.h"
#include "daemon/model/address.h"
#include "daemon/model/catch-up.h"
#include "daemon/store/task-store.h"

enum { RECIPIENTS_OF_SCHEDULE_MAX = 500, PREVIEW_MAX = 1000, PREVIEW_DEFAULT = 5 };

const char *const schedule_create_options[] = { "run_now", NULL };
const char *const schedule_count_options[] = { "count", NULL };

static int find(Context *c, const char *reference, Schedule *ret, Problem *problem) {
        Id id;
        int r = id_parse(reference, &id) ? schedule_find(c->db, c->arena, id, ret) : 0;
        r = access_found(c, "schedules", &ret->n, r);
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-schedule", NULL, "there is no schedule \"%.60s\"; schedule list shows them", reference);
        if (r > 0) {
                c->trail.object = id_text(ret->id, arena_alloc(c->arena, ID_TEXT_SIZE));
                c->trail.customer = ret->customer;
        }
        return MIN(r, 0);
}

/* ---- fields ---- */

static int apply_recipients(Context *c, Schedule *s, const Dict *fields, Problem *problem) {
        const char *const *texts = NULL;
        const char **items;
        size_t n = 0, n_items;

        int r = dict_strings(fields, "recipients", &texts, &n, problem);
        if (r != 0 || !dict_find(fields, "recipients"))
                return r;
        r = address_list_check(c->arena, "recipients", texts, n, RECIPIENTS_OF_SCHEDULE_MAX, &items, &n_items, problem);
        if (r == 0)
                s->recipients = json_list(c->arena, items, n_items);
        return r;
}

static int apply_template(Context *c, Schedule *s, const char *name, Problem *problem) {
        ReportTemplate t;
        int r = report_template_find(c->db, c->arena, name, &t);
        r = access_found(c, "report-templates", &t.n, r);
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-report-template", "template", "there is no report template \"%.80s\"; report-template list shows them", name);
        s->template = t.n;
        s->export = NULL;
        return MIN(r, 0);
}

static int apply_what(Context *c, Schedule *s, const Dict *fields, Problem *problem) {
        const char *export = NULL, *template = NULL, *customer = NULL;

        int r = dict_string(fields, "export", &export, problem);
        if (r == 0)
                r = dict_string(fields, "template", &template, problem);
        if (r == 0)
                r = dict_string(fields, "customer", &customer, problem);
        if (r == 0 && export && template)
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "two-kinds", "template", "a schedule is of an export or of a template, not of both");
        if (r == 0 && export) {
                r = dict_word(fields, "export", export_kinds, &s->export, problem);
                s->template = 0;
        }
        if (r == 0 && template)
                r = apply_template(c, s, template, problem);
        if (r == 0 && customer && *customer)
                r = customer_resolve(c, customer, &s->customer, problem);
        if (r == 0 && !s->export && !s->template)
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "export", "a schedule needs export (a kind) or template (a name)");
        return r;
}

static int apply_text(Context *c, const Dict *fields, const char *key, const char **ret, Problem *problem) {
        const char *text = NULL;
        int r = dict_string(fields, key, &text, problem);
        if (r == 0 && text)
                *ret = *text ? arena_strdup(c->arena, text) : NULL;
        return r;
}

static int apply_rows(Context *c, Schedule *s, const Dict *fields, Problem *problem) {
        const char *const *columns = NULL;
        size_t n = 0;

        int r = dict_strings(fields, "columns", &columns, &n, problem);
        if (r == 0 && dict_find(fields, "columns"))
                s->columns = n > 0 ? json_list(c->arena, columns, n) : NULL;
        if (r == 0)
                r = apply_text(c, fields, "selector", &s->selector, problem);
        if (r == 0)
                r = apply_text(c, fields, "file_name", &s->file_name, problem);
        if (r == 0 && s->file_name)
                r = file_name_check(c, &s->file_name, problem);
        if (r == 0 && dict_find(fields, "format"))
                r = dict_word(fields, "format", export_formats, &s->format, problem);
        if (r == 0 && !s->format)
                s->format = s->export ? "xlsx" : "pdf";
        if (r == 0 && s->template && (s->columns || s->selector))
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "not-for-templates", s->columns ? "columns" : "selector",
                                "columns and selector belong to exports; a template has its own");
        return r;
}

static int apply_times(Context *c, Schedule *s, const Dict *fields, Problem *problem) {
        static const char *const keys[] = { "frequency", "on", "at", "zone", "start", "end" };
        const char **const into[] = { &s->frequency, &s->on, &s->at, &s->zone, &s->start, &s->end };
        const char *old = s->frequency;
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(keys) && r == 0; i++)
                r = apply_text(c, fields, keys[i], into[i], problem);
        /* Another frequency has another grammar of `on`: the old one goes with it. */
        if (r == 0 && old && !str_equal(old, s->frequency) && !dict_find(fields, "on"))
                s->on = NULL;
        if (r == 0 && dict_find(fields, "missed"))
                r = dict_word(fields, "missed", missed_policy_names, &s->missed, problem);
        return r;
}

static int apply_clear(Context *c, Schedule *s, const Dict *fields, Problem *problem) {
        const char *const *clear = NULL;
        size_t n = 0;

        int r = dict_strings(fields, "clear", &clear, &n, problem);
        for (size_t i = 0; i < n && r == 0; i++) {
                const char **const at = str_equal(clear[i], "end") ? &s->end : str_equal(clear[i], "columns") ? &s->columns :
                                        str_equal(clear[i], "selector") ? &s->selector : str_equal(clear[i], "file_name") ? &s->file_name :
                                        str_equal(clear[i], "on") ? &s->on : NULL;
                if (at)
                        *at = NULL;
                else if (str_equal(clear[i], "customer"))
                        s->customer = 0;
                else
                        r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "unknown-field", "clear", "\"%.60s\" cannot be cleared; end, on, columns, selector, file_name and customer can", clear[i]);
        }
        return r;
}

/* The zone by rules, not by its file: the model's names decide, the file is for the calendar. */
static int load_zone(Context *c, Schedule *s, Zone **ret, Problem *problem) {
        int r = c->rules->zone_check(c->rules->userdata, "zone", s->zone, problem);
        if (r != 0)
                return r;
        r = zone_load(c->arena, c->settings, s->zone, ret);
        if (r < 0)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "unknown-zone", "zone", "the time zone %.60s cannot be read on this host", s->zone);
        return 0;
}

static int apply(Context *c, Schedule *s, const Dict *fields, Plan *plan, Zone **zone, Problem *problem) {
        static const char *const keys[] = { "export", "template", "customer", "frequency", "on", "at", "zone", "start", "end", "missed", "recipients",
                                            "format", "columns", "selector", "file_name", "clear", NULL };
        char on[PLAN_TEXT_SIZE];

        int r = dict_check_keys(fields, "a schedule", keys, problem);
        if (r == 0)
                r = apply_what(c, s, fields, problem);
        if (r == 0)
                r = apply_times(c, s, fields, problem);
        if (r == 0)
                r = apply_clear(c, s, fields, problem);
        if (r == 0 && !s->frequency)
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "frequency", "a schedule needs a frequency: daily, weekly, monthly, quarterly or yearly");
        if (r == 0)
                r = apply_recipients(c, s, fields, problem);
        if (r == 0 && (!s->recipients || str_equal(s->recipients, "[]")))
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "recipients", "a schedule needs recipients");
        if (r == 0)
                r = apply_rows(c, s, fields, problem);
        if (r == 0)
                r = schedule_plan(s, plan, problem);
        if (r == 0)
                r = load_zone(c, s, zone, problem);
        if (r == 0)
                s->on_shown = arena_strdup(c->arena, plan_on_text(plan, on));
        return r;
}

/* Whatever its first run would stumble on is refused now: the task is made and thrown away. */
static int try_run(Context *c, const Schedule *s, Problem *problem) {
        int64_t task;
        int r = savepoint_begin(c->db);
        if (r < 0)
                return r;
        r = schedule_task(c, s, 0, &task, problem);
        savepoint_rollback(c->db);
        return r;
}

/* It runs with what its owner's roles give then. A yes of polkit was for one call, and no run is that call. */
static int may_own(Context *c, const Schedule *s, Problem *problem) {
        const char *verb = s->export ? export_verb(s->export) : "report.generate";
        Caller owner = *c->caller;
        Context own = *c;

        owner.granted = 0;
        own.caller = &owner;
        int r = access_decide(&own, verb, &own.scope, problem);
        if (r > 0)
                return problem_set(problem, PROBLEM_NOT_AUTHORIZED, "not-authorized", NULL,
                                   "a schedule runs with the roles of its owner, and none of yours has %s: ask an administrator of this tenantd for a role that has it", verb);
        return r < 0 || !s->customer ? r : access_also(&own, verb, s->customer, problem);
}

static const char *object(Context *c, const Schedule *s) {
        Buffer b = {};
        json_put_object_begin(&b);
        json_put_key_string(&b, "export", s->export);
        json_put_key_string(&b, "frequency", s->frequency);
        json_put_key_string(&b, "on", s->on_shown);
        json_put_key_string(&b, "at", s->at);
        json_put_key_string(&b, "zone", s->zone);
        json_put_key_string(&b, "start", s->start);
        json_put_key_string(&b, "end", s->end);
        json_put_key_string(&b, "missed", s->missed);
        json_put_key_raw(&b, "recipients", s->recipients, strlen(s->recipients));
        json_put_key_string(&b, "format", s->format);
        if (s->columns)
                json_put_key_raw(&b, "columns", s->columns, strlen(s->columns));
        json_put_key_string(&b, "selector", s->selector);
        json_put_key_string(&b, "file_name", s->file_name);
        json_put_key_string(&b, "state", s->state);
        json_put_key_int(&b, "owner", s->owner);
        json_put_object_end(&b);
        return buffer_into(&b, c->arena);
}

static void answer_schedule(Context *c, Buffer *answer, const Schedule *s) {
        const char *warning = outbox_warning(c);

        json_put_object_begin(answer);
        json_put_key_id(answer, "id", s->id);
        json_put_key_int(answer, "revision", s->revision);
        json_put_key_time(answer, "next_due", s->next_due);
        if (warning)
                answer_warning(answer, warning);
        json_put_object_end(answer);
}

/* ---- verbs ---- */

static int run_by_hand(Context *c, const Schedule *s, Id *ret, Problem *problem) {
        Run run = { .schedule = s->n, .due = c->now, .count = 1, .state = "queued" };
        int r = run_next(c->db, &run);
        if (r >= 0)
                r = schedule_task(c, s, run.n, &run.task, problem);
        if (r == 0)
                r = run_insert(c->db, &run, c->now);
        if (r == 0 && ret)
                *ret = run.id;
        return r;
}

int schedule_create(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        char today[TIME_TEXT_SIZE];
        bool run_now = false;
        Zone *zone;
        Plan plan;
        Schedule s = {
                .missed = "latest", .at = "12:00", .zone = "UTC", .state = "active", .next_due = USEC_NONE, .settled_due = c->now, .owner = c->caller->uid,
                .created = c->now,
        };

        /* Today is a date of the schedule's zone. */
        const Value *given = dict_find(request->fields, "zone");
        if (given && given->type == VALUE_STRING && c->rules->zone_check(c->rules->userdata, "zone", given->string, problem) == 0 &&
            zone_load(c->arena, c->settings, given->string, &zone) == 0) {
                const CivilTime now = zone_civil(zone, c->now);
                s.start = arena_printf(c->arena, "%04d-%02d-%02d", now.year, now.month, now.day);
        } else {
                s.start = arena_strdup(c->arena, date_text(c->now, today));
        }
        *problem = (Problem) {};
        int r = dict_bool(request->options, "run_now", &run_now, problem);
        if (r == 0)
                r = apply(c, &s, request->fields, &plan, &zone, problem);
        if (r == 0)
                r = may_own(c, &s, problem);
        if (r == 0)
                r = try_run(c, &s, problem);
        if (r != 0)
                return r;
        s.id = id_new();
        schedule_look_ahead(&s, &plan, zone);
        r = schedule_insert(c->db, &s);
        if (r >= 0 && run_now)
                r = run_by_hand(c, &s, NULL, problem);
        if (r != 0)
                return r;
        c->trail.object = id_text(s.id, arena_alloc(c->arena, ID_TEXT_SIZE));
        c->trail.customer = s.customer;
        c->trail.after = object(c, &s);
        answer_schedule(c, answer, &s);
        return 0;
}

int schedule_edit(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Schedule s, old;
        Zone *zone;
        Plan plan;

        if (request->n_ids != 1)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "one-at-a-time", "ids", "schedules are edited one at a time, not %zu", request->n_ids);
        int r = find(c, request->ids[0], &s, problem);
        if (r == 0)
                r = request_check_revision(request, s.revision, problem);
        if (r != 0)
                return r;
        c->trail.before = object(c, &s);
        old = s;
        r = apply(c, &s, request->fields, &plan, &zone, problem);
        /* Whoever says what it makes, and for whom, does so with their own rights and not with somebody else's. */
        if (r == 0 && !c->caller->all) {
                s.owner = c->caller->uid;
                r = may_own(c, &s, problem);
        }
        if (r == 0)
                r = try_run(c, &s, problem);
        if (r != 0)
                return r;
        /* Another calendar, and one that had ended, count as a resume: nothing before the edit is due. */
        if (str_equal(old.state, "ended") || !str_equal(old.frequency, s.frequency) || !str_equal(old.on_shown, s.on_shown) ||
            !str_equal(old.at, s.at) || !str_equal(old.zone, s.zone) || !str_equal(old.start, s.start))
                s.settled_due = c->now;
        schedule_look_ahead(&s, &plan, zone);
        r = schedule_update(c->db, &s);
        if (r < 0)
                return r;
        /* Of one that lets go of its customer, what it was before is still that customer's. */
        c->trail.customer = s.customer ? s.customer : old.customer;
        c->trail.after = object(c, &s);
        answer_schedule(c, answer, &s);
        return 0;
}

int schedule_pause(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Schedule s;
        int r = find(c, request->id, &s, problem);
        if (r == 0)
                r = request_check_revision(request, s.revision, problem);
        if (r == 0 && !str_equal(s.state, "active"))
                r = problem_set(problem, PROBLEM_REFUSED, "not-active", NULL, "the schedule is %s", s.state);
        if (r != 0)
                return r;
        c->trail.before = object(c, &s);
        s.state = "paused";
        s.reason = "paused by hand";
        s.next_due = USEC_NONE;
        r = schedule_skip_queued(c, &s, "the schedule was paused");
        if (r >= 0)
                r = schedule_update(c->db, &s);
        if (r < 0)
                return r;
        c->trail.after = object(c, &s);
        answer_object(answer, s.id, s.revision);
        return 0;
}

int schedule_resume(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Schedule s;
        Zone *zone;
        Plan plan;

        int r = find(c, request->id, &s, problem);
        if (r == 0)
                r = request_check_revision(request, s.revision, problem);
        if (r == 0 && !str_equal(s.state, "paused"))
                r = problem_set(problem, PROBLEM_REFUSED, "not-paused", NULL, "the schedule is %s", s.state);
        if (r == 0)
                r = schedule_plan(&s, &plan, problem);
        if (r == 0)
                r = load_zone(c, &s, &zone, problem);
        if (r == 0)
                r = try_run(c, &s, problem);
        if (r != 0)
                return r;
        c->trail.before = object(c, &s);
        s.state = "active";
        s.reason = NULL;
        schedule_resume_here(&s, c->now);
        schedule_look_ahead(&s, &plan, zone);
        r = schedule_update(c->db, &s);
        if (r < 0)
                return r;
        c->trail.after = object(c, &s);
        answer_schedule(c, answer, &s);
        return 0;
}

int schedule_run(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        const char *warning = outbox_warning(c);
        Schedule s;
        Id run;

        int r = find(c, request->id, &s, problem);
        if (r == 0)
                r = run_by_hand(c, &s, &run, problem);
        if (r != 0)
                return r;
        json_put_object_begin(answer);
        json_put_key_id(answer, "id", s.id);
        json_put_key_int(answer, "revision", s.revision);
        json_put_key_id(answer, "run", run);
        if (warning)
                answer_warning(answer, warning);
        json_put_object_end(answer);
        return 0;
}

int schedule_delete_action(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Schedule s;
        int r = find(c, request->id, &s, problem);
        if (r == 0)
                r = request_check_revision(request, s.revision, problem);
        if (r != 0)
                return r;
        c->trail.before = object(c, &s);
        r = schedule_skip_queued(c, &s, "the schedule was deleted");
        if (r >= 0)
                r = schedule_delete(c->db, &s);
        if (r < 0)
                return r;
        answer_object(answer, s.id, s.revision);
        return 0;
}

/* ---- reading ---- */

int schedule_show(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Schedule s;
        int r = find(c, request->id, &s, problem);
        return r != 0 ? r : list_one(c, dataset_find("schedules"), s.id, answer, problem);
}

static int read_count(const Request *request, int64_t *ret, Problem *problem) {
        *ret = PREVIEW_DEFAULT;
        return dict_int(request->options, "count", 1, PREVIEW_MAX, ret, problem);
}

int schedule_preview(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        char local[TIME_TEXT_SIZE];
        int64_t count;
        Schedule s;
        Zone *zone;
        Plan plan;

        int r = find(c, request->id, &s, problem);
        if (r == 0)
                r = read_count(request, &count, problem);
        if (r == 0)
                r = schedule_plan(&s, &plan, problem);
        if (r == 0)
                r = load_zone(c, &s, &zone, problem);
        if (r != 0)
                return r;
        PlanPoint at = schedule_settled(&s);
        /* Of a paused one: what would be due if it were resumed now. */
        at.instant = MAX(at.instant, str_equal(s.state, "paused") ? c->now : at.instant);
        Occurrence o;
        json_put_array_begin(answer);
        while (count-- > 0 && plan_next(&plan, zone, &at, &o)) {
                json_put_object_begin(answer);
                json_put_key_time(answer, "due", o.due);
                json_put_key_string(answer, "local", local_text(&o.local, local));
                json_put_key_string(answer, "note", o.after_gap ? "after-gap" : o.first_pass ? "first-pass" : NULL);
                json_put_object_end(answer);
                at.has_local = true;
                at.local = o.local;
        }
        json_put_array_end(answer);
        return 0;
}

int schedule_runs(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        int64_t count;
        Schedule s;
        Query *query;

        int r = find(c, request->id, &s, problem);
        if (r == 0)
                r = read_count(request, &count, problem);
        if (r != 0)
                return r;
        QueryRequest q = { .dataset = dataset_find("runs"), .limit = dict_find(request->options, "count") ? count : PREVIEW_MAX, .parent = s.n };
        r = list_compile(c, &q, &query, problem);
        return r != 0 ? r : query_run(c->db, query, QUERY_ARRAY, answer, NULL);
}

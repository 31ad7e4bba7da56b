/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/access.h"
#include "daemon/action/export-order.h"
#include "daemon/action/generate-order.h"
#include "daemon/action/json-list.h"
#include "daemon/action/report-template-action.h"
#include "daemon/action/resolve.h"
#include "daemon/model/unicode.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/schedule-store.h"
#include "daemon/store/setting-store.h"

const char *const report_sections[] = { "facts", "subscriptions", "jobs", "storage", "incidents", "subscription-states", NULL };
const char *const report_template_preview_options[] = { "customer", NULL };
const char *const report_template_delete_options[] = { "force", NULL };

static int find(Context *c, const char *reference, ReportTemplate *ret, Problem *problem) {
        const char *name = reference;
        Problem ignored;

        if (text_check(c->arena, "id", TEXT_ONE_LINE, 1, 200, &name, &ignored) != 0)
                name = reference;
        int r = report_template_find(c->db, c->arena, name, ret);
        r = access_found(c, "report-templates", &ret->n, r);
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-report-template", NULL, "there is no report template \"%.80s\"; report-template list shows them",
                                   name);
        if (r > 0)
                c->trail.object = id_text(ret->id, arena_alloc(c->arena, ID_TEXT_SIZE));
        return MIN(r, 0);
}

static int apply_sections(Context *c, ReportTemplate *t, const Dict *fields, Problem *problem) {
        const char *const *sections = NULL;
        size_t n = 0;

        int r = dict_strings(fields, "sections", &sections, &n, problem);
        if (r != 0 || !dict_find(fields, "sections"))
                return r;
        for (size_t i = 0; i < n; i++) {
                if (names_find(report_sections, sections[i]) < 0) {
                        Buffer list = {};
                        names_join(&list, report_sections);
                        problem_set(problem, PROBLEM_INVALID_ARGUMENT, "unknown-word", "sections", "\"%.60s\" is no section; there are %s", sections[i], buffer_string(&list));
                        buffer_done(&list);
                        return 1;
                }
                for (size_t k = 0; k < i; k++)
                        if (str_equal(sections[i], sections[k]))
                                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "doubled-section", "sections", "the section %s is named twice", sections[i]);
        }
        if (n == 0)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "sections", "a report template needs at least one section");
        t->sections = json_list(c->arena, sections, n);
        return 0;
}

static int apply_customers(Context *c, ReportTemplate *t, const Dict *fields, Problem *problem) {
        const char *const *names = NULL, **ids;
        size_t n = 0;

        int r = dict_strings(fields, "customers", &names, &n, problem);
        if (r != 0 || !dict_find(fields, "customers"))
                return r;
        if (n > TEMPLATE_CUSTOMERS_MAX)
                return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-many-customers", "customers", "a template names at most %d customers, not %zu", TEMPLATE_CUSTOMERS_MAX, n);
        ids = arena_alloc(c->arena, (n + 1) * sizeof(*ids));
        for (size_t i = 0; i < n; i++) {
                const char *organization;
                int64_t key;
                Id id;
                r = customer_resolve(c, names[i], &key, problem);
                if (r == 0)
                        r = MIN(customer_identity(c, key, &id, &organization), 0);
                if (r != 0)
                        return r;
                ids[i] = id_text(id, arena_alloc(c->arena, ID_TEXT_SIZE));
        }
        t->customers = json_list(c->arena, ids, n);
        return 0;
}

static int apply_selector(Context *c, ReportTemplate *t, const Dict *fields, Problem *problem) {
        Query *query;

        int r = dict_string(fields, "selector", &t->selector, problem);
        if (r != 0)
                return r;
        if (str_empty(t->selector)) {
                t->selector = NULL;
                return 0;
        }
        if (!str_equal(t->customers, "[]"))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "two-kinds", "selector", "a template names its customers or picks them by a selector, not both");
        QueryRequest q = { .dataset = dataset_find("customers"), .selector = t->selector };
        return list_compile(c, &q, &query, problem);
}

static int apply(Context *c, ReportTemplate *t, const Dict *fields, Problem *problem) {
        static const char *const keys[] = { "name", "sections", "customers", "selector", "language", "format", NULL };

        int r = dict_check_keys(fields, "a report template", keys, problem);
        if (r == 0)
                r = dict_string(fields, "name", &t->name, problem);
        if (r == 0 && str_empty(t->name))
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "name", "a report template needs a name");
        if (r == 0)
                r = text_check(c->arena, "name", TEXT_ONE_LINE, 1, 200, &t->name, problem);
        if (r != 0)
                return r;
        t->name_key = text_key(c->arena, t->name);
        r = apply_sections(c, t, fields, problem);
        if (r == 0)
                r = apply_customers(c, t, fields, problem);
        if (r == 0)
                r = apply_selector(c, t, fields, problem);
        if (r == 0)
                r = dict_string(fields, "language", &t->language, problem);
        if (r == 0 && str_empty(t->language))
                t->language = NULL;
        if (r == 0 && t->language)
                r = language_check(c->arena, "language", &t->language, problem);
        if (r == 0 && dict_find(fields, "format"))
                r = dict_word(fields, "format", (const char *const[]) { "pdf", "xlsx", NULL }, &t->format, problem);
        return r;
}

static const char *object(Context *c, const ReportTemplate *t) {
        Buffer b = {};
        json_put_object_begin(&b);
        json_put_key_string(&b, "name", t->name);
        json_put_key_raw(&b, "sections", t->sections, strlen(t->sections));
        json_put_key_raw(&b, "customers", t->customers, strlen(t->customers));
        json_put_key_string(&b, "selector", t->selector);
        json_put_key_string(&b, "language", t->language);
        json_put_key_string(&b, "format", t->format);
        json_put_object_end(&b);
        return buffer_into(&b, c->arena);
}

static int name_free(Context *c, const ReportTemplate *t, Problem *problem) {
        ReportTemplate other;
        int r = report_template_find(c->db, c->arena, t->name, &other);
        if (r <= 0 || other.n == t->n)
                return MIN(r, 0);
        return problem_set(problem, PROBLEM_EXISTS, "report-template-exists", "name", "there is a report template %.80s already: edit it, or choose another name", t->name);
}

static void changed(Context *c, const ReportTemplate *t) {
        c->trail.object = id_text(t->id, arena_alloc(c->arena, ID_TEXT_SIZE));
        turn_effect(c->db, (Effect) { .type = EFFECT_CHANGED, .kind = "report-template", .id = t->id });
}

static ReportTemplate template_new(Context *c) {
        return (ReportTemplate) {
                .id = id_new(), .sections = "[\"facts\",\"subscriptions\",\"jobs\",\"storage\",\"incidents\",\"subscription-states\"]", .customers = "[]",
                .format = "pdf", .owner = c->caller->uid, .created = c->now,
        };
}

int report_template_create(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        ReportTemplate t = template_new(c);
        int r = apply(c, &t, request->fields, problem);
        if (r == 0)
                r = name_free(c, &t, problem);
        if (r == 0)
                r = report_template_insert(c->db, &t);
        if (r != 0)
                return r;
        c->trail.after = object(c, &t);
        changed(c, &t);
        answer_object(answer, t.id, t.revision);
        return 0;
}

/* What all may use is changed by its maker and administrators. Beside them, whoever has a role for all customers may edit one,
 * unless somebody else's schedules make with their owners' rights what it says. */
static int may_change(Context *c, const ReportTemplate *t, Problem *problem) {
        if (c->caller->all || c->caller->uid == t->owner)
                return 0;
        int r = c->scope ? 1 : schedule_of_others(c->db, t->n, c->caller->uid);
        return r <= 0 ? r : problem_set(problem, PROBLEM_REFUSED, "not-yours", NULL, "the report template %.80s was made by somebody else%s: create one of your own",
                                        t->name, c->scope ? "" : ", and schedules of others use it");
}

int report_template_edit(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        ReportTemplate t;
        if (request->n_ids != 1)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "one-at-a-time", "ids", "report templates are edited one at a time, not %zu", request->n_ids);
        int r = find(c, request->ids[0], &t, problem);
        if (r == 0)
                r = may_change(c, &t, problem);
        if (r == 0)
                r = request_check_revision(request, t.revision, problem);
        if (r != 0)
                return r;
        c->trail.before = object(c, &t);
        r = apply(c, &t, request->fields, problem);
        if (r == 0)
                r = name_free(c, &t, problem);
        if (r == 0)
                r = report_template_update(c->db, &t);
        if (r != 0)
                return r;
        c->trail.after = object(c, &t);
        changed(c, &t);
        answer_object(answer, t.id, t.revision);
        return 0;
}

/* In use: refused, with its users; by force they are paused, since there is nothing they could run. Under a scope others'
 * schedules are not seen, so they are neither named nor paused. */
static int check_unused(Context *c, const Request *request, const ReportTemplate *t, Problem *problem) {
        Id users[PROBLEM_CANDIDATES_MAX];
        char id[ID_TEXT_SIZE];
        bool force = false;
        size_t n = 0;

        int r = dict_bool(request->options, "force", &force, problem);
        if (r != 0)
                return r;
        int others = c->scope ? schedule_of_others(c->db, t->n, c->caller->uid) : 0;
        r = others < 0 ? others : schedule_uses_template(c->db, t->n, c->scope ? c->caller->uid : -1, users, ELEMENTSOF(users), &n);
        if (r < 0 || (n == 0 && !others))
                return r;
        if (force && !others)
                return schedule_pause_template(c->db, t->n, arena_printf(c->arena, "template-deleted: its report template %s was deleted", t->name));
        problem_set(problem, PROBLEM_REFUSED, "in-use", NULL, others ? "schedules of others use the report template %.80s: it stays until they let go of it"
                                                                     : "schedules use the report template %.80s: change or delete them first, or --force pauses them", t->name);
        for (size_t i = 0; i < n; i++)
                problem_add_candidate(problem, id_text(users[i], id));
        return 1;
}

int report_template_delete_action(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        ReportTemplate t;
        int r = find(c, request->id, &t, problem);
        if (r == 0 && c->scope)
                r = may_change(c, &t, problem);
        if (r == 0)
                r = request_check_revision(request, t.revision, problem);
        if (r == 0)
                r = check_unused(c, request, &t, problem);
        if (r == 0)
                r = report_template_delete(c->db, t.n);
        if (r != 0)
                return r;
        c->trail.before = object(c, &t);
        changed(c, &t);
        answer_object(answer, t.id, t.revision);
        return 0;
}

int report_template_show(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        ReportTemplate t;
        int r = find(c, request->id, &t, problem);
        return r != 0 ? r : list_one(c, dataset_find("report-templates"), t.id, answer, problem);
}

int report_template_preview(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        GenerateOrder order = {};
        const char *customer = NULL;
        int64_t *keys;
        ReportTemplate t;
        size_t n;

        int r = find(c, request->id, &t, problem);
        if (r == 0)
                r = dict_string(request->options, "customer", &customer, problem);
        if (r == 0 && customer)
                r = customer_resolve(c, customer, &order.customer, problem);
        if (r == 0)
                r = generate_customers(c, &order, &t, &keys, &n, problem);
        if (r != 0)
                return r;
        json_put_object_begin(answer);
        json_put_key_string(answer, "name", t.name);
        json_put_key_raw(answer, "sections", t.sections, strlen(t.sections));
        json_put_key_string(answer, "format", t.format);
        json_put_key(answer, "customers");
        json_put_array_begin(answer);
        for (size_t i = 0; i < n && r >= 0; i++) {
                Customer *of;
                r = customer_load(c->db, c->arena, keys[i], &of);
                if (r > 0)
                        json_put_string(answer, of->organization);
        }
        json_put_array_end(answer);
        json_put_object_end(answer);
        return MIN(r, 0);
}

int report_template_ship(Context *c) {
        const char *done = NULL;
        int r = setting_get(c->db, c->arena, "report-template-shipped", &done);
        if (r != 0)
                return MIN(r, 0);
        ReportTemplate t = template_new(c);
        t.name = t.name_key = "monthly";
        r = report_template_insert(c->db, &t);
        return r < 0 ? r : setting_put(c->db, "report-template-shipped", "1");
}

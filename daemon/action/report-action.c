/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/action/access.h"
#include "daemon/action/deliver.h"
#include "daemon/action/export-order.h"
#include "daemon/action/generate-order.h"
#include "daemon/action/json-list.h"
#include "daemon/action/operation-start.h"
#include "daemon/action/outbox.h"
#include "daemon/action/report-action.h"
#include "daemon/action/resolve.h"
#include "daemon/model/address.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/report-store.h"
#include "daemon/store/task-store.h"

enum { RECIPIENTS_OF_REPORT_MAX = 500 };

const char *const report_generate_options[] = { "template", "to", "to_customer", "language", "format", NULL };
const char *const report_send_options[] = { "to", "to_customer", NULL };

int report_export(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        ExportOrder order;

        int r = export_order_check(c, request->fields, &order, problem);
        if (r != 0)
                return r;
        if (!order.file_name)
                order.file_name = export_file_name(c->arena, order.kind, order.format, c->now);
        Task task = {
                .kind = "export", .lane = "people", .due = c->now, .created = c->now, .owner = c->caller->uid, .granted = c->caller->granted, .arguments = export_order_json(c->arena, &order),
        };
        r = task_insert(c->db, &task);
        if (r < 0)
                return r;
        c->trail.object = id_text(task.id, arena_alloc(c->arena, ID_TEXT_SIZE));
        json_put_object_begin(answer);
        json_put_key_id(answer, "task", task.id);
        json_put_object_end(answer);
        return 0;
}

/* For the nouns that have this verb, too: the kind is theirs. */
static int export_own(Context *c, const Request *request, const char *kind, Buffer *answer, Problem *problem) {
        Request own = *request;
        Dict fields = {};

        if (dict_find(request->fields, "kind"))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "unknown-key", "kind", "this export is always of kind %s: leave kind out", kind);
        for (size_t i = 0; i < request->fields->n; i++)
                dict_add(c->arena, &fields, request->fields->entries[i].key, request->fields->entries[i].value);
        dict_add(c->arena, &fields, "kind", (Value) { VALUE_STRING, .string = kind });
        own.fields = &fields;
        return report_export(c, &own, answer, problem);
}

int audit_export(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        return export_own(c, request, "audit", answer, problem);
}

int operation_export(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        return export_own(c, request, "operation", answer, problem);
}

static int find(Context *c, const char *reference, Report *ret, Problem *problem) {
        Id id;
        int r = id_parse(reference, &id) ? report_find(c->db, c->arena, id, ret) : 0;
        r = access_found(c, "reports", &ret->n, r);
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-report", NULL, "there is no report \"%.60s\"; report list shows them", reference);
        return MIN(r, 0);
}

int report_show(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Report report;
        int r = find(c, request->id, &report, problem);
        return r != 0 ? r : list_one(c, dataset_find("reports"), report.id, answer, problem);
}

int report_file(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Report report;
        int r = find(c, request->id, &report, problem);
        if (r == 0)
                buffer_add_string(answer, report.path);
        return r;
}

/* ---- for somebody ---- */

static int read_recipients(Context *c, const Dict *options, const char ***ret, size_t *ret_n, bool *ret_to_customer, Problem *problem) {
        const char *const *texts = NULL;
        size_t n = 0;

        *ret_n = 0;
        int r = dict_strings(options, "to", &texts, &n, problem);
        if (r == 0)
                r = dict_bool(options, "to_customer", ret_to_customer, problem);
        return r != 0 ? r : address_list_check(c->arena, "to", texts, n, RECIPIENTS_OF_REPORT_MAX, ret, ret_n, problem);
}

static void put_warning(Context *c, Buffer *answer) {
        const char *warning = outbox_warning(c);
        if (warning)
                answer_warning(answer, warning);
}

int report_generate(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        static const char *const formats[] = { "pdf", "xlsx", NULL };
        const char *name = NULL, **recipients = NULL;
        GenerateOrder order = {};
        ReportTemplate template;

        int r = customer_resolve(c, request->id, &order.customer, problem);
        if (r == 0)
                r = dict_string(request->options, "template", &name, problem);
        if (r == 0 && str_empty(name))
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "template", "which report template? report-template list shows them");
        if (r != 0)
                return r;
        r = report_template_find(c->db, c->arena, name, &template);
        r = access_found(c, "report-templates", &template.n, r);
        if (r < 0)
                return r;
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-report-template", "template", "there is no report template \"%.80s\"; report-template list shows them", name);
        if (!str_equal(template.customers, "[]") || template.selector)
                return problem_set(problem, PROBLEM_REFUSED, "has-customers", "template",
                                   "the report template %.80s has its own customers and runs for them on its schedule: choose one without", template.name);
        order.template = template.n;
        order.report = id_text(id_new(), arena_alloc(c->arena, ID_TEXT_SIZE));
        r = read_recipients(c, request->options, &recipients, &order.n_recipients, &order.to_customer, problem);
        order.recipients = recipients;
        if (r == 0)
                r = dict_string(request->options, "language", &order.language, problem);
        if (r == 0 && order.language)
                r = language_check(c->arena, "language", &order.language, problem);
        if (r == 0 && dict_find(request->options, "format"))
                r = dict_word(request->options, "format", formats, &order.format, problem);
        Task task = { .kind = "generate", .lane = "people", .due = c->now, .created = c->now, .owner = c->caller->uid, .granted = c->caller->granted };
        if (r == 0)
                r = generate_arguments(c, &order, &task.arguments, problem);
        if (r == 0)
                r = task_insert(c->db, &task);
        if (r != 0)
                return r;
        c->trail.object = order.report;
        c->trail.customer = order.customer;
        json_put_object_begin(answer);
        json_put_key_string(answer, "id", order.report);
        json_put_key_id(answer, "task", task.id);
        json_put_object_end(answer);
        return answer_queue_warnings(c, order.n_recipients > 0 || order.to_customer ? outbox_warning(c) : NULL, answer);
}

/* Those named, and those of the customer's service reports. */
static int deliver_to(Context *c, const Report *report, const char **recipients, size_t n, bool to_customer, Problem *problem) {
        Customer *customer;

        if (to_customer) {
                int r = report->customer ? customer_load(c->db, c->arena, report->customer, &customer) : 0;
                if (r < 0)
                        return r;
                if (r == 0)
                        return problem_set(problem, PROBLEM_REFUSED, "no-customer", "to_customer", "the report is of no single customer: name the recipients (--to)");
                size_t k;
                const char **more = json_list_read(c->arena, customer->service_reports_recipients, &k);
                const char **all = arena_alloc(c->arena, (n + k + 1) * sizeof(*all));
                for (size_t i = 0; i < n + k; i++)
                        all[i] = i < n ? recipients[i] : more[i - n];
                r = address_list_check(c->arena, "to", all, n + k, RECIPIENTS_OF_REPORT_MAX, &recipients, &n, problem);
                if (r != 0)
                        return r;
        }
        if (n == 0)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "to", "to whom? give --to ADDRESS or --to-customer");
        return deliver_report(c, report, report->run ? "schedule" : "report", recipients, n, true);
}

/* A restored database knows reports whose files it does not bring back. */
static int check_file(Context *c, const Report *report, Problem *problem) {
        if (access(arena_printf(c->arena, "%s/%s", c->settings->state, report->path), F_OK) == 0)
                return 0;
        return problem_set(problem, PROBLEM_REFUSED, "file-gone", NULL, "the file of the report is gone: make it again by report export or report generate");
}

int report_send(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        const char **recipients = NULL;
        bool to_customer = false;
        Report report;
        size_t n = 0;

        int r = find(c, request->id, &report, problem);
        if (r == 0)
                r = check_file(c, &report, problem);
        if (r == 0)
                r = read_recipients(c, request->options, &recipients, &n, &to_customer, problem);
        if (r == 0)
                r = deliver_to(c, &report, recipients, n, to_customer, problem);
        if (r != 0)
                return r;
        c->trail.object = id_text(report.id, arena_alloc(c->arena, ID_TEXT_SIZE));
        c->trail.customer = report.customer;
        json_put_object_begin(answer);
        json_put_key_id(answer, "id", report.id);
        put_warning(c, answer);
        json_put_object_end(answer);
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "common/text.h"
#include "common/time.h"
#include "daemon/action/access.h"
#include "daemon/action/deliver.h"
#include "daemon/action/generate-order.h"
#include "daemon/action/export-order.h"
#include "daemon/action/json-list.h"
#include "daemon/action/list-action.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/partner-store.h"
#include "daemon/task/figures.h"
#include "daemon/task/kinds.h"
#include "daemon/task/run-end.h"

/* Reports by a template: one document for each customer, its sections in the template's order. */

enum { NAME_PART = 81, FILE_NAME_SIZE = 201 };

typedef struct Generate {
        GenerateOrder order;
        ReportTemplate template;
        int64_t *customers;
        size_t n;
        Report *reports;                     /* as many */
        const Selector *scope;               /* of its owner: whose reports there are, and who may get them */
} Generate;

typedef struct Document {
        ReportFile file;
        const Customer *customer;
        const char *id;                      /* the customer's, as text */
        const char *language;
        Usec now;
} Document;

/* ---- words ---- */

static const struct {
        const char *section, *en, *de;
} headings[] = {
        { "facts", "Customer", "Kunde" },
        { "subscriptions", "Subscriptions", "Abonnements" },
        { "jobs", "Jobs of the last 30 days", "Aufträge der letzten 30 Tage" },
        { "storage", "Storage over 12 months", "Speicher über 12 Monate" },
        { "incidents", "Incidents", "Vorfälle" },
        { "subscription-states", "Subscriptions by state", "Abonnements nach Zustand" },
};

static const char *heading(const char *section, const char *language) {
        for (size_t i = 0; i < ELEMENTSOF(headings); i++)
                if (str_equal(headings[i].section, section))
                        return language_is(language, "de") ? headings[i].de : headings[i].en;
        return section;
}

/* ---- sections ---- */

static int put_fact(Document *d, const char *label, const char *value) {
        Buffer row = {};

        json_put_array_begin(&row);
        json_put_string(&row, label);
        json_put_string(&row, value);
        json_put_array_end(&row);
        int r = report_section_row(&d->file, &row);
        buffer_done(&row);
        return r;
}

static const char *joined(Arena *a, const char *json) {
        size_t n;
        const char **items = json_list_read(a, json, &n);
        const char *text = NULL;

        for (size_t i = 0; i < n; i++)
                text = text ? arena_printf(a, "%s, %s", text, items[i]) : items[i];
        return text;
}

static int put_facts(Document *d, const char *members) {
        static const char columns[] = "[{\"name\":\"label\",\"type\":\"text\"},{\"name\":\"value\",\"type\":\"text\"}]";
        const Customer *c = d->customer;
        Arena *a = d->file.work->arena;
        bool de = language_is(d->language, "de");
        char date[TIME_TEXT_SIZE];

        const char *const facts[][2] = {
                { de ? "Organisation" : "Organization", c->organization },
                { de ? "Registriertes Konto" : "Registered account", c->registered_account },
                { de ? "Land" : "Country", c->country },
                { de ? "Verwaltet von" : "Managed by", management_mode_names[c->management_mode] },
                { de ? "Zustand" : "State", customer_state_names[c->state] },
                { "Status", c->status },
                { de ? "Dienste" : "Services", joined(a, c->services) },
                { "Tags", joined(a, c->tags) },
                { de ? "Kunde seit" : "Customer since", date_text(c->created, date) },
        };
        int r = report_section_begin(&d->file, heading("facts", d->language), arena_printf(a, "%s,\"facts\":true", members), columns);
        for (size_t i = 0; i < ELEMENTSOF(facts) && r >= 0; i++)
                if (!str_empty(facts[i][1]))
                        r = put_fact(d, facts[i][0], facts[i][1]);
        return r;
}

static int put_subscriptions(Document *d, const char *members) {
        static const char *const columns[] = { "service", "type", "source", "seats", "state", "expires" };
        Work *work = d->file.work;
        const QueryRequest q = {
                .dataset = dataset_find("subscriptions"), .columns = columns, .n_columns = ELEMENTSOF(columns),
                .selector = arena_printf(work->arena, "customer = %s", d->id), .uid = work->caller.uid,
        };
        Query *query;
        int r = query_compile(work->arena, &q, &query, &work->problem);
        return r != 0 ? r : report_section_query(&d->file, heading("subscriptions", d->language), members, query);
}

/* Nothing opens incidents yet: the section is there, with no rows. */
static int put_incidents(Document *d, const char *members) {
        static const char columns[] = "[{\"name\":\"opened\",\"type\":\"time\"},{\"name\":\"condition\",\"type\":\"text\"},{\"name\":\"severity\",\"type\":\"text\"},"
                                      "{\"name\":\"state\",\"type\":\"text\"}]";
        return report_section_begin(&d->file, heading("incidents", d->language), members, columns);
}

static int put_section(Document *d, const char *section, const char *document) {
        Buffer members = {};
        const char *name = heading(section, d->language);
        int64_t n = d->customer->n;
        int r;

        if (document) {
                buffer_add_string(&members, document);
                buffer_add_char(&members, ',');
        }
        buffer_add_string(&members, "\"heading\":");
        Buffer text = {};
        json_put_string(&text, name);
        buffer_add(&members, text.data, text.size);
        buffer_done(&text);
        const char *all = buffer_string(&members);
        if (str_equal(section, "facts"))
                r = put_facts(d, all);
        else if (str_equal(section, "subscriptions"))
                r = put_subscriptions(d, all);
        else if (str_equal(section, "jobs"))
                r = figures_jobs(&d->file, n, d->now, name, all);
        else if (str_equal(section, "storage"))
                r = figures_storage(&d->file, n, d->now, name, all);
        else if (str_equal(section, "subscription-states"))
                r = figures_subscriptions(&d->file, n, name, all);
        else
                r = put_incidents(d, all);
        buffer_done(&members);
        return r;
}

/* ---- documents ---- */

static int put_sections(Work *work, Generate *g, Document *d) {
        Buffer document = {};
        size_t n;
        const char **sections = json_list_read(work->arena, g->template.sections, &n);

        int r = report_document(&d->file, d->customer, g->template.name, d->language, &document);
        if (r >= 0)
                r = work_snapshot_begin(work);
        if (r >= 0) {
                for (size_t i = 0; i < n && r == 0; i++)
                        r = put_section(d, sections[i], i == 0 ? buffer_string(&document) : NULL);
                work_snapshot_end(work);
        }
        buffer_done(&document);
        return r;
}

static const char *file_name(Work *work, const Generate *g, const Document *d) {
        char date[TIME_TEXT_SIZE];

        if (g->order.file_name)
                return g->order.file_name;
        char template[NAME_PART], organization[NAME_PART];
        text_copy_cut(template, sizeof(template), g->template.name);
        text_copy_cut(organization, sizeof(organization), d->customer->organization);
        const char *name = arena_printf(work->arena, "%s-%s-%s.%s", template, organization, date_text(d->now, date), g->order.format);
        char *clean = arena_alloc(work->arena, FILE_NAME_SIZE);
        text_copy_cut(clean, FILE_NAME_SIZE, name);
        for (char *p = clean; *p; p++)
                if (*p == '/' || (*p == '.' && p == clean))
                        *p = '_';
        return clean;
}

static int generate_one(Work *work, Generate *g, size_t i, const char *language) {
        char date[TIME_TEXT_SIZE], id[ID_TEXT_SIZE];
        Report *report = &g->reports[i];
        Customer *customer;
        Document d = { .now = clock_now() };

        int r = customer_load(work->reader, work->arena, g->customers[i], &customer);
        if (r <= 0)
                return r;                    /* gone meanwhile: no report */
        d.customer = customer;
        d.id = arena_strdup(work->arena, id_text(customer->id, id));
        d.language = g->order.language ?: g->template.language ?: customer->language ?: language;
        *report = (Report) {
                .kind = "template", .format = g->order.format, .task = work->task.n, .owner = work->task.owner, .customer = customer->n,
                .file_name = file_name(work, g, &d), .template = g->template.name, .run = g->order.run, .data_date = arena_strdup(work->arena, date_text(d.now, date)),
        };
        r = report_file_begin(&d.file, work, report, (int) i + (g->n > 1));
        if (r == 0)
                r = put_sections(work, g, &d);
        if (r == 0)
                r = report_file_render(&d.file);
        return report_file_end(&d.file, r);
}

/* 0: it was deleted. */
static int load_template(Work *work, const GenerateOrder *order, ReportTemplate *ret) {
        char id[ID_TEXT_SIZE];
        int r = report_template_load(work->reader, work->arena, order->template, ret);
        return r > 0 && order->template_id ? str_equal(id_text(ret->id, id), order->template_id) : r;
}

static int generate_work(Work *work) {
        Generate *g = arena_alloc(work->arena, sizeof(*g));
        Partner partner;

        work->state = g;
        int r = generate_order_read(work->arena, work->task.arguments, &g->order);
        if (r >= 0)
                r = partner_load(work->reader, work->arena, &partner);
        if (r >= 0)
                r = load_template(work, &g->order, &g->template);
        if (r == 0)
                return problem_set(&work->problem, PROBLEM_NOT_FOUND, "no-such-report-template", NULL, "its report template was deleted");
        Context c = work_context(work);
        if (r > 0)
                r = access_enter(&c, "report.generate", &work->problem) ?: 1;
        if (r > 0 && !work->problem.kind)
                r = generate_customers(&c, &g->order, &g->template, &g->customers, &g->n, &work->problem);
        if (r != 0)
                return r;
        g->scope = c.scope;
        g->reports = arena_alloc(work->arena, (g->n + 1) * sizeof(*g->reports));
        for (size_t i = 0; i < g->n && r == 0; i++)
                r = atomic_load(&work->cancel) ? -ECANCELED : generate_one(work, g, i, partner.language ?: PARTNER_LANGUAGE_DEFAULT);
        return r;
}

/* ---- on the loop ---- */

/* Those named, and the recipients of the customer's service reports: by a run always, by hand if asked for. */
static int deliver(Context *c, const Generate *g, const Report *report) {
        Customer *customer;
        size_t n = 0;

        int r = deliver_report(c, report, "report", g->order.recipients, g->order.n_recipients, false);
        if (r >= 0 && (g->order.run || g->order.to_customer))
                r = customer_load(c->db, c->arena, report->customer, &customer);
        if (r <= 0 || !(customer->service_reports_enabled || g->order.to_customer))
                return MIN(r, 0);
        const char **recipients = json_list_read(c->arena, customer->service_reports_recipients, &n);
        return deliver_report(c, report, g->order.run ? "schedule" : "report", recipients, n, false);
}

static int generate_settle(Work *work, Context *c) {
        Generate *g = work->state;
        int64_t first = 0;
        int r = 0;

        if (work->result > 0) {
                r = run_refused(c, g->order.run, work->task.n, &work->problem);
                return r < 0 ? r : SETTLE_DONE;
        }
        c->scope = g->scope;
        for (size_t i = 0; i < g->n && r >= 0; i++) {
                Report *report = &g->reports[i];
                if (!report->path)
                        continue;
                if (!g->order.report || g->n != 1 || !id_parse(g->order.report, &report->id))
                        report->id = id_new();
                report->created = c->now;
                r = run_keep_report(c, report);
                if (r >= 0)
                        r = deliver(c, g, report);
                first = first ?: report->n;
        }
        if (r >= 0)
                r = run_end(c, g->order.run, work->task.n, first);
        if (r >= 0)
                r = task_forget_arguments(c->db, work->task.n);
        return r < 0 ? r : SETTLE_DONE;
}

const TaskKind generate_kind = { .kind = "generate", .work = generate_work, .settle = generate_settle, .attempts_max = 8 };

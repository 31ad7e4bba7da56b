/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "common/time.h"
#include "daemon/action/access.h"
#include "daemon/action/export-order.h"
#include "daemon/store/customer-store.h"
#include "daemon/task/figures.h"
#include "daemon/task/kinds.h"
#include "daemon/task/report-file.h"
#include "daemon/task/run-end.h"

/* An export: one query's rows in a file. */

typedef struct Export {
        ExportOrder order;
        Report report;
        const Selector *scope;               /* of its owner: what is in it, and who may get it */
        bool sums;                           /* those of all its rows' kind may be drawn: the owner sees all of them */
} Export;

/* Kinds that people look at rather than read get a picture of their sums beside the rows. */
static int add_figures(ReportFile *f, const Export *e, Usec now) {
        if (!e->sums)
                return 0;
        if (str_equal(e->order.kind, "jobs"))
                return figures_jobs(f, e->order.customer, now, "chart", NULL);
        if (str_equal(e->order.kind, "storage"))
                return figures_storage(f, e->order.customer, now, "chart", NULL);
        if (str_equal(e->order.kind, "subscriptions"))
                return figures_subscriptions(f, e->order.customer, "chart", NULL);
        return 0;
}

static int write_document(Work *work, ReportFile *f, const Export *e, const Query *query) {
        _cleanup_(buffer_done) Buffer members = {};
        const Context c = work_context(work);
        Customer *customer = NULL;
        int r = 0;

        if (e->order.customer)
                r = customer_load(work->reader, work->arena, e->order.customer, &customer);
        if (r >= 0)
                r = report_document(f, customer, e->order.kind, NULL, &members);
        if (r >= 0)
                r = work_snapshot_begin(work);
        if (r < 0)
                return r;
        r = report_section_query(f, e->order.kind, buffer_string(&members), query);
        if (r == 0)
                r = add_figures(f, e, c.now);
        work_snapshot_end(work);
        return r != 0 ? r : report_file_render(f);
}

static int may_see(Context *c, int64_t customer, Problem *problem) {
        int r = access_customer(c, customer);
        return r != 0 ? MIN(r, 0) : problem_set(problem, PROBLEM_NOT_FOUND, "no-such-customer", "customer", "the customer is gone");
}

static int export_work(Work *work) {
        Export *e = arena_alloc(work->arena, sizeof(*e));
        char date[TIME_TEXT_SIZE];
        ReportFile file;
        Query *query;

        work->state = e;
        int r = export_order_read(work->arena, work->task.arguments, &e->order);
        if (r < 0)
                return r;
        Context c = work_context(work);
        r = access_enter(&c, export_verb(e->order.kind), &work->problem);
        if (r == 0 && e->order.customer)
                r = may_see(&c, e->order.customer, &work->problem);
        if (r == 0)
                r = export_order_query(&c, &e->order, &query, &work->problem);
        if (r != 0)
                return r;
        e->scope = c.scope;
        e->sums = !c.scope || e->order.customer;
        e->report = (Report) {
                .kind = e->order.kind, .format = e->order.format, .task = work->task.n, .owner = work->task.owner, .customer = e->order.customer,
                .file_name = e->order.file_name ?: export_file_name(work->arena, e->order.kind, e->order.format, c.now), .run = e->order.run,
                .data_date = arena_strdup(work->arena, date_text(c.now, date)),
        };
        bool document = str_equal(e->order.format, "xlsx") || str_equal(e->order.format, "pdf");
        r = report_file_begin(&file, work, &e->report, 0);
        if (r == 0)
                r = document ? write_document(work, &file, e, query) : report_file_text(&file, query, e->order.no_bom);
        return report_file_end(&file, r);
}

static int export_settle(Work *work, Context *c) {
        Export *e = work->state;

        if (work->result > 0) {
                int k = run_refused(c, e->order.run, work->task.n, &work->problem);
                return k < 0 ? k : SETTLE_DONE;
        }
        c->scope = e->scope;
        e->report.id = id_new();
        e->report.created = c->now;
        int r = run_keep_report(c, &e->report);
        if (r >= 0)
                r = run_end(c, e->order.run, work->task.n, e->report.n);
        return r < 0 ? r : SETTLE_DONE;
}

const TaskKind export_kind = { .kind = "export", .work = export_work, .settle = export_settle, .attempts_max = 8 };

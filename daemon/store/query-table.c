/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/query-private.h"

/* What is compared is NULL where nothing is set; columns that are NOT NULL for an index's sake keep '' for that (SQL_BLANK). */

static const SqlColumn customer_columns[] = {
        { "id", "c.id", .exact = "c.id", .flags = SQL_NOT_NULL | SQL_COVERED | SQL_UNIQUE, .walk = "customer_by_id",
          .find = "customer_by_id", .rank = 1 },
        { "revision", "c.revision", .flags = SQL_NOT_NULL },
        { "organization", "c.organization", .key = "c.organization_key", .flags = SQL_NOT_NULL | SQL_COVERED,
          .walk = "customer_by_organization" },
        { "registered_account", "c.registered_account", .exact = "c.account_key", .flags = SQL_UNIQUE,
          .find = "customer_by_account", .rank = 2 },
        { "account_type", "c.account_type", .flags = SQL_NOT_NULL | SQL_COVERED, .find = "customer_by_account_type", .rank = 10,
          .common = "m365" },
        { "cloud", "c.cloud" },
        { "first_name", "c.first_name" },
        { "last_name", "c.last_name" },
        { "country", "c.country", "nullif(c.country, '')", .exact = "c.country", .flags = SQL_COVERED | SQL_BLANK, .find = "customer_by_country", .rank = 11 },
        { "phone", "c.phone" },
        { "data_center", "c.data_center" },
        { "language", "c.language" },
        { "time_zone", "c.time_zone" },
        { "tags", "c.tags", .table = "customer_tag", .element = "tag", .element_key = "tag_key", .rank = 3 },
        { "contacts", "c.contacts" },
        { "custom", "c.custom" },
        { "symbol", "c.symbol" },
        { "state", "c.state", .flags = SQL_NOT_NULL | SQL_COVERED, .find = "customer_by_state", .rank = 8,
          .common = "active" },
        { "management_mode", "c.management_mode", .flags = SQL_NOT_NULL | SQL_COVERED, .find = "customer_by_mode", .rank = 9,
          .common = "partner" },
        { "status", "c.status", .flags = SQL_NOT_NULL | SQL_COVERED, .find = "customer_by_status", .rank = 7,
          .common = "working" },
        { "status_reason", "c.status_reason", "nullif(c.status_reason, '')", .flags = SQL_BLANK },
        { "expired_hidden", "c.expired_hidden", .flags = SQL_NOT_NULL },
        { "services", "c.services", .table = "customer_service", .element = "service", .rank = 4 },
        { "subscriptions", "c.subscriptions", .table = "customer_subscription", .element = "state", .rank = 5 },
        { "tenants", "c.tenants", .flags = SQL_NOT_NULL },
        { "open_tickets", "c.open_tickets", .flags = SQL_NOT_NULL | SQL_COVERED },
        { "pinned", NULL, .flags = SQL_NOT_NULL | SQL_COVERED },
        { "next_expiration", "c.next_expiration" },
        { "created", "c.created", .flags = SQL_NOT_NULL | SQL_COVERED, .walk = "customer_by_created" },
        { "notification", "c.notification" },
        { "deliveries.billing.enabled", "c.billing_enabled", .flags = SQL_NOT_NULL },
        { "deliveries.billing.recipients", "c.billing_recipients" },
        { "deliveries.billing.profile", "c.billing_profile" },
        { "deliveries.service_reports.enabled", "c.service_reports_enabled", .flags = SQL_NOT_NULL },
        { "deliveries.service_reports.recipients", "c.service_reports_recipients" },
        { "account_verified", "c.account_verified", .flags = SQL_NOT_NULL },
        {},
};

const SqlColumn sql_positive_tickets = {
        "open-tickets", "c.open_tickets > 0", .flags = SQL_NOT_NULL | SQL_COVERED, .exact = "(c.open_tickets > 0)",
        .find = "customer_by_tickets", .rank = 6,
};

static const SqlColumn view_columns[] = {
        { "id", "v.id", .flags = SQL_NOT_NULL | SQL_UNIQUE, .find = "", .rank = 1 },
        { "revision", "v.revision", .flags = SQL_NOT_NULL },
        { "name", "v.name", .key = "v.name_key", .flags = SQL_NOT_NULL, .walk = "view_by_name" },
        { "selector", "v.selector", "nullif(v.selector, '')", .flags = SQL_BLANK },
        { "columns", "v.columns" },
        { "sort", "v.sort" },
        { "owner", "v.owner", .flags = SQL_NOT_NULL },
        {},
};

static const SqlColumn operation_columns[] = {
        { "id", "o.id", .flags = SQL_NOT_NULL | SQL_UNIQUE, .find = "", .rank = 1 },
        { "kind", "o.kind", .flags = SQL_NOT_NULL },
        { "state", "o.state", .flags = SQL_NOT_NULL, .find = "operation_by_state", .rank = 2 },
        { "done", "o.done", .flags = SQL_NOT_NULL },
        { "total", "o.total", .flags = SQL_NOT_NULL },
        { "ok", "o.ok", .flags = SQL_NOT_NULL },
        { "refused", "o.refused", .flags = SQL_NOT_NULL },
        { "failed", "o.failed", .flags = SQL_NOT_NULL },
        { "canceled", "o.canceled", .flags = SQL_NOT_NULL },
        { "actor", "json_object('uid', o.uid, 'name', o.user, 'on_behalf_of', o.behalf)", .value = "o.user" },
        { "created", "o.created", .flags = SQL_NOT_NULL, .walk = "operation_by_created" },
        { "finished", "o.finished" },
        {},
};

static const SqlColumn item_columns[] = {
        { "n", "i.n", .flags = SQL_NOT_NULL, .walk = "" },
        { "line", "i.line" },
        { "customer", "i.customer_id" },
        { "organization", "i.organization" },
        { "before", "i.before" },
        { "after", "i.after" },
        { "outcome", "i.outcome", .flags = SQL_NOT_NULL },
        { "reason", "i.reason" },
        { "message", "i.message" },
        { "finished", "i.finished" },
        {},
};

static const SqlColumn task_columns[] = {
        { "id", "t.id", .flags = SQL_NOT_NULL | SQL_UNIQUE, .find = "", .rank = 1 },
        { "kind", "t.kind", .flags = SQL_NOT_NULL },
        { "state", "t.state", .flags = SQL_NOT_NULL },
        { "lane", "t.lane", .flags = SQL_NOT_NULL },
        { "attempt", "t.attempt", .flags = SQL_NOT_NULL },
        { "due", "t.due", .flags = SQL_NOT_NULL },
        { "started", "t.started" },
        { "operation", "(SELECT o.id FROM operation o WHERE o.n = t.operation)" },
        { "error", "t.error" },
        { "created", "t.created", .order = "t.n", .flags = SQL_NOT_NULL, .walk = "" },
        {},
};

static const SqlColumn report_columns[] = {
        { "id", "r.id", .flags = SQL_NOT_NULL | SQL_UNIQUE, .find = "", .rank = 1 },
        { "kind", "r.kind", .flags = SQL_NOT_NULL },
        { "format", "r.format", .flags = SQL_NOT_NULL },
        { "file_name", "r.file_name", .flags = SQL_NOT_NULL },
        { "rows", "r.rows", .flags = SQL_NOT_NULL },
        { "bytes", "r.bytes", .flags = SQL_NOT_NULL },
        { "sha256", "lower(hex(r.sha256))", .flags = SQL_NOT_NULL },
        { "data_date", "r.data_date", .flags = SQL_NOT_NULL },
        { "created", "r.created", .flags = SQL_NOT_NULL, .walk = "report_by_created" },
        { "customer", "(SELECT k.id FROM customer k WHERE k.n = r.customer)" },
        { "organization", "(SELECT k.organization FROM customer k WHERE k.n = r.customer)" },
        { "template", "r.template" },
        { "schedule", "r.schedule" },
        { "recipients", "(SELECT json_group_array(json_object('address', x.address, 'state', x.state, 'reason', x.reason)) FROM report_recipient x"
                        " WHERE x.report = r.n)" },
        { "warnings", "r.warnings" },
        {},
};

#define OF_CUSTOMER(alias) \
        { "customer", "(SELECT k.id FROM customer k WHERE k.n = " alias ".customer)" }, \
        { "organization", "(SELECT k.organization FROM customer k WHERE k.n = " alias ".customer)" }

static const SqlColumn schedule_columns[] = {
        { "id", "s.id", .flags = SQL_NOT_NULL | SQL_UNIQUE, .find = "", .rank = 1 },
        { "revision", "s.revision", .flags = SQL_NOT_NULL },
        { "export", "s.export" },
        { "template", "(SELECT k.name FROM report_template k WHERE k.n = s.template)" },
        OF_CUSTOMER("s"),
        { "frequency", "s.frequency", .flags = SQL_NOT_NULL },
        { "on", "s.on_shown" },
        { "at", "s.at", .flags = SQL_NOT_NULL },
        { "zone", "s.zone", .flags = SQL_NOT_NULL },
        { "start", "s.start", .flags = SQL_NOT_NULL },
        { "end", "s.end" },
        { "missed", "s.missed", .flags = SQL_NOT_NULL },
        { "recipients", "s.recipients", .flags = SQL_NOT_NULL },
        { "format", "s.format", .flags = SQL_NOT_NULL },
        { "columns", "s.columns" },
        { "selector", "s.selector" },
        { "file_name", "s.file_name" },
        { "state", "s.state", .flags = SQL_NOT_NULL },
        { "reason", "s.reason" },
        { "next_due", "s.next_due" },
        { "owner", "s.owner", .flags = SQL_NOT_NULL },
        { "created", "s.created", .flags = SQL_NOT_NULL, .walk = "schedule_by_created" },
        {},
};

/* A run that is queued is as far as its task is. */
#define RUN_STATE \
        "CASE WHEN u.state <> 'queued' THEN u.state ELSE coalesce((SELECT CASE k.state WHEN 'running' THEN 'running' WHEN 'dead' THEN 'failed'" \
        " WHEN 'failed' THEN 'failed' WHEN 'canceled' THEN CASE WHEN k.started IS NULL THEN 'skipped' ELSE 'failed' END ELSE 'queued' END" \
        " FROM task k WHERE k.n = u.task), 'failed') END"

/* Reports outlive schedules, and the numbers of their runs are given again. */
#define OF_SCHEDULE " AND k.schedule = (SELECT y.id FROM schedule y WHERE y.n = u.schedule)"

static const SqlColumn run_columns[] = {
        { "id", "u.id", .flags = SQL_NOT_NULL | SQL_UNIQUE, .find = "", .rank = 1 },
        { "schedule", "(SELECT k.id FROM schedule k WHERE k.n = u.schedule)" },
        { "local", "u.local" },
        { "due", "u.due", .flags = SQL_NOT_NULL },
        { "state", RUN_STATE, .flags = SQL_NOT_NULL },
        { "started", "(SELECT k.started FROM task k WHERE k.n = u.task)" },
        { "finished", "coalesce(u.finished, (SELECT k.finished FROM task k WHERE k.n = u.task))" },
        { "report", "(SELECT k.id FROM report k WHERE k.n = u.report" OF_SCHEDULE ")" },
        { "messages", "(SELECT count(x.message) FROM report k JOIN report_recipient x ON x.report = k.n WHERE k.run = u.n" OF_SCHEDULE ")",
          .flags = SQL_NOT_NULL },
        { "error", "coalesce(u.error, (SELECT k.error FROM task k WHERE k.n = u.task))" },
        { "count", "u.count", .flags = SQL_NOT_NULL },
        {},
};

static const SqlColumn message_columns[] = {
        { "id", "m.id", .flags = SQL_NOT_NULL | SQL_UNIQUE, .find = "", .rank = 1 },
        { "target", "m.target", .flags = SQL_NOT_NULL },
        { "event", "m.event", .flags = SQL_NOT_NULL },
        { "subject", "m.subject", .flags = SQL_NOT_NULL },
        { "state", "m.state", .flags = SQL_NOT_NULL },
        { "attempt", "m.attempt", .flags = SQL_NOT_NULL },
        { "next_attempt", "m.next_attempt" },
        { "created", "m.created", .flags = SQL_NOT_NULL, .walk = "message_by_created" },
        { "delivered", "m.delivered" },
        { "error", "m.error" },
        { "message_id", "m.message_id", .flags = SQL_NOT_NULL },
        { "report", "(SELECT k.id FROM report k WHERE k.n = m.report)" },
        {},
};

static const SqlColumn report_template_columns[] = {
        { "id", "p.id", .flags = SQL_NOT_NULL | SQL_UNIQUE, .find = "", .rank = 1 },
        { "revision", "p.revision", .flags = SQL_NOT_NULL },
        { "name", "p.name", .key = "p.name_key", .flags = SQL_NOT_NULL, .walk = "report_template_by_name" },
        { "sections", "p.sections", .flags = SQL_NOT_NULL },
        { "customers", "p.customers", .flags = SQL_NOT_NULL },
        { "selector", "p.selector" },
        { "language", "p.language" },
        { "format", "p.format", .flags = SQL_NOT_NULL },
        { "owner", "p.owner", .flags = SQL_NOT_NULL },
        {},
};

static const SqlColumn mail_template_columns[] = {
        { "event", "e.event", .key = "e.event", .flags = SQL_NOT_NULL, .walk = "mail_template_by_event" },
        { "language", "e.language", .flags = SQL_NOT_NULL },
        { "subject", "e.subject", .flags = SQL_NOT_NULL },
        { "body", "e.body", .flags = SQL_NOT_NULL },
        { "shipped", "e.shipped", .flags = SQL_NOT_NULL },
        {},
};

static const SqlColumn role_columns[] = {
        { "id", "l.id", .flags = SQL_NOT_NULL | SQL_UNIQUE, .find = "", .rank = 1 },
        { "revision", "l.revision", .flags = SQL_NOT_NULL },
        { "name", "l.name", .key = "l.name_key", .flags = SQL_NOT_NULL, .walk = "role_by_name" },
        { "verbs", "l.verbs", .flags = SQL_NOT_NULL },
        { "selector", "l.selector" },
        { "exclude", "l.exclude" },
        { "grants", "(SELECT json_group_array(json_object('who', x.who, 'end', x.end)) FROM (SELECT y.who, y.end FROM role_grant y WHERE y.role = l.n"
                    " ORDER BY y.who) x)" },
        {},
};

static const SqlColumn group_columns[] = {
        { "id", "h.id", .flags = SQL_NOT_NULL | SQL_UNIQUE, .find = "", .rank = 1 },
        { "revision", "h.revision", .flags = SQL_NOT_NULL },
        { "name", "h.name", .key = "h.name_key", .flags = SQL_NOT_NULL, .walk = "customer_group_by_name" },
        { "selector", "h.selector", .flags = SQL_NOT_NULL },
        { "customers", "h.n" },              /* whoever lists them puts the number of customers in its place */
        {},
};

static const SqlColumn job_columns[] = {
        { "organization", "(SELECT k.organization FROM customer k WHERE k.n = j.customer)" },
        { "tenant", "j.tenant" },
        { "service", "j.service", .flags = SQL_NOT_NULL },
        { "module", "j.module" },
        { "type", "j.type" },
        { "status", "j.status", .flags = SQL_NOT_NULL },
        { "total", "j.total" },
        { "successful", "j.successful" },
        { "failed", "j.failed" },
        { "skipped", "j.skipped" },
        { "warning", "j.warning" },
        { "bytes", "j.bytes" },
        { "start", "j.start" },
        { "end", "j.end" },
        { "external_id", "j.external_id" },
        { "message", "j.message" },
        { "customer", "(SELECT k.id FROM customer k WHERE k.n = j.customer)" },
        { "id", "j.id", .flags = SQL_NOT_NULL | SQL_UNIQUE, .find = "", .rank = 1 },
        { "moment", "j.moment", .flags = SQL_NOT_NULL, .walk = "job_by_moment" },
        {},
};

static const SqlColumn storage_columns[] = {
        { "organization", "(SELECT k.organization FROM customer k WHERE k.n = g.customer)" },
        { "service", "g.service", .flags = SQL_NOT_NULL },
        { "module", "g.module" },
        { "date", "g.date", .key = "g.date", .flags = SQL_NOT_NULL, .walk = "storage_sample_by_date" },
        { "bytes_stored", "g.bytes_stored" },
        { "bytes_byos", "g.bytes_byos" },
        { "objects_scanned", "g.objects_scanned" },
        { "objects_protected", "g.objects_protected" },
        { "customer", "(SELECT k.id FROM customer k WHERE k.n = g.customer)" },
        {},
};

static const SqlColumn subscription_columns[] = {
        { "organization", "(SELECT k.organization FROM customer k WHERE k.n = b.customer)" },
        { "service", "b.service", .flags = SQL_NOT_NULL },
        { "type", "b.type", .flags = SQL_NOT_NULL },
        { "source", "b.source", .flags = SQL_NOT_NULL },
        { "seats", "b.seats" },
        { "state", "b.state", .flags = SQL_NOT_NULL },
        { "expires", "b.expires" },
        { "customer", "(SELECT k.id FROM customer k WHERE k.n = b.customer)" },
        { "id", "b.id", .flags = SQL_NOT_NULL | SQL_UNIQUE, .walk = "", .find = "", .rank = 1 },
        {},
};

static const SqlColumn audit_columns[] = {
        { "n", "a.n", .flags = SQL_NOT_NULL, .walk = "" },
        { "time", "a.time", .flags = SQL_NOT_NULL },
        { "actor", "json_object('uid', a.uid, 'name', a.user, 'on_behalf_of', a.behalf)", .value = "a.user" },
        { "verb", "a.verb", .flags = SQL_NOT_NULL },
        { "object", "a.object", .find = "audit_by_object", .rank = 1 },
        { "outcome", "a.outcome", .flags = SQL_NOT_NULL },
        { "code", "a.code" },
        { "before", "(SELECT x.before FROM audit_value x WHERE x.audit = a.n)" },
        { "after", "(SELECT x.after FROM audit_value x WHERE x.audit = a.n)" },
        { "request_id", "a.request_id" },
        { "hash", "lower(hex(a.chain))", .flags = SQL_NOT_NULL },
        {},
};

/* A walk "" is the table itself. */
static const SqlDataset datasets[] = {
        { "customers", "customer c", "c.id", 'd', "c.n", "c.id", .time = "c.created", .customer = "c.n", .columns = customer_columns },
        { "views", "view v", "v.id", 'd', "v.n", "v.id", .columns = view_columns },
        { "operations", "operation o", "o.n", 'i', "o.n", "o.id", .time = "o.created", .owner = "o.uid", .own = true, .columns = operation_columns },
        { "items", "operation_item i", "i.n", 'i', "i.n", "i.customer_id", .parent = "i.operation", .customer = "i.customer",
          .owner = "(SELECT y.uid FROM operation y WHERE y.n = i.operation)", .columns = item_columns },
        { "tasks", "task t", "t.n", 'i', "t.n", "t.id", .time = "t.created", .owner = "t.owner", .own = true, .columns = task_columns },
        { "reports", "report r", "r.n", 'i', "r.n", "r.id", .time = "r.created", .customer = "r.customer", .owner = "r.owner",
          .columns = report_columns },
        { "audit", "audit a", "a.n", 'i', "a.n", NULL, .time = "a.time",
          .customer = "(SELECT x.customer FROM audit_value x WHERE x.audit = a.n)", .owner = "a.uid", .columns = audit_columns },
        { "schedules", "schedule s", "s.n", 'i', "s.n", "s.id", .time = "s.created", .customer = "s.customer", .owner = "s.owner", .own = true,
          .columns = schedule_columns },
        { "runs", "run u", "u.n", 'i', "u.n", "u.id", .time = "u.due", .parent = "u.schedule", .columns = run_columns },
        { "messages", "message m", "m.n", 'i', "m.n", "m.id", .time = "m.created", .customer = "m.customer",
          .owner = "(SELECT r.owner FROM report r WHERE r.n = m.report)", .columns = message_columns },
        { "report-templates", "report_template p", "p.id", 'd', "p.n", "p.id", .owner = "p.owner",
          .shared = "(p.customers = '[]' AND p.selector IS NULL)", .columns = report_template_columns },
        { "roles", "role l", "l.id", 'd', "l.n", "l.id", .columns = role_columns },
        { "groups", "customer_group h", "h.id", 'd', "h.n", "h.id", .columns = group_columns },
        { "mail-templates", "mail_template e", "e.n", 'i', "e.n", NULL, .columns = mail_template_columns },
        { "jobs", "job j", "j.n", 'i', "j.n", "j.id", .time = "j.moment", .customer = "j.customer", .columns = job_columns },
        { "storage", "storage_sample g", "g.n", 'i', "g.n", NULL, .customer = "g.customer", .columns = storage_columns },
        { "subscriptions", "subscription b", "b.n", 'i', "b.n", "b.id", .customer = "b.customer", .columns = subscription_columns },
};

const SqlDataset *sql_dataset(const Dataset *d) {
        for (size_t i = 0; i < ELEMENTSOF(datasets); i++)
                if (strcmp(datasets[i].kind, d->kind) == 0)
                        return &datasets[i];
        return NULL;
}

const SqlColumn *sql_column(const SqlDataset *d, const Dataset *dataset, const Column *c) {
        const SqlColumn *column = &d->columns[c - dataset->columns];
        assert(strcmp(column->name, c->name) == 0);
        return column;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/query-private.h"

/* What is compared is NULL where nothing is set; columns that are NOT NULL for an index's sake keep '' for that. */

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
        { "country", "nullif(c.country, '')", .exact = "c.country", .flags = SQL_COVERED, .find = "customer_by_country", .rank = 11 },
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
        { "status_reason", "nullif(c.status_reason, '')" },
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
        { "selector", "nullif(v.selector, '')" },
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
        { "template", "NULL" },
        { "schedule", "NULL" },
        { "recipients", "'[]'" },
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
        { "operations", "operation o", "o.n", 'i', "o.n", "o.id", .time = "o.created", .owner = "o.uid", .columns = operation_columns },
        { "items", "operation_item i", "i.n", 'i', "i.n", "i.customer_id", .parent = "i.operation", .customer = "i.customer",
          .columns = item_columns },
        { "tasks", "task t", "t.n", 'i', "t.n", "t.id", .time = "t.created", .owner = "t.owner", .columns = task_columns },
        { "reports", "report r", "r.n", 'i', "r.n", "r.id", .time = "r.created", .customer = "r.customer", .columns = report_columns },
        { "audit", "audit a", "a.n", 'i', "a.n", NULL, .time = "a.time",
          .customer = "(SELECT x.customer FROM audit_value x WHERE x.audit = a.n)", .columns = audit_columns },
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

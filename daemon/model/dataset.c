/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/model/dataset.h"

#define WORDS(...) ((const char *const[]) { __VA_ARGS__, NULL })

enum {
        BOTH = C_SORT | C_FILTER,
        ALL = C_SORT | C_FILTER | C_EXPORT,
};

static const char *const subscription_states[] = {
        "trial", "active", "expiring", "expired", "purged", "out-of-policy", "grace", "suspended", NULL,
};

static const Column customer_columns[] = {
        { "id", COLUMN_ID, ALL | C_INDEXED },
        { "revision", COLUMN_INT, BOTH },
        { "organization", COLUMN_TEXT, ALL | C_INDEXED },
        { "registered_account", COLUMN_TEXT, ALL },
        { "account_type", COLUMN_ENUM, ALL, WORDS("m365", "m365-gov", "google", "salesforce", "local", "link") },
        { "cloud", COLUMN_ENUM, BOTH, WORDS("commercial", "gcc", "gcc-high", "dod") },
        { "first_name", COLUMN_TEXT, ALL },
        { "last_name", COLUMN_TEXT, ALL },
        { "country", COLUMN_TEXT, ALL },
        { "phone", COLUMN_TEXT, ALL },
        { "data_center", COLUMN_TEXT, BOTH },
        { "language", COLUMN_TEXT, BOTH },
        { "time_zone", COLUMN_TEXT, BOTH },
        { "tags", COLUMN_LIST, ALL },
        { "contacts", COLUMN_JSON, 0 },
        { "custom", COLUMN_JSON, 0 },
        { "symbol", COLUMN_JSON, 0 },
        { "state", COLUMN_ENUM, ALL, WORDS("invited", "active", "disconnecting") },
        { "management_mode", COLUMN_ENUM, ALL, WORDS("partner", "customer", "unset") },
        { "status", COLUMN_ENUM, ALL,
          WORDS("not-applicable", "waiting-for-configuration", "working", "failed", "finished-with-exception",
                "multiple-issues", "no-backup-updates") },
        { "status_reason", COLUMN_TEXT, BOTH },
        { "expired_hidden", COLUMN_BOOL, BOTH },
        { "services", COLUMN_LIST, ALL },
        { "subscriptions", COLUMN_LIST, ALL, subscription_states },
        { "tenants", COLUMN_INT, ALL },
        { "open_tickets", COLUMN_INT, ALL },
        { "pinned", COLUMN_BOOL, BOTH },
        { "next_expiration", COLUMN_TIME, ALL },
        { "created", COLUMN_TIME, ALL | C_INDEXED },
        { "notification", COLUMN_TEXT, BOTH },
        { "deliveries.billing.enabled", COLUMN_BOOL, BOTH },
        { "deliveries.billing.recipients", COLUMN_LIST, BOTH },
        { "deliveries.billing.profile", COLUMN_TEXT, BOTH },
        { "deliveries.service_reports.enabled", COLUMN_BOOL, BOTH },
        { "deliveries.service_reports.recipients", COLUMN_LIST, BOTH },
        { "account_verified", COLUMN_BOOL, BOTH },
        {},
};

static const Column view_columns[] = {
        { "id", COLUMN_ID, BOTH },
        { "revision", COLUMN_INT, BOTH },
        { "name", COLUMN_TEXT, BOTH | C_INDEXED },
        { "selector", COLUMN_TEXT, BOTH },
        { "columns", COLUMN_LIST, BOTH },
        { "sort", COLUMN_TEXT, BOTH },
        { "owner", COLUMN_INT, BOTH },
        {},
};

static const Column operation_columns[] = {
        { "id", COLUMN_ID, BOTH },
        { "kind", COLUMN_TEXT, BOTH },
        { "state", COLUMN_ENUM, BOTH,
          WORDS("running", "finished", "partially-failed", "failed", "canceled", "pending-approval") },
        { "done", COLUMN_INT, BOTH },
        { "total", COLUMN_INT, BOTH },
        { "ok", COLUMN_INT, BOTH },
        { "refused", COLUMN_INT, BOTH },
        { "failed", COLUMN_INT, BOTH },
        { "canceled", COLUMN_INT, BOTH },
        { "actor", COLUMN_JSON, C_FILTER },
        { "created", COLUMN_TIME, BOTH | C_INDEXED },
        { "finished", COLUMN_TIME, BOTH },
        {},
};

static const Column item_columns[] = {
        { "n", COLUMN_INT, ALL | C_INDEXED },
        { "line", COLUMN_INT, ALL },
        { "customer", COLUMN_ID, ALL },
        { "organization", COLUMN_TEXT, ALL },
        { "before", COLUMN_JSON, C_EXPORT },
        { "after", COLUMN_JSON, C_EXPORT },
        { "outcome", COLUMN_ENUM, ALL, WORDS("pending", "running", "ok", "refused", "failed", "canceled") },
        { "reason", COLUMN_TEXT, ALL },
        { "message", COLUMN_TEXT, ALL },
        { "finished", COLUMN_TIME, ALL },
        {},
};

/* created is the order in which tasks were made, whatever the clock did. */
static const Column task_columns[] = {
        { "id", COLUMN_ID, BOTH },
        { "kind", COLUMN_TEXT, BOTH },
        { "state", COLUMN_ENUM, BOTH, WORDS("queued", "running", "waiting", "done", "failed", "canceled", "dead") },
        { "lane", COLUMN_ENUM, BOTH, WORDS("people", "sweeps") },
        { "attempt", COLUMN_INT, BOTH },
        { "due", COLUMN_TIME, BOTH },
        { "started", COLUMN_TIME, BOTH },
        { "operation", COLUMN_ID, BOTH },
        { "error", COLUMN_TEXT, BOTH },
        { "created", COLUMN_TIME, BOTH | C_INDEXED | C_HIDDEN },
        {},
};

static const Column report_columns[] = {
        { "id", COLUMN_ID, BOTH },
        { "kind", COLUMN_TEXT, BOTH },
        { "format", COLUMN_ENUM, BOTH, WORDS("xlsx", "csv", "json", "pdf") },
        { "file_name", COLUMN_TEXT, BOTH },
        { "rows", COLUMN_INT, BOTH },
        { "bytes", COLUMN_INT, BOTH },
        { "sha256", COLUMN_TEXT, BOTH },
        { "data_date", COLUMN_TEXT, BOTH },
        { "created", COLUMN_TIME, BOTH | C_INDEXED },
        { "customer", COLUMN_ID, BOTH },
        { "organization", COLUMN_TEXT, BOTH },
        { "template", COLUMN_TEXT, BOTH },
        { "schedule", COLUMN_ID, BOTH },
        { "recipients", COLUMN_JSON, 0 },
        { "warnings", COLUMN_JSON, 0 },
        {},
};

static const char *const frequencies[] = { "daily", "weekly", "monthly", "quarterly", "yearly", NULL };
static const char *const formats[] = { "xlsx", "csv", "json", "pdf", NULL };

static const Column schedule_columns[] = {
        { "id", COLUMN_ID, BOTH },
        { "revision", COLUMN_INT, BOTH },
        { "export", COLUMN_TEXT, BOTH },
        { "template", COLUMN_TEXT, BOTH },
        { "customer", COLUMN_ID, BOTH },
        { "organization", COLUMN_TEXT, BOTH },
        { "frequency", COLUMN_ENUM, BOTH, frequencies },
        { "on", COLUMN_TEXT, BOTH },
        { "at", COLUMN_TEXT, BOTH },
        { "zone", COLUMN_TEXT, BOTH },
        { "start", COLUMN_TEXT, BOTH },
        { "end", COLUMN_TEXT, BOTH },
        { "missed", COLUMN_ENUM, BOTH, WORDS("latest", "all", "none") },
        { "recipients", COLUMN_LIST, BOTH },
        { "format", COLUMN_ENUM, BOTH, formats },
        { "columns", COLUMN_LIST, BOTH },
        { "selector", COLUMN_TEXT, BOTH },
        { "file_name", COLUMN_TEXT, BOTH },
        { "state", COLUMN_ENUM, BOTH, WORDS("active", "paused", "ended") },
        { "reason", COLUMN_TEXT, BOTH },
        { "next_due", COLUMN_TIME, BOTH },
        { "owner", COLUMN_INT, BOTH },
        { "created", COLUMN_TIME, BOTH | C_INDEXED | C_HIDDEN },
        {},
};

/* due, n: the newest occurrence first, a run by hand among them by its instant. */
static const Column run_columns[] = {
        { "id", COLUMN_ID, BOTH },
        { "schedule", COLUMN_ID, BOTH },
        { "local", COLUMN_TEXT, BOTH },
        { "due", COLUMN_TIME, BOTH },
        { "state", COLUMN_ENUM, BOTH, WORDS("queued", "running", "done", "late", "failed", "missed", "skipped") },
        { "started", COLUMN_TIME, BOTH },
        { "finished", COLUMN_TIME, BOTH },
        { "report", COLUMN_ID, BOTH },
        { "messages", COLUMN_INT, BOTH },
        { "error", COLUMN_TEXT, BOTH },
        { "count", COLUMN_INT, BOTH },
        {},
};

static const Column message_columns[] = {
        { "id", COLUMN_ID, BOTH },
        { "target", COLUMN_TEXT, BOTH },
        { "event", COLUMN_TEXT, BOTH },
        { "subject", COLUMN_TEXT, BOTH },
        { "state", COLUMN_ENUM, BOTH, WORDS("queued", "sending", "delivered", "dead") },
        { "attempt", COLUMN_INT, BOTH },
        { "next_attempt", COLUMN_TIME, BOTH },
        { "created", COLUMN_TIME, BOTH | C_INDEXED },
        { "delivered", COLUMN_TIME, BOTH },
        { "error", COLUMN_TEXT, BOTH },
        { "message_id", COLUMN_TEXT, BOTH },
        { "report", COLUMN_ID, BOTH },
        {},
};

static const Column report_template_columns[] = {
        { "id", COLUMN_ID, BOTH },
        { "revision", COLUMN_INT, BOTH },
        { "name", COLUMN_TEXT, BOTH | C_INDEXED },
        { "sections", COLUMN_LIST, BOTH },
        { "customers", COLUMN_LIST, BOTH },
        { "selector", COLUMN_TEXT, BOTH },
        { "language", COLUMN_TEXT, BOTH },
        { "format", COLUMN_ENUM, BOTH, formats },
        { "owner", COLUMN_INT, BOTH },
        {},
};

static const Column role_columns[] = {
        { "id", COLUMN_ID, BOTH },
        { "revision", COLUMN_INT, BOTH },
        { "name", COLUMN_TEXT, BOTH | C_INDEXED },
        { "verbs", COLUMN_LIST, BOTH },
        { "selector", COLUMN_TEXT, BOTH },
        { "exclude", COLUMN_TEXT, BOTH },
        { "grants", COLUMN_JSON, 0 },
        {},
};

static const Column group_columns[] = {
        { "id", COLUMN_ID, BOTH },
        { "revision", COLUMN_INT, BOTH },
        { "name", COLUMN_TEXT, BOTH | C_INDEXED },
        { "selector", COLUMN_TEXT, BOTH },
        { "customers", COLUMN_INT, 0 },
        {},
};

static const Column mail_template_columns[] = {
        { "event", COLUMN_TEXT, BOTH | C_INDEXED },
        { "language", COLUMN_TEXT, BOTH },
        { "subject", COLUMN_TEXT, BOTH },
        { "body", COLUMN_TEXT, BOTH },
        { "shipped", COLUMN_BOOL, BOTH },
        {},
};

static const Column job_columns[] = {
        { "organization", COLUMN_TEXT, ALL },
        { "tenant", COLUMN_TEXT, ALL },
        { "service", COLUMN_TEXT, ALL },
        { "module", COLUMN_TEXT, ALL },
        { "type", COLUMN_TEXT, ALL },
        { "status", COLUMN_ENUM, ALL,
          WORDS("none", "running", "finished", "failed", "finished-with-exception", "skipped", "pending", "failed-to-start", "canceled",
                "rejected", "stopped", "not-scanned", "disabled", "not-started", "waiting-for-configuration") },
        { "total", COLUMN_INT, ALL },
        { "successful", COLUMN_INT, ALL },
        { "failed", COLUMN_INT, ALL },
        { "skipped", COLUMN_INT, ALL },
        { "warning", COLUMN_INT, ALL },
        { "bytes", COLUMN_INT, ALL },
        { "start", COLUMN_TIME, ALL },
        { "end", COLUMN_TIME, ALL },
        { "external_id", COLUMN_TEXT, ALL },
        { "message", COLUMN_TEXT, ALL },
        { "customer", COLUMN_ID, ALL },
        { "id", COLUMN_ID, ALL },
        { "moment", COLUMN_TIME, BOTH | C_INDEXED | C_HIDDEN },
        {},
};

static const Column storage_columns[] = {
        { "organization", COLUMN_TEXT, ALL },
        { "service", COLUMN_TEXT, ALL },
        { "module", COLUMN_TEXT, ALL },
        { "date", COLUMN_TEXT, ALL | C_INDEXED },
        { "bytes_stored", COLUMN_INT, ALL },
        { "bytes_byos", COLUMN_INT, ALL },
        { "objects_scanned", COLUMN_INT, ALL },
        { "objects_protected", COLUMN_INT, ALL },
        { "customer", COLUMN_ID, ALL },
        {},
};

static const Column subscription_columns[] = {
        { "organization", COLUMN_TEXT, ALL },
        { "service", COLUMN_TEXT, ALL },
        { "type", COLUMN_TEXT, ALL },
        { "source", COLUMN_TEXT, ALL },
        { "seats", COLUMN_INT, ALL },
        { "state", COLUMN_ENUM, ALL, subscription_states },
        { "expires", COLUMN_TIME, ALL },
        { "customer", COLUMN_ID, ALL },
        { "id", COLUMN_ID, ALL | C_INDEXED },
        {},
};

static const Column audit_columns[] = {
        { "n", COLUMN_INT, ALL | C_INDEXED },
        { "time", COLUMN_TIME, ALL },
        { "actor", COLUMN_JSON, C_FILTER | C_EXPORT },
        { "verb", COLUMN_TEXT, ALL },
        { "object", COLUMN_TEXT, ALL },
        { "outcome", COLUMN_ENUM, ALL, WORDS("ok", "refused", "failed") },
        { "code", COLUMN_TEXT, ALL },
        { "before", COLUMN_JSON, C_EXPORT },
        { "after", COLUMN_JSON, C_EXPORT },
        { "request_id", COLUMN_TEXT, ALL },
        { "hash", COLUMN_TEXT, ALL },
        {},
};

static const Dataset datasets[] = {
        { "customers", customer_columns,
          WORDS("organization", "registered_account", "account_type", "first_name", "last_name", "country", "phone",
                "state", "status", "management_mode", "tags", "services", "subscriptions", "tenants", "open_tickets",
                "next_expiration", "created", "id"),
          WORDS("organization", "registered_account", "status", "country", "services", "open_tickets"), "organization" },
        { "views", view_columns, NULL, WORDS("name", "selector", "columns", "sort"), "name" },
        { "operations", operation_columns, NULL, WORDS("id", "kind", "state", "done", "total", "created"), "-created" },
        { "items", item_columns,
          WORDS("n", "line", "customer", "organization", "before", "after", "outcome", "reason", "message", "finished"),
          WORDS("n", "line", "organization", "outcome", "reason", "message"), "n" },
        { "tasks", task_columns, NULL, WORDS("id", "kind", "state", "attempt", "due"), "-created" },
        { "reports", report_columns, NULL, WORDS("id", "kind", "format", "file_name", "rows", "bytes", "created"),
          "-created" },
        { "audit", audit_columns,
          WORDS("n", "time", "actor", "verb", "object", "outcome", "code", "before", "after", "request_id", "hash"),
          WORDS("n", "time", "actor", "verb", "object", "outcome", "code"), "-n" },
        { "schedules", schedule_columns, NULL, WORDS("id", "export", "template", "frequency", "on", "at", "zone", "state", "next_due"), "created" },
        { "runs", run_columns, NULL, WORDS("local", "due", "state", "finished", "messages", "error"), "-due" },
        { "messages", message_columns, NULL, WORDS("id", "target", "event", "subject", "state", "attempt", "created"), "-created" },
        { "report-templates", report_template_columns, NULL, WORDS("name", "sections", "format", "language"), "name" },
        { "roles", role_columns, NULL, WORDS("name", "verbs", "selector", "exclude", "grants"), "name" },
        { "groups", group_columns, NULL, WORDS("name", "selector", "customers"), "name" },
        { "mail-templates", mail_template_columns, NULL, WORDS("event", "language", "subject", "shipped"), "event" },
        { "jobs", job_columns,
          WORDS("organization", "tenant", "service", "module", "type", "status", "total", "successful", "failed", "skipped", "warning",
                "bytes", "start", "end", "external_id", "message", "customer", "id"),
          WORDS("organization", "service", "module", "status", "end"), "moment" },
        { "storage", storage_columns,
          WORDS("organization", "service", "module", "date", "bytes_stored", "bytes_byos", "objects_scanned", "objects_protected", "customer"),
          WORDS("organization", "service", "module", "date", "bytes_stored", "bytes_byos"), "date" },
        { "subscriptions", subscription_columns,
          WORDS("organization", "service", "type", "source", "seats", "state", "expires", "customer", "id"),
          WORDS("organization", "service", "type", "state", "expires"), "id" },
};

const Dataset *dataset_find(const char *kind) {
        for (size_t i = 0; i < ELEMENTSOF(datasets); i++)
                if (strcmp(datasets[i].kind, kind) == 0)
                        return &datasets[i];
        return NULL;
}

const Column *dataset_column(const Dataset *d, const char *name) {
        for (const Column *c = d->columns; c->name; c++)
                if (strcmp(c->name, name) == 0)
                        return c;
        return NULL;
}

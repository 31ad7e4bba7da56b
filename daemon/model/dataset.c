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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/action/dashboard-action.h"
#include "daemon/action/list-action.h"
#include "daemon/action/resolve.h"
#include "daemon/store/customer-store.h"

static int resolve_id(Context *c, const Request *request, Customer **ret, Problem *problem) {
        int64_t n = 0;
        int r = customer_resolve(c, request->id, &n, problem);
        if (r != 0)
                return r;
        r = customer_load(c->db, c->arena, n, ret);
        return r < 0 ? r : r == 0 ? problem_set(problem, PROBLEM_NOT_FOUND, "no-such-customer", NULL, "the customer is gone") : 0;
}

int customer_show(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Customer *customer;
        Problem none;
        Id id;
        int r;

        /* By its id, as programs ask: one look-up, and the query is a door of its own. What is no customer's id may be a name. */
        if (id_parse(request->id, &id)) {
                r = list_one(c, dataset_find("customers"), id, answer, &none);
                if (r <= 0)
                        return r;
        }
        r = resolve_id(c, request, &customer, problem);
        return r != 0 ? r : list_one(c, dataset_find("customers"), customer->id, answer, problem);
}

int customer_symbol(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Customer *customer;
        int r = resolve_id(c, request, &customer, problem);
        if (r != 0)
                return r;
        r = customer_symbol_get(c->db, customer->n, answer);
        return r < 0 ? r : r == 0 ? problem_set(problem, PROBLEM_NOT_FOUND, "no-symbol", "symbol", "%s has no symbol", customer->organization) : 0;
}

/* The last ten audit records of the customer, newest first. */
static int put_activity(Context *c, const Customer *customer, Buffer *b, Problem *problem) {
        static const char *const columns[] = { "n", "time", "actor", "verb", "outcome", "code", "before", "after" };
        char id[ID_TEXT_SIZE];
        Query *query;
        QueryRequest q = {
                .dataset = dataset_find("audit"), .columns = columns, .n_columns = ELEMENTSOF(columns), .sort = "-n", .limit = 10,
                .selector = arena_printf(c->arena, "object = \"%s\"", id_text(customer->id, id)),
        };
        int r = list_compile(c, &q, &query, problem);
        return r != 0 ? r : query_run(c->db, query, QUERY_ARRAY, b, NULL);
}

static void put_deliveries(Buffer *b, const Customer *customer) {
        json_put_object_begin(b);
        json_put_key(b, "billing");
        json_put_object_begin(b);
        json_put_key_bool(b, "enabled", customer->billing_enabled);
        json_put_key_raw(b, "recipients", customer->billing_recipients, strlen(customer->billing_recipients));
        json_put_key_string(b, "profile", customer->billing_profile);
        json_put_object_end(b);
        json_put_key(b, "service_reports");
        json_put_object_begin(b);
        json_put_key_bool(b, "enabled", customer->service_reports_enabled);
        json_put_key_raw(b, "recipients", customer->service_reports_recipients, strlen(customer->service_reports_recipients));
        json_put_object_end(b);
        json_put_object_end(b);
}

static void put_facts(Buffer *b, const Customer *customer) {
        json_put_object_begin(b);
        json_put_key_string(b, "organization", customer->organization);
        json_put_key_string(b, "registered_account", customer->registered_account);
        json_put_key_string(b, "account_type", account_type_names[customer->account_type]);
        json_put_key_string(b, "country", customer->country);
        json_put_key_string(b, "state", customer_state_names[customer->state]);
        json_put_key_string(b, "management_mode", management_mode_names[customer->management_mode]);
        json_put_key_string(b, "status", customer->status);
        json_put_key_string(b, "status_reason", customer->status_reason);
        json_put_key_raw(b, "tags", customer->tags, strlen(customer->tags));
        json_put_key_int(b, "open_tickets", customer->open_tickets);
        json_put_key_time(b, "created", customer->created);
        json_put_object_end(b);
}

/* Figures nobody measured, so that one sees what the page will look like; marked as what they are. */
static const char sample_jobs[] =
        "[{\"day\":\"2026-11-25\",\"finished\":38,\"failed\":0},{\"day\":\"2026-11-26\",\"finished\":40,\"failed\":2},"
        "{\"day\":\"2026-11-27\",\"finished\":29,\"failed\":9},{\"day\":\"2026-11-28\",\"finished\":21,\"failed\":0},"
        "{\"day\":\"2026-11-29\",\"finished\":20,\"failed\":0},{\"day\":\"2026-11-30\",\"finished\":41,\"failed\":1},"
        "{\"day\":\"2026-12-01\",\"finished\":42,\"failed\":0}]";
static const char sample_storage[] =
        "[{\"date\":\"2026-09-01\",\"bytes_stored\":412316860,\"bytes_byos\":0},{\"date\":\"2026-10-01\",\"bytes_stored\":530579456,\"bytes_byos\":0},"
        "{\"date\":\"2026-11-01\",\"bytes_stored\":641728512,\"bytes_byos\":52428800},{\"date\":\"2026-12-01\",\"bytes_stored\":734003200,\"bytes_byos\":104857600}]";
static const char sample_incidents[] = "[{\"condition\":\"job-failed\",\"severity\":\"critical\",\"state\":\"open\"}]";

static void put_sample(Buffer *b) {
        json_put_key_bool(b, "sample", true);
        json_put_key_raw(b, "jobs", sample_jobs, strlen(sample_jobs));
        json_put_key_raw(b, "storage", sample_storage, strlen(sample_storage));
        json_put_key_raw(b, "incidents", sample_incidents, strlen(sample_incidents));
}

int customer_dashboard(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Customer *customer;
        bool sample = false;

        int r = dict_bool(request->options, "sample", &sample, problem);
        if (r == 0)
                r = resolve_id(c, request, &customer, problem);
        if (r != 0)
                return r;
        bool self_managed = customer->management_mode == MODE_CUSTOMER;
        json_put_object_begin(answer);
        json_put_key(answer, "customer");
        r = list_one(c, dataset_find("customers"), customer->id, answer, problem);
        if (r != 0)
                return r;
        json_put_key(answer, "panels");
        json_put_object_begin(answer);
        if (!self_managed) {
                json_put_key(answer, "facts");
                put_facts(answer, customer);
                json_put_key_raw(answer, "tenants", "[]", 2);
                json_put_key(answer, "deliveries");
                put_deliveries(answer, customer);
                json_put_key(answer, "activity");
                r = put_activity(c, customer, answer, problem);
                if (r != 0)
                        return r;
                if (sample)
                        put_sample(answer);
        }
        json_put_object_end(answer);
        json_put_key(answer, "missing");
        json_put_object_begin(answer);
        if (self_managed)
                json_put_key_string(answer, "facts", "the customer manages itself: only its products and subscriptions are shown");
        json_put_key_string(answer, "subscriptions", "no service is subscribed to yet");
        if (!sample && !self_managed) {
                json_put_key_string(answer, "jobs", "nothing reports jobs yet");
                json_put_key_string(answer, "storage", "nothing reports storage yet");
                json_put_key_string(answer, "incidents", "nothing watches for incidents yet");
        }
        json_put_object_end(answer);
        json_put_object_end(answer);
        return 0;
}

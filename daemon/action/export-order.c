/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "common/time.h"
#include "daemon/action/access.h"
#include "daemon/action/export-order.h"
#include "daemon/action/resolve.h"
#include "daemon/model/unicode.h"
#include "daemon/store/operation-store.h"

#define JOBS_SERVICE_DEFAULT "cloud-backup-m365"
enum { JOBS_DAYS = 30 };

const char *const export_kinds[] = { "customers", "jobs", "storage", "subscriptions", "audit", "operation", NULL };
const char *const export_formats[] = { "xlsx", "csv", "json", "pdf", NULL };
const char *const export_query_keys[] = { "columns", "selector", "sort", "search", "view", "since", "until", "parent", NULL };

const Dataset *export_dataset(const char *kind) {
        return dataset_find(str_equal(kind, "operation") ? "items" : kind);
}

const char *export_verb(const char *kind) {
        return str_equal(kind, "audit") ? "audit.export" : str_equal(kind, "operation") ? "operation.export" : "report.export";
}

int file_name_check(Context *c, const char **name, Problem *problem) {
        int r = text_check(c->arena, "file_name", TEXT_ONE_LINE, 1, 200, name, problem);
        if (r != 0)
                return r;
        if (strchr(*name, '/') || **name == '.' || strlen(*name) > 200)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-file-name", "file_name",
                                   "a file name has at most 200 bytes, no / and no dot at its begin");
        return 0;
}

static int operation_parent(Context *c, const char *reference, Dict *query, Problem *problem) {
        Operation o;
        Id id;

        if (str_empty(reference))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "operation", "which operation? operation list shows them");
        int r = id_parse(reference, &id) ? operation_find(c->db, c->arena, id, &o) : 0;
        r = access_found(c, "operations", &o.n, r);
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-operation", "operation", "there is no operation \"%.60s\"; operation list shows them",
                                   reference);
        if (r > 0)
                dict_add(c->arena, query, "parent", (Value) { VALUE_INT, .integer = o.n });
        return MIN(r, 0);
}

/* One customer's rows: a term of the selector, so that it joins what the caller asked for. */
static int of_customer(Context *c, const char *reference, ExportOrder *o, const char **selector, Problem *problem) {
        char id[ID_TEXT_SIZE];
        const char *organization;
        Id key;

        if (!dataset_column(export_dataset(o->kind), "customer") && !str_equal(o->kind, "customers"))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "no-customer", "customer", "an export of %s is of no single customer", o->kind);
        int r = customer_resolve(c, reference, &o->customer, problem);
        if (r == 0)
                r = MIN(customer_identity(c, o->customer, &key, &organization), 0);
        if (r != 0)
                return r;
        const char *term = arena_printf(c->arena, "%s = %s", str_equal(o->kind, "customers") ? "id" : "customer", id_text(key, id));
        *selector = str_empty(*selector) ? term : arena_printf(c->arena, "%s and (%s)", term, *selector);
        return 0;
}

static int of_service(Context *c, const char *service, const ExportOrder *o, const char **selector, Problem *problem) {
        bool jobs = str_equal(o->kind, "jobs");

        if (!service && !jobs)
                return 0;
        if (!jobs && !str_equal(o->kind, "storage") && !str_equal(o->kind, "subscriptions"))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "no-service", "service", "an export of %s has no service", o->kind);
        service = service ?: JOBS_SERVICE_DEFAULT;
        int r = text_check(c->arena, "service", TEXT_ONE_LINE, 1, 100, &service, problem);
        if (r != 0)
                return r;
        if (strpbrk(service, "\"\\"))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-service", "service", "a service's key has no quotes");
        const char *term = arena_printf(c->arena, "service = \"%s\"", service);
        *selector = str_empty(*selector) ? term : arena_printf(c->arena, "%s and (%s)", term, *selector);
        return 0;
}

typedef struct Given {
        const char *operation, *customer, *service, *selector;
        bool all_columns, details;
} Given;

static int read_scalars(const Dict *fields, ExportOrder *o, Given *g, Problem *problem) {
        static const char *const keys[] = { "kind", "format", "file_name", "no_bom", "all_columns", "operation", "customer", "service", "details", "columns",
                                            "selector", "sort", "search", "view", "since", "until", NULL };
        int r = dict_check_keys(fields, "an export", keys, problem);
        if (r == 0)
                r = dict_word(fields, "kind", export_kinds, &o->kind, problem);
        if (r == 0 && !dict_find(fields, "format"))
                o->format = "xlsx";
        else if (r == 0)
                r = dict_word(fields, "format", export_formats, &o->format, problem);
        if (r == 0)
                r = dict_bool(fields, "no_bom", &o->no_bom, problem);
        if (r == 0)
                r = dict_bool(fields, "all_columns", &g->all_columns, problem);
        if (r == 0)
                r = dict_bool(fields, "details", &g->details, problem);
        if (r == 0)
                r = dict_string(fields, "operation", &g->operation, problem);
        if (r == 0)
                r = dict_string(fields, "customer", &g->customer, problem);
        if (r == 0)
                r = dict_string(fields, "service", &g->service, problem);
        if (r == 0)
                r = dict_string(fields, "selector", &g->selector, problem);
        if (r == 0)
                r = dict_string(fields, "file_name", &o->file_name, problem);
        return r;
}

int export_order_check(Context *c, const Dict *fields, ExportOrder *ret, Problem *problem) {
        Given given = {};
        Selector *own;
        Query *query;

        *ret = (ExportOrder) {};
        int r = read_scalars(fields, ret, &given, problem);
        if (r == 0 && ret->file_name)
                r = file_name_check(c, &ret->file_name, problem);
        if (r == 0 && given.selector && str_empty(given.selector))
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-selector", "selector", "the selector is empty");
        /* By itself, so that it cannot end the parenthesis that it is put into beside a customer or a service. */
        if (r == 0 && given.selector)
                r = selector_read(c->arena, export_dataset(ret->kind), given.selector, &own, problem);
        if (r == 0 && given.customer)
                r = of_customer(c, given.customer, ret, &given.selector, problem);
        if (r == 0)
                r = of_service(c, given.service, ret, &given.selector, problem);
        if (r != 0)
                return r;
        for (size_t i = 0; export_query_keys[i]; i++) {
                const Value *v = dict_find(fields, export_query_keys[i]);
                if (v && strcmp(export_query_keys[i], "selector") != 0 && !(given.all_columns && strcmp(export_query_keys[i], "columns") == 0))
                        dict_add(c->arena, &ret->query, export_query_keys[i], *v);
        }
        if (given.selector)
                dict_add(c->arena, &ret->query, "selector", (Value) { VALUE_STRING, .string = given.selector });
        if (str_equal(ret->kind, "operation"))
                r = operation_parent(c, given.operation, &ret->query, problem);
        return r != 0 ? r : export_order_query(c, ret, &query, problem);
}

int export_order_query(Context *c, const ExportOrder *o, Query **ret, Problem *problem) {
        Dict query = {};

        for (size_t i = 0; i < o->query.n; i++)
                dict_add(c->arena, &query, o->query.entries[i].key, o->query.entries[i].value);
        if (str_equal(o->kind, "jobs") && !dict_find(&query, "since"))
                dict_add(c->arena, &query, "since", (Value) { VALUE_INT, .integer = MAX(c->now - JOBS_DAYS * USEC_DAY, (Usec) 0) });
        return list_export_query(c, export_dataset(o->kind), &query, ret, problem);
}

const char *export_file_name(Arena *a, const char *kind, const char *format, Usec now) {
        char date[TIME_TEXT_SIZE];
        return arena_printf(a, "%s-%s.%s", kind, date_text(now, date), format);
}

const char *export_order_json(Arena *a, const ExportOrder *o) {
        Buffer b = {};
        json_put_object_begin(&b);
        json_put_key_string(&b, "kind", o->kind);
        json_put_key_string(&b, "format", o->format);
        if (o->file_name)
                json_put_key_string(&b, "file_name", o->file_name);
        json_put_key_bool(&b, "no_bom", o->no_bom);
        json_put_key_int(&b, "customer", o->customer);
        json_put_key_int(&b, "run", o->run);
        json_put_key(&b, "query");
        Buffer query = {};
        dict_write_json(&query, &o->query);
        json_put_string(&b, buffer_string(&query));
        buffer_done(&query);
        json_put_object_end(&b);
        return buffer_into(&b, a);
}

int export_order_read(Arena *a, const char *arguments, ExportOrder *ret) {
        Problem ignored;
        Dict d = {};
        const char *query = NULL;

        int r = dict_read_json(a, arguments, strlen(arguments), &d);
        if (r < 0)
                return r;
        *ret = (ExportOrder) {};
        if (dict_string(&d, "kind", &ret->kind, &ignored) != 0 || dict_string(&d, "format", &ret->format, &ignored) != 0 ||
            dict_string(&d, "file_name", &ret->file_name, &ignored) != 0 || dict_bool(&d, "no_bom", &ret->no_bom, &ignored) != 0 ||
            dict_int(&d, "customer", 0, INT64_MAX, &ret->customer, &ignored) != 0 || dict_int(&d, "run", 0, INT64_MAX, &ret->run, &ignored) != 0 ||
            dict_string(&d, "query", &query, &ignored) != 0 || !ret->kind || !ret->format || !query)
                return -EBADMSG;
        return dict_read_json(a, query, strlen(query), &ret->query);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "common/json.h"
#include "daemon/action/access.h"
#include "daemon/action/generate-order.h"
#include "daemon/action/json-list.h"
#include "daemon/action/list-action.h"
#include "daemon/store/customer-store.h"

static int gone(Problem *problem) {
        return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-customer", "customer", "the customer is gone");
}

/* Those named, and those that the selector picks now. Whoever was erased is passed over. */
int generate_customers(Context *c, const GenerateOrder *o, const ReportTemplate *t, int64_t **ret, size_t *ret_n, Problem *problem) {
        const char **ids;
        size_t n = 0;
        int r = 0;

        *ret_n = 0;
        *ret = arena_alloc(c->arena, TEMPLATE_CUSTOMERS_MAX * sizeof(**ret));
        if (o->customer) {
                Customer *customer;
                (*ret)[(*ret_n)++] = o->customer;
                r = customer_load(c->db, c->arena, o->customer, &customer);
                if (r > 0)
                        r = access_customer(c, o->customer);
                return r < 0 ? r : r == 0 ? gone(problem) : 0;
        }
        if (t->selector)
                return list_select(c, t->selector, true, ret, ret_n, problem) ?:
                       (*ret_n > TEMPLATE_CUSTOMERS_MAX ? problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-many-customers", "selector",
                                                                      "the template's selector picks %zu customers; at most %d get reports in one run", *ret_n,
                                                                      TEMPLATE_CUSTOMERS_MAX) : 0);
        ids = json_list_read(c->arena, t->customers, &n);
        for (size_t i = 0; i < n && i < TEMPLATE_CUSTOMERS_MAX && r >= 0; i++) {
                Id id;
                int64_t key = 0;
                r = id_parse(ids[i], &id) ? customer_find_id(c->db, id, &key) : 0;
                if (r > 0)
                        r = access_customer(c, key);
                if (r > 0)
                        (*ret)[(*ret_n)++] = key;
        }
        if (r >= 0 && n > 0 && *ret_n == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-customer", NULL, "none of the template's customers is there any more");
        return MIN(r, 0);
}

int generate_arguments(Context *c, const GenerateOrder *o, const char **ret, Problem *problem) {
        ReportTemplate t;
        int64_t *customers;
        size_t n;

        int r = report_template_load(c->db, c->arena, o->template, &t);
        if (r == 0)
                r = problem_set(problem, PROBLEM_NOT_FOUND, "no-such-report-template", NULL, "its report template was deleted");
        else if (r > 0)
                r = generate_customers(c, o, &t, &customers, &n, problem);
        if (r == 0 && n == 0)
                r = problem_set(problem, PROBLEM_REFUSED, "no-customer", "customer",
                                "the template %.80s names no customers: name one, or give the template some", t.name);
        if (r == 0 && n * (o->n_recipients + o->n_subscribed) > RUN_MAILS_MAX)
                r = problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-many-mails", "recipients",
                                "reports of %zu customers to %zu recipients each are more than %d mails in one run: name fewer, or the address of a list",
                                n, o->n_recipients + o->n_subscribed, RUN_MAILS_MAX);
        if (r != 0)
                return r;
        Buffer b = {};
        json_put_object_begin(&b);
        json_put_key_int(&b, "template", o->template);
        json_put_key_id(&b, "template_id", t.id);
        json_put_key_int(&b, "customer", o->customer);
        if (o->report)
                json_put_key_string(&b, "report", o->report);
        json_put_key_string(&b, "format", o->format ?: t.format);
        if (o->file_name)
                json_put_key_string(&b, "file_name", o->file_name);
        if (o->language)
                json_put_key_string(&b, "language", o->language);
        json_put_key(&b, "recipients");
        json_put_array_begin(&b);
        for (size_t i = 0; i < o->n_recipients; i++)
                json_put_string(&b, o->recipients[i]);
        json_put_array_end(&b);
        json_put_key_bool(&b, "to_customer", o->to_customer);
        json_put_key_int(&b, "run", o->run);
        json_put_object_end(&b);
        *ret = buffer_into(&b, c->arena);
        return 0;
}

int generate_order_read(Arena *a, const char *arguments, GenerateOrder *ret) {
        Problem ignored;
        Dict d = {};

        *ret = (GenerateOrder) {};
        int r = dict_read_json(a, arguments, strlen(arguments), &d);
        if (r < 0)
                return r;
        r = dict_int(&d, "template", 1, INT64_MAX, &ret->template, &ignored) ?: dict_string(&d, "template_id", &ret->template_id, &ignored) ?:
            dict_int(&d, "customer", 0, INT64_MAX, &ret->customer, &ignored) ?:
            dict_string(&d, "report", &ret->report, &ignored) ?: dict_string(&d, "format", &ret->format, &ignored) ?: dict_string(&d, "file_name", &ret->file_name, &ignored) ?:
            dict_string(&d, "language", &ret->language, &ignored) ?: dict_strings(&d, "recipients", &ret->recipients, &ret->n_recipients, &ignored) ?:
            dict_bool(&d, "to_customer", &ret->to_customer, &ignored) ?: dict_int(&d, "run", 0, INT64_MAX, &ret->run, &ignored);
        return r != 0 || !ret->format ? -EBADMSG : 0;
}

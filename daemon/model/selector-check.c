/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "common/nearest.h"
#include "common/text.h"
#include "common/time.h"
#include "daemon/model/address.h"
#include "daemon/model/country.h"
#include "daemon/model/selector.h"
#include "daemon/model/unicode.h"

typedef struct Checker {
        Arena *arena;
        const Dataset *dataset;
        Problem *problem;
} Checker;

static int refuse(Checker *c, unsigned at, const char *text) {
        return problem_set(c->problem, PROBLEM_INVALID_ARGUMENT, "bad-selector", "selector", "at character %u: %s", at, text);
}

/* ---- names ---- */

/* Short forms that customers have beside their columns. */
static const struct {
        const char *name, *column;
} short_forms[] = {
        { "tag", "tags" },
        { "service", "services" },
        { "subscription", "subscriptions" },
        { "account", "registered_account" },
        { "mode", "management_mode" },
        { "open-tickets", "open_tickets" },
};

static const char custom_prefix[] = "custom.", customer_prefix[] = "customer.";

static bool is_customers(const Dataset *d) {
        return strcmp(d->kind, "customers") == 0;
}

/* Rows of these name a customer. */
static bool has_customer(const Dataset *d) {
        return !is_customers(d) && dataset_column(d, "customer");
}

static int unknown_field(Checker *c, const Dataset *d, const Selector *s, const char *prefix) {
        const char *names[100];
        size_t n = 0;

        for (const Column *column = d->columns; column->name; column++)
                if (column->flags & C_FILTER)
                        names[n++] = column->name;
        if (is_customers(d)) {
                for (size_t i = 0; i < ELEMENTSOF(short_forms); i++)
                        names[n++] = short_forms[i].name;
                names[n++] = "group";
        }
        if (has_customer(d))
                names[n++] = "customer.organization";
        assert(n < ELEMENTSOF(names));
        names[n] = NULL;

        char shown[100];
        text_copy_cut(shown, sizeof(shown), s->name);
        const char *near = nearest_name(names, s->name + strlen(prefix));
        int r = refuse(c, s->at, arena_printf(c->arena, near ? "%s have no field \"%s\"; did you mean %s%s?" : "%s have no field \"%s\"",
                                              c->dataset->kind, shown, prefix, near));
        if (near)
                problem_add_candidate(c->problem, arena_printf(c->arena, "%s%s", prefix, near));
        return r;
}

/* Fields of customers that are no columns. true: *s has its field. */
static bool customer_field(Checker *c, Selector *s, const char *name) {
        if (strcmp(name, "group") == 0) {
                s->field = SELECTOR_GROUP;
                return true;
        }
        if (!str_starts(name, custom_prefix) || !name[strlen(custom_prefix)])
                return false;
        s->field = SELECTOR_CUSTOM;
        s->custom = text_nfc(c->arena, name + strlen(custom_prefix));
        return true;
}

static int resolve(Checker *c, Selector *s) {
        const Dataset *d = c->dataset;
        const char *name = s->name, *prefix = "";

        if (has_customer(d) && str_starts(name, customer_prefix)) {
                s->of_customer = true;
                prefix = customer_prefix;
                name += strlen(customer_prefix);
                d = dataset_find("customers");
        }
        if (is_customers(d)) {
                if (customer_field(c, s, name))
                        return 0;
                for (size_t i = 0; i < ELEMENTSOF(short_forms); i++)
                        if (strcmp(name, short_forms[i].name) == 0)
                                name = short_forms[i].column;
        }
        s->column = dataset_column(d, name);
        if (!s->column)
                return unknown_field(c, d, s, prefix);
        if (!(s->column->flags & C_FILTER))
                return refuse(c, s->at, arena_printf(c->arena, "%s cannot be compared%s", name,
                                                     strcmp(name, "custom") == 0 ? "; name one of its values: custom.NAME" : ""));
        s->field = s->column->type == COLUMN_JSON ? SELECTOR_ACTOR : SELECTOR_COLUMN;
        return 0;
}

/* ---- values ---- */

static const char *shown_value(Checker *c, const SelectorValue *v) {
        char shown[100];
        text_copy_cut(shown, sizeof(shown), v->text);
        return arena_strdup(c->arena, shown);
}

static int check_word(Checker *c, const Selector *s, SelectorValue *v) {
        const char *const *names = s->column->names;
        Buffer b = {};

        if (names_find(names, v->text) >= 0) {
                v->exact = v->text;
                return 0;
        }
        names_join(&b, names);
        const char *near = nearest_name(names, v->text);
        int r = refuse(c, v->at, arena_printf(c->arena, "%s is never \"%s\"; it is %s", s->column->name, shown_value(c, v),
                                              buffer_string(&b)));
        buffer_done(&b);
        if (near)
                problem_add_candidate(c->problem, near);
        for (; *names; names++)
                if (*names != near)
                        problem_add_candidate(c->problem, *names);
        return r;
}

static int check_bool(Checker *c, const Selector *s, SelectorValue *v) {
        static const char *const words[] = { "false", "true", "no", "yes", "off", "on", NULL };
        int i = names_find(words, v->text);

        if (i < 0)
                return refuse(c, v->at, arena_printf(c->arena, "%s is yes or no (or true, false, on, off), not \"%s\"", s->name,
                                                     shown_value(c, v)));
        v->number = i % 2;
        return 0;
}

static int check_number(Checker *c, const Selector *s, SelectorValue *v) {
        uint64_t number;

        if (!number_parse(v->text, INT64_MAX, &number))
                return refuse(c, v->at, arena_printf(c->arena, "%s is a whole number from 0 to 9223372036854775807, not \"%s\"", s->name,
                                                     shown_value(c, v)));
        v->number = (int64_t) number;
        return 0;
}

/* A time is equal to another at the precision in which it is written, since rows show whole seconds. */
static int check_time(Checker *c, const Selector *s, SelectorValue *v) {
        Usec t;

        if (!time_parse(v->text, &t))
                return refuse(c, v->at, arena_printf(c->arena, "%s is a time like 2026-12-01T12:00:00Z or a date like"
                                                               " 2026-12-01, not \"%s\"", s->name, shown_value(c, v)));
        v->number = t;
        v->end = t + (strlen(v->text) == strlen("2026-12-01") ? USEC_DAY : strchr(v->text, '.') ? 1 : USEC_SEC);
        return 0;
}

static int check_id(Checker *c, const Selector *s, SelectorValue *v) {
        if (!id_parse(v->text, &v->id))
                return refuse(c, v->at, arena_printf(c->arena, "%s is an id of 32 hexadecimal digits, not \"%s\"", s->name,
                                                     shown_value(c, v)));
        return 0;
}

static bool is_address(const Selector *s) {
        return s->column && (strcmp(s->column->name, "registered_account") == 0 ||
                             strcmp(s->column->name, "deliveries.billing.recipients") == 0 ||
                             strcmp(s->column->name, "deliveries.service_reports.recipients") == 0);
}

static int check_text(Checker *c, const Selector *s, SelectorValue *v) {
        bool equality = s->op == SELECTOR_EQ || s->op == SELECTOR_NE;

        v->exact = text_nfc(c->arena, v->text);
        v->key = text_key(c->arena, v->text);
        if (!equality || !s->column)
                return 0;
        if (is_address(s) && strchr(v->exact, '@'))
                v->exact = address_key(c->arena, v->exact);
        else if (strcmp(s->column->name, "country") == 0) {
                Problem problem;
                if (country_check(c->arena, "country", &v->exact, &problem) != 0)
                        return refuse(c, v->at, problem.text);
        }
        return 0;
}

static int check_value(Checker *c, const Selector *s, SelectorValue *v) {
        if (s->field != SELECTOR_COLUMN)
                return s->field == SELECTOR_POSITIVE ? check_bool(c, s, v) : check_text(c, s, v);
        switch (s->column->type) {
        case COLUMN_ID:
                return check_id(c, s, v);
        case COLUMN_ENUM:
                return check_word(c, s, v);
        case COLUMN_INT:
                return check_number(c, s, v);
        case COLUMN_BOOL:
                return check_bool(c, s, v);
        case COLUMN_TIME:
                return check_time(c, s, v);
        case COLUMN_LIST:
                if (s->column->names && s->op != SELECTOR_MATCH)
                        return check_word(c, s, v);
                return check_text(c, s, v);
        case COLUMN_TEXT:
        case COLUMN_JSON:
                return check_text(c, s, v);
        }
        return 0;
}

/* Which operators a type takes. */
static int check_operator(Checker *c, const Selector *s) {
        bool order = s->op == SELECTOR_LT || s->op == SELECTOR_GT, match = s->op == SELECTOR_MATCH;
        const char *takes;

        if (s->field != SELECTOR_COLUMN && s->field != SELECTOR_POSITIVE)
                return 0;
        ColumnType type = s->field == SELECTOR_POSITIVE ? COLUMN_BOOL : s->column->type;
        if (type == COLUMN_TEXT || type == COLUMN_JSON)
                return 0;
        if (type == COLUMN_INT || type == COLUMN_TIME) {
                if (!match)
                        return 0;
                takes = "=, !=, in, < and >";
        } else if (type == COLUMN_LIST) {
                if (!order)
                        return 0;
                takes = "=, !=, in and ~";
        } else {
                if (!order && !match)
                        return 0;
                takes = "=, != and in";
        }
        return refuse(c, s->at, arena_printf(c->arena, "%s takes %s, not %s", s->name, takes,
                                             match ? "~" : s->op == SELECTOR_LT ? "<" : ">"));
}

static int compare_values(const void *a, const void *b) {
        const SelectorValue *x = a, *y = b;

        if (x->exact && y->exact)
                return strcmp(x->exact, y->exact);
        int r = memcmp(&x->id, &y->id, sizeof(x->id));
        if (r != 0)
                return r;
        if (x->number != y->number)
                return x->number < y->number ? -1 : 1;
        return (x->end > y->end) - (x->end < y->end);
}

static void drop_doubles(Selector *s) {
        size_t to = 0;

        qsort(s->values, s->n_values, sizeof(*s->values), compare_values);
        for (size_t i = 0; i < s->n_values; i++)
                if (to == 0 || compare_values(&s->values[to - 1], &s->values[i]) != 0)
                        s->values[to++] = s->values[i];
        s->n_values = to;
}

/* "open-tickets = yes" asks whether there are any. */
static bool asks_for_any(const Selector *s) {
        const char *name = s->of_customer ? s->name + strlen(customer_prefix) : s->name;
        return strcmp(name, "open-tickets") == 0 && s->values[0].text[0] && !strchr("0123456789", s->values[0].text[0]);
}

static int check_term(Checker *c, Selector *s) {
        int r = resolve(c, s);

        if (r == 0 && asks_for_any(s))
                s->field = SELECTOR_POSITIVE;
        if (r == 0)
                r = check_operator(c, s);
        for (size_t i = 0; i < s->n_values && r == 0; i++)
                r = check_value(c, s, &s->values[i]);
        if (r == 0 && s->n_values > 1)
                drop_doubles(s);
        return r;
}

static int check_node(Checker *c, Selector *s) {
        if (s->kind == SELECTOR_TERM)
                return check_term(c, s);
        for (Selector *child = s->children; child; child = child->next) {
                int r = check_node(c, child);
                if (r != 0)
                        return r;
        }
        return 0;
}

int selector_check(Arena *a, const Dataset *d, Selector *s, Problem *problem) {
        Checker c = { .arena = a, .dataset = d, .problem = problem };
        return check_node(&c, s);
}

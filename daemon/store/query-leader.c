/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/query-private.h"

/* A query is led by one thing: the index in whose order it goes, or one equality of the filter whose index goes on in
 * that order, so that however rare the value is, the first page is the first rows of the index. Everything else is
 * asked of each row that the leader finds. Which equality leads is decided here and not by the planner, which has no
 * statistics: a FROM names its index, and what does not lead carries a unary +. */

static bool is_default_order(const Compiler *c) {
        const char *name = c->dataset->default_sort;
        return strcmp(c->q->order.column->name, name + (name[0] == '-')) == 0;
}

static QueryValue *value_add(Compiler *c, Leader *l, size_t room) {
        if (!l->values)
                l->values = arena_alloc(c->arena, room * sizeof(*l->values));
        return &l->values[l->n_values++];
}

/* The values any of which must be there. false: the term names none, but what must not be. */
static bool leader_values(Compiler *c, Leader *l, const Selector *s, bool negated) {
        if (!negated) {
                for (size_t i = 0; i < s->n_values; i++) {
                        const SelectorValue *v = &s->values[i];
                        *value_add(c, l, s->n_values) = v->exact ? (QueryValue) { .type = 't', .text = v->exact, .size = strlen(v->exact) }
                                                                 : (QueryValue) { .type = 'd', .id = v->id };
                }
                return true;
        }
        if (s->column->type != COLUMN_ENUM)
                return false;
        size_t room = 0;
        while (s->column->names[room])
                room++;
        for (const char *const *word = s->column->names; *word; word++) {
                bool excluded = false;
                for (size_t i = 0; i < s->n_values; i++)
                        excluded = excluded || strcmp(s->values[i].exact, *word) == 0;
                if (!excluded)
                        *value_add(c, l, room) = (QueryValue) { .type = 't', .text = *word, .size = strlen(*word) };
        }
        return l->n_values > 0;
}

/* What the condition could lead by, whatever the order. */
static bool leader_from(Compiler *c, const Selector *condition, Leader *ret) {
        const Selector *s = condition->kind == SELECTOR_NOT ? condition->children : condition;
        bool negated = s != condition, yes;

        *ret = (Leader) { .condition = condition };
        if (s->kind != SELECTOR_TERM || s->of_customer || (s->field != SELECTOR_COLUMN && s->field != SELECTOR_POSITIVE))
                return false;
        if (selector_is_positive(s, &yes)) {
                ret->column = &sql_positive_tickets;
                *value_add(c, ret, 1) = (QueryValue) { .type = 'i', .integer = yes != negated };
                return true;
        }
        if (s->op != SELECTOR_EQ && s->op != SELECTOR_NE)
                return false;
        negated = negated != (s->op == SELECTOR_NE);
        const SqlColumn *column = sql_column(c->sql, c->dataset, s->column);
        if (!column->show) {
                *value_add(c, ret, 1) = (QueryValue) { .type = 'i', .integer = c->request->uid };
                return s->n_values == 1 && (s->values[0].number > 0) != negated;
        }
        ret->column = column;
        return column->rank > 0 && leader_values(c, ret, s, negated);
}

/* Whether it fits the order, and how. */
static bool leader_fits(Compiler *c, Leader *l) {
        const QueryOrder *order = &c->q->order;

        if (!l->column || l->column->flags & SQL_UNIQUE) {
                l->at_once = true;
                return true;
        }
        if (order->indexed && is_default_order(c) && l->n_values <= QUERY_ARMS_MAX)
                return true;
        /* A page in the order of another index is soon found by walking it; if all rows are wanted, sorting is less. */
        if (order->indexed && c->request->limit > 0)
                return false;
        l->at_once = true;
        return l->n_values == 1 || !l->column->table;        /* a customer with two of the tags would come twice */
}

enum { RANK_COMMON = 1000 };

static int leader_rank(const Leader *l) {
        enum { PINS = 25 };
        int rank = l->column ? 10 * l->column->rank : PINS;

        for (size_t i = 0; i < l->n_values && rank < RANK_COMMON; i++)
                if (l->values[i].type == 'i' ? l->column == &sql_positive_tickets && l->values[i].integer == 0
                                             : l->column->common && str_equal(l->values[i].text, l->column->common))
                        rank += RANK_COMMON;
        return rank;
}

/* Nothing else leads: the smallest index with names does. */
static bool is_search_led(const Compiler *c, const Leader *l) {
        return !l->condition && c->searches && is_default_order(c);
}

void leader_choose(Compiler *c, const Selector *const *conditions, size_t n, Leader *ret) {
        QueryOrder *order = &c->q->order;

        *ret = (Leader) {};
        for (size_t i = 0; i < n; i++) {
                Leader l;
                if (!leader_from(c, conditions[i], &l) || !leader_fits(c, &l))
                        continue;
                /* Of names that fit, most have a common value: looking for the word first is cheaper. */
                if (c->searches && is_default_order(c) && leader_rank(&l) >= RANK_COMMON)
                        continue;
                if (!ret->condition || leader_rank(&l) < leader_rank(ret))
                        *ret = l;
        }
        c->q->sorts = ret->at_once;
        bool table = ret->column && ret->column->table;
        if (table || is_search_led(c, ret))
                c->names = "d";
        if (is_search_led(c, ret))
                order->exprs[0] = "d.organization_key";
        if (table && !ret->at_once) {
                order->exprs[0] = "d.organization_key";
                order->exprs[1] = "d.organization";
                order->exprs[2] = "d.id";
        }
}

size_t leader_arms(const Leader *l) {
        return !l->condition || l->at_once ? 1 : l->n_values;
}

/* ---- SQL ---- */

/* "= ?" or "IN (?, …)" of the values from … to. */
static void emit_values(Compiler *c, Buffer *b, const Leader *l, size_t from, size_t to) {
        if (to - from == 1) {
                buffer_printf(b, " = ?%d", bind_value(c, l->values[from]));
                return;
        }
        for (size_t i = from; i < to; i++)
                buffer_printf(b, "%s?%d", i == from ? " IN (" : ",", bind_value(c, l->values[i]));
        buffer_add_char(b, ')');
}

static void emit_order_index(Compiler *c, Buffer *b) {
        const QueryOrder *order = &c->q->order;
        bool customers = strcmp(c->sql->kind, "customers") == 0;

        buffer_printf(b, "FROM %s", c->sql->from);
        if (order->indexed && *order->column->walk)
                buffer_printf(b, " INDEXED BY %s", order->column->walk);
        else if (customers)
                /* Everything is read. If the index says enough, it is a tenth of the table's size. */
                buffer_add_string(b, c->uncovered || !(order->column->flags & SQL_COVERED) ? " NOT INDEXED"
                                                                                           : " INDEXED BY customer_by_organization");
        buffer_add_string(b, " WHERE ");
}

void leader_emit(Compiler *c, Buffer *b, const Leader *l, size_t arm) {
        const SqlColumn *column = l->column;
        size_t from = l->at_once ? 0 : arm, to = l->at_once ? l->n_values : arm + 1;

        if (is_search_led(c, l)) {
                /* A third of the size of the order's index, and the row is touched only where the name fits. Names with equal
                 * keys are sorted as they are found. */
                buffer_add_string(b, "FROM customer d INDEXED BY customer_by_key CROSS JOIN customer c ON c.n = d.n WHERE ");
                return;
        }
        if (!l->condition) {
                emit_order_index(c, b);
                return;
        }
        if (column && column->find)
                buffer_printf(b, "FROM %s%s%s WHERE %s", c->sql->from, *column->find ? " INDEXED BY " : "", column->find,
                              column->exact ?: column->show);
        else
                buffer_printf(b, "FROM %s d CROSS JOIN customer c ON c.n = d.customer WHERE d.%s", column ? column->table : "pin",
                              column ? column->element : "uid");
        emit_values(c, b, l, from, to);
        buffer_add_string(b, " AND ");
        if (column && column->table && from > 0) {
                buffer_printf(b, "NOT EXISTS(SELECT 1 FROM %s x WHERE x.customer = d.customer AND x.%s", column->table, column->element);
                emit_values(c, b, l, 0, from);
                buffer_add_string(b, ") AND ");
        }
}

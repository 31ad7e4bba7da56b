/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/query-private.h"

/* From a checked selector to SQL expressions. Every term is made of = in ~ < > alone, and unset satisfies none of
 * them; != and not are NOT around that, so they are exact complements. Columns carry a unary + : what leads is chosen
 * in query.c, and nothing here may tempt the planner to choose again. */

/* ---- values ---- */

int bind_value(Compiler *c, QueryValue v) {
        Query *q = c->q;

        if (q->n_values == c->values_size) {
                c->values_size = MAX(2 * c->values_size, (size_t) 32);
                QueryValue *more = arena_alloc(c->arena, c->values_size * sizeof(*more));
                if (q->n_values > 0)
                        memcpy(more, q->values, q->n_values * sizeof(*more));
                q->values = more;
        }
        q->values[q->n_values++] = v;
        return (int) q->n_values;
}

int bind_text(Compiler *c, const char *text) {
        return bind_value(c, (QueryValue) { .type = 't', .text = text, .size = strlen(text) });
}

int bind_integer(Compiler *c, int64_t v) {
        return bind_value(c, (QueryValue) { .type = 'i', .integer = v });
}

int bind_id(Compiler *c, Id id) {
        return bind_value(c, (QueryValue) { .type = 'd', .id = id });
}

int bind_uid(Compiler *c) {
        if (c->uid_parameter == 0)
                c->uid_parameter = bind_integer(c, c->request->uid);
        return c->uid_parameter;
}

static int bind_typed(Compiler *c, const Column *column, const SelectorValue *v) {
        if (column && column->type == COLUMN_ID)
                return bind_id(c, v->id);
        return v->exact ? bind_text(c, v->exact) : bind_integer(c, v->number);
}

/* ---- columns ---- */

const char *sql_value(Compiler *c, const SqlColumn *column) {
        if (!column->show)           /* pinned: the caller's */
                return arena_printf(c->arena, "EXISTS(SELECT 1 FROM pin p WHERE p.uid = ?%d AND p.customer = c.n)", bind_uid(c));
        return column->value ?: column->show;
}

const char *sql_key(Compiler *c, const SqlColumn *column, const Column *of) {
        const char *value = sql_value(c, column);

        if (column->key || of->type == COLUMN_ENUM)
                return column->key ?: value;
        return arena_printf(c->arena, "text_key(%s)", value);
}

static bool is_not_null(const SqlColumn *column) {
        return column->flags & SQL_NOT_NULL;
}

/* ---- terms ---- */

void emit_equal(Compiler *c, Buffer *b, const char *expr, const Selector *s) {
        const Column *column = s->field == SELECTOR_COLUMN ? s->column : NULL;

        if (s->n_values == 1) {
                buffer_printf(b, "%s = ?%d", expr, bind_typed(c, column, &s->values[0]));
                return;
        }
        buffer_printf(b, "%s IN (", expr);
        for (size_t i = 0; i < s->n_values; i++)
                buffer_printf(b, "%s?%d", i ? "," : "", bind_typed(c, column, &s->values[i]));
        buffer_add_char(b, ')');
}

static void emit_time_equal(Compiler *c, Buffer *b, const char *expr, const Selector *s) {
        buffer_add_char(b, '(');
        for (size_t i = 0; i < s->n_values; i++) {
                int from = bind_integer(c, s->values[i].number), to = bind_integer(c, s->values[i].end);
                buffer_printf(b, "%s(+%s >= ?%d AND +%s < ?%d)", i ? " OR " : "", expr, from, expr, to);
        }
        buffer_add_char(b, ')');
}

/* value and key are those of what is compared: a column, or an element of a list. */
static void emit_text_comparison(Compiler *c, Buffer *b, const char *value, const char *key, const Selector *s) {
        switch (s->op) {
        case SELECTOR_EQ:
        case SELECTOR_NE:
                emit_equal(c, b, value, s);
                break;
        case SELECTOR_MATCH:
                buffer_printf(b, "text_has(%s, ?%d)", key, bind_text(c, s->values[0].key));
                break;
        case SELECTOR_LT:
        case SELECTOR_GT:
                buffer_printf(b, "+%s %c ?%d", key, s->op == SELECTOR_LT ? '<' : '>', bind_text(c, s->values[0].key));
                break;
        }
}

static bool is_recipients(const SqlColumn *column) {
        return strstr(column->name, ".recipients");
}

/* True if any element satisfies it. */
static void emit_list(Compiler *c, Buffer *b, const SqlColumn *column, const Selector *s) {
        bool equality = s->op == SELECTOR_EQ || s->op == SELECTOR_NE;
        const char *value = "x.value", *key = "text_key(x.value)";

        if (column->table) {
                value = arena_printf(c->arena, "x.%s", column->element);
                key = arena_printf(c->arena, column->element_key ? "x.%s" : "text_key(x.%s)", column->element_key ?: column->element);
                buffer_printf(b, "EXISTS(SELECT 1 FROM %s x WHERE x.customer = c.n AND ", column->table);
        } else {
                c->uncovered = true;
                if (equality && is_recipients(column))
                        value = "address_key(x.value)";
                buffer_printf(b, "EXISTS(SELECT 1 FROM json_each(%s) x WHERE ", column->show);
        }
        emit_text_comparison(c, b, value, key, s);
        buffer_add_char(b, ')');
}

static void emit_custom(Compiler *c, Buffer *b, const Selector *s) {
        buffer_printf(b, "EXISTS(SELECT 1 FROM customer_custom x WHERE x.customer = c.n AND x.name = ?%d AND ", bind_text(c, s->custom));
        emit_text_comparison(c, b, "x.value", "x.value_key", s);
        buffer_add_char(b, ')');
}

static void emit_column(Compiler *c, Buffer *b, const SqlColumn *column, const Selector *s) {
        const char *value = sql_value(c, column);
        bool equality = s->op == SELECTOR_EQ || s->op == SELECTOR_NE;

        buffer_add_char(b, '(');
        switch (s->field == SELECTOR_ACTOR ? COLUMN_TEXT : s->column->type) {
        case COLUMN_TEXT:
        case COLUMN_JSON:
                if (equality)
                        emit_equal(c, b, arena_printf(c->arena, "+%s", column->exact ?: value), s);
                else
                        emit_text_comparison(c, b, value, sql_key(c, column, s->column), s);
                break;
        case COLUMN_TIME:
                if (equality) {
                        emit_time_equal(c, b, value, s);
                        break;
                }
                /* fall through */
        case COLUMN_INT:
                if (!equality) {
                        buffer_printf(b, "+%s %c ?%d", value, s->op == SELECTOR_LT ? '<' : '>', bind_integer(c, s->values[0].number));
                        break;
                }
                /* fall through */
        case COLUMN_ID:
        case COLUMN_ENUM:
        case COLUMN_BOOL:
        case COLUMN_LIST:
                emit_equal(c, b, arena_printf(c->arena, "+%s", value), s);
                break;
        }
        buffer_add_string(b, is_not_null(column) ? ")" : ") IS TRUE");
}

/* The term without its negation. */
static void emit_positive(Compiler *c, Buffer *b, const Selector *s) {
        if (s->field == SELECTOR_GROUP) {
                /* Not expanded: nobody is in it. Bound, since a literal would fold the statement away, index and all. */
                buffer_printf(b, "?%d", bind_integer(c, 0));
                return;
        }
        if (s->field == SELECTOR_CUSTOM) {
                emit_custom(c, b, s);
                return;
        }
        if (s->field == SELECTOR_POSITIVE) {
                buffer_add_char(b, '(');
                emit_equal(c, b, arena_printf(c->arena, "+%s", sql_positive_tickets.exact), s);
                buffer_add_char(b, ')');
                return;
        }
        const SqlColumn *column = sql_column(c->sql, c->dataset, s->column);
        if (!(column->flags & SQL_COVERED) && !column->table)
                c->uncovered = true;
        if (s->field == SELECTOR_COLUMN && s->column->type == COLUMN_LIST)
                emit_list(c, b, column, s);
        else
                emit_column(c, b, column, s);
}

static void emit_term(Compiler *c, Buffer *b, const Selector *s) {
        if (s->op == SELECTOR_NE)
                buffer_add_string(b, "NOT ");
        if (!s->of_customer) {
                emit_positive(c, b, s);
                return;
        }
        Compiler inner = *c;
        inner.dataset = dataset_find("customers");
        inner.sql = sql_dataset(inner.dataset);
        buffer_printf(b, "EXISTS(SELECT 1 FROM customer c WHERE c.n = %s AND ", c->sql->customer);
        emit_positive(&inner, b, s);
        buffer_add_char(b, ')');
        c->values_size = inner.values_size;
        c->uid_parameter = inner.uid_parameter;
}

void emit_selector(Compiler *c, Buffer *b, const Selector *s) {
        switch (s->kind) {
        case SELECTOR_TERM:
                emit_term(c, b, s);
                break;
        case SELECTOR_NOT:
                buffer_add_string(b, "NOT (");
                emit_selector(c, b, s->children);
                buffer_add_char(b, ')');
                break;
        case SELECTOR_AND:
        case SELECTOR_OR:
                buffer_add_char(b, '(');
                if (!s->children)            /* an OR of nothing: nobody */
                        buffer_printf(b, "?%d", bind_integer(c, 0));
                for (const Selector *child = s->children; child; child = child->next) {
                        if (child != s->children)
                                buffer_add_string(b, s->kind == SELECTOR_AND ? " AND " : " OR ");
                        emit_selector(c, b, child);
                }
                buffer_add_char(b, ')');
                break;
        }
}

bool selector_is_positive(const Selector *s, bool *ret_yes) {
        int64_t v = s->values[0].number;

        if (s->n_values != 1)
                return false;
        if (s->field == SELECTOR_POSITIVE) {
                *ret_yes = (v > 0) != (s->op == SELECTOR_NE);
                return true;
        }
        if (s->field != SELECTOR_COLUMN || strcmp(s->column->name, "open_tickets") != 0)
                return false;
        *ret_yes = s->op == SELECTOR_GT || s->op == SELECTOR_NE;
        return s->op == SELECTOR_LT ? v == 1 : v == 0;
}

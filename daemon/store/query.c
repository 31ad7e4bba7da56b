/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/nearest.h"
#include "daemon/model/unicode.h"
#include "daemon/store/query-private.h"

/* From a request to one statement: names, order, conditions, keyset, and the arms of its leader (query-leader.c). */

typedef struct Plan {
        const Selector **conditions;         /* all of them hold */
        size_t n_conditions, conditions_size;
        Leader leader;
        Buffer rest;                         /* what the leader does not say, after WHERE */
        Buffer keyset;
        Buffer columns;
} Plan;

static void plan_done(Plan *p) {
        buffer_done(&p->rest);
        buffer_done(&p->keyset);
        buffer_done(&p->columns);
}

static bool is_customers(const Compiler *c) {
        return strcmp(c->sql->kind, "customers") == 0;
}

/* ---- names ---- */

static int unknown_column(Compiler *c, const char *name, const char *field) {
        const char *names[64];
        size_t n = 0;

        for (const Column *column = c->dataset->columns; column->name; column++)
                if (strcmp(field, "columns") == 0 || column->flags & C_SORT)
                        names[n++] = column->name;
        names[n] = NULL;
        const char *near = nearest_name(names, name);
        int r = problem_set(c->problem, PROBLEM_INVALID_ARGUMENT, "unknown-column", field,
                            near ? "%s have no column \"%.100s\"; did you mean %s?" : "%s have no column \"%.100s\"", c->dataset->kind,
                            name, near);
        if (near)
                problem_add_candidate(c->problem, near);
        return r;
}

static void add_column(Compiler *c, const Column *column) {
        size_t n = strlen(column->name);
        char *key = arena_alloc(c->arena, n + 5);

        memcpy(key, ",\"", 2);
        memcpy(key + 2, column->name, n);
        memcpy(key + 2 + n, "\":", 3);
        c->q->columns[c->q->n_columns++] = (QueryColumn) { .column = column, .key = key, .key_size = n + 4 };
}

static int choose_columns(Compiler *c) {
        const QueryRequest *request = c->request;
        Query *q = c->q;
        uint64_t seen = 0;

        if (q->ids)
                return 0;
        q->columns = arena_alloc(c->arena, 64 * sizeof(*q->columns));
        for (const Column *column = c->dataset->columns; request->n_columns == 0 && column->name; column++)
                if (!(column->flags & C_HIDDEN))
                        add_column(c, column);
        for (size_t i = 0; i < request->n_columns; i++) {
                const Column *column = dataset_column(c->dataset, request->columns[i]);
                if (!column)
                        return unknown_column(c, request->columns[i], "columns");
                uint64_t bit = UINT64_C(1) << (column - c->dataset->columns);
                if (seen & bit)
                        return problem_set(c->problem, PROBLEM_INVALID_ARGUMENT, "doubled-column", "columns", "column %s is named twice",
                                           column->name);
                seen |= bit;
                add_column(c, column);
        }
        return 0;
}

static void order_add(QueryOrder *order, char type, const char *expr) {
        for (size_t i = 0; i < order->n; i++)
                if (strcmp(order->exprs[i], expr) == 0)
                        return;
        assert(order->n < QUERY_KEYS_MAX);
        order->types[order->n] = type;
        order->exprs[order->n++] = expr;
}

/* Unset goes last; text by its key, then by itself. */
static void order_by_column(Compiler *c, QueryOrder *order, const Column *column) {
        const char *value = sql_value(c, order->column), *key = NULL;
        bool not_null = order->column->flags & SQL_NOT_NULL;
        char type = column->type == COLUMN_ID ? 'd' : 't';

        if (column->type == COLUMN_INT || column->type == COLUMN_BOOL || column->type == COLUMN_TIME)
                type = 'i';
        if (column->type == COLUMN_LIST) {
                /* Without the closing bracket a list sorts before the longer ones that it begins. */
                key = arena_printf(c->arena, "text_key(substr(%s, 1, length(%s) - 1))", value, value);
                value = arena_printf(c->arena, "nullif(%s, '[]')", value);
                not_null = false;
        } else if (column->type == COLUMN_TEXT)
                key = sql_key(c, order->column, column);
        if (!not_null) {
                order_add(order, 'i', arena_printf(c->arena, "(%s IS NULL)", value));
                value = arena_printf(c->arena, "coalesce(%s, %s)", value, type == 'i' ? "0" : type == 'd' ? "zeroblob(16)" : "''");
                if (key)
                        key = arena_printf(c->arena, "coalesce(%s, '')", key);
        }
        if (key)
                order_add(order, 't', key);
        order_add(order, type, value);
}

static int choose_order(Compiler *c) {
        const char *name = c->request->sort ?: c->dataset->default_sort;
        QueryOrder *order = &c->q->order;

        order->descending = name[0] == '-';
        const Column *column = dataset_column(c->dataset, name + order->descending);
        if (!column)
                return unknown_column(c, name + order->descending, "sort");
        if (!(column->flags & C_SORT))
                return problem_set(c->problem, PROBLEM_INVALID_ARGUMENT, "not-sortable", "sort",
                                   "rows cannot be sorted by %s", column->name);
        order->column = sql_column(c->sql, c->dataset, column);
        order->indexed = column->flags & C_INDEXED;
        assert(order->indexed == (order->column->walk != NULL));
        if (!order->column->order)
                order_by_column(c, order, column);
        order_add(order, c->sql->tie_type, c->sql->tie);
        return 0;
}

/* ---- conditions ---- */

static void flatten(Compiler *c, Plan *p, const Selector *s) {
        if (s->kind == SELECTOR_AND) {
                for (const Selector *child = s->children; child; child = child->next)
                        flatten(c, p, child);
                return;
        }
        if (p->n_conditions == p->conditions_size) {
                p->conditions_size = MAX(2 * p->conditions_size, (size_t) 16);
                const Selector **more = arena_alloc(c->arena, p->conditions_size * sizeof(*more));
                if (p->n_conditions > 0)
                        memcpy(more, p->conditions, p->n_conditions * sizeof(*more));
                p->conditions = more;
        }
        p->conditions[p->n_conditions++] = s;
}

static int read_selector(Compiler *c, Plan *p) {
        Selector *s;

        if (c->request->selector) {
                int r = selector_read(c->arena, c->dataset, c->request->selector, &s, c->problem);
                if (r == 0)
                        r = selector_expand(c->arena, s, &c->request->groups, c->problem);
                if (r != 0)
                        return r;
                flatten(c, p, s);
        }
        if (c->request->scope && is_customers(c))
                flatten(c, p, c->request->scope);
        return 0;
}

static void condition(Buffer *b, const char *text) {
        if (b->size > 0)
                buffer_add_string(b, " AND ");
        buffer_add_string(b, text);
}

static bool is_blank(const char *s) {
        return !s || s[strspn(s, " \t\r\n")] == 0;
}

/* "organization ~ word": the same as a search for the word. */
static bool is_search(const Compiler *c, const Selector *s) {
        return is_customers(c) && s->kind == SELECTOR_TERM && s->op == SELECTOR_MATCH && s->column &&
               strcmp(s->column->name, "organization") == 0;
}

static int read_search(Compiler *c, const Plan *p) {
        if (!c->sql->time && (c->request->since > 0 || c->request->until > 0))
                return problem_set(c->problem, PROBLEM_INVALID_ARGUMENT, "no-time", c->request->since > 0 ? "since" : "until",
                                   "%s have no time: leave since and until out", c->dataset->kind);
        if (!is_blank(c->request->search)) {
                if (!is_customers(c))
                        return problem_set(c->problem, PROBLEM_INVALID_ARGUMENT, "no-search", "search",
                                           "%s cannot be searched; use a selector with ~", c->dataset->kind);
                c->searches = true;
        }
        for (size_t i = 0; i < p->n_conditions; i++)
                c->searches = c->searches || is_search(c, p->conditions[i]);
        return 0;
}

static void add_search(Compiler *c, Buffer *b, const char *key) {
        condition(b, arena_printf(c->arena, "text_has(%s.organization_key, ?%d)", c->names, bind_text(c, key)));
}

/* A row whose customer the scope lets through. */
static void add_scope_of_customer(Compiler *c, Buffer *b) {
        const SqlDataset *sql = c->sql;
        const Dataset *dataset = c->dataset;

        c->dataset = dataset_find("customers");
        c->sql = sql_dataset(c->dataset);
        buffer_printf(b, "EXISTS(SELECT 1 FROM customer c WHERE c.n = %s AND ", sql->customer);
        emit_selector(c, b, c->request->scope);
        buffer_add_char(b, ')');
        c->sql = sql;
        c->dataset = dataset;
}

/* What the scope lets through of other datasets; the rule stands in query.h. */
static void add_scope(Compiler *c, Buffer *b) {
        const SqlDataset *sql = c->sql;

        if (!sql->owner && !sql->customer)
                return;
        condition(b, "(");
        if (sql->customer && !sql->own)
                add_scope_of_customer(c, b);
        if (sql->owner) {
                if (sql->customer && !sql->own)
                        buffer_printf(b, " OR %s IS NULL AND ", sql->customer);
                buffer_printf(b, "+%s = ?%d", sql->owner, bind_uid(c));
        }
        if (sql->shared)
                buffer_printf(b, " OR %s", sql->shared);
        buffer_add_char(b, ')');
}

static void add_conditions(Compiler *c, Plan *p) {
        const QueryRequest *request = c->request;

        if (!is_blank(request->search))
                add_search(c, &p->rest, text_key(c->arena, request->search));
        for (size_t i = 0; i < p->n_conditions; i++) {
                const Selector *s = p->conditions[i];
                if (s == p->leader.condition)
                        continue;
                if (is_search(c, s)) {
                        add_search(c, &p->rest, s->values[0].key);
                        continue;
                }
                condition(&p->rest, "");
                emit_selector(c, &p->rest, s);
        }
        if (c->sql->parent)
                condition(&p->rest, arena_printf(c->arena, "%s = ?%d", c->sql->parent, bind_integer(c, request->parent)));
        if (c->sql->time && request->since > 0)
                condition(&p->rest, arena_printf(c->arena, "+%s >= ?%d", c->sql->time, bind_integer(c, request->since)));
        if (c->sql->time && request->until > 0)
                condition(&p->rest, arena_printf(c->arena, "+%s < ?%d", c->sql->time, bind_integer(c, request->until)));
        if (request->scope && !is_customers(c))
                add_scope(c, &p->rest);
}

static int add_keyset(Compiler *c, Plan *p) {
        const QueryOrder *order = &c->q->order;
        QueryValue values[QUERY_KEYS_MAX];

        if (c->request->limit > 0 || c->request->cursor)     /* what gives no pages has no cursors */
                cursor_digest(c->request, c->q->digest);
        if (!c->request->cursor)
                return 0;
        int r = cursor_read(c->arena, c->request->cursor, c->q, values, c->problem);
        if (r != 0)
                return r;
        buffer_add_char(&p->keyset, '(');
        for (size_t i = 0; i < order->n; i++)
                buffer_printf(&p->keyset, "%s%s", i ? ", " : "", order->exprs[i]);
        buffer_printf(&p->keyset, ") %c (", order->descending ? '<' : '>');
        for (size_t i = 0; i < order->n; i++)
                buffer_printf(&p->keyset, "%s?%d", i ? ", " : "", bind_value(c, values[i]));
        buffer_add_char(&p->keyset, ')');
        /* The other keys are those of another table; this says where the index begins. */
        if (c->searches && strcmp(order->exprs[0], "d.organization_key") == 0)
                buffer_printf(&p->keyset, " AND d.organization_key %c= ?%d", order->descending ? '<' : '>', bind_value(c, values[0]));
        return 0;
}

/* ---- the statement ---- */

/* Position of an expression in the result; it is added if no column shows it already. */
static int result_position(Plan *p, size_t *n, const char *const *shown, size_t n_shown, const char *expr) {
        for (size_t i = 0; i < n_shown; i++)
                if (strcmp(shown[i], expr) == 0)
                        return (int) i;
        if (*n > 0)
                buffer_add(&p->columns, ", ", 2);
        buffer_add_string(&p->columns, expr);
        return (int) (*n)++;
}

static void add_columns(Compiler *c, Plan *p) {
        Query *q = c->q;
        const char *shown[66];
        size_t n = 0, n_shown = 0;

        if (q->ids) {
                shown[n_shown++] = c->sql->n;
                shown[n_shown++] = c->sql->id ?: "NULL";
        }
        for (size_t i = 0; i < q->n_columns; i++) {
                const SqlColumn *column = sql_column(c->sql, c->dataset, q->columns[i].column);
                q->columns[i].position = (int) n_shown;
                q->columns[i].blank = column->flags & SQL_BLANK;
                shown[n_shown++] = column->show ?: sql_value(c, column);
        }
        for (size_t i = 0; i < n_shown; i++)
                (void) result_position(p, &n, NULL, 0, shown[i]);
        for (size_t i = 0; i < q->order.n; i++)
                q->key_positions[i] = result_position(p, &n, shown, n_shown, q->order.exprs[i]);
}

static void add_arms(Compiler *c, Buffer *b, const Plan *p, const char *columns, const char *between, bool keyset) {
        for (size_t i = 0; i < leader_arms(&p->leader); i++) {
                buffer_add_string(b, i ? between : "");
                buffer_add_string(b, "SELECT ");
                buffer_add_string(b, columns);
                buffer_add_char(b, ' ');
                leader_emit(c, b, &p->leader, i);
                buffer_add_string(b, p->rest.size > 0 ? buffer_string(&p->rest) : "1");
                if (keyset && p->keyset.size > 0)
                        buffer_printf(b, " AND %s", buffer_string(&p->keyset));
        }
}

static void build(Compiler *c, Plan *p) {
        Query *q = c->q;
        Buffer b = {};

        add_arms(c, &b, p, buffer_string(&p->columns), " UNION ALL ", true);
        for (size_t i = 0; i < q->order.n; i++)
                buffer_printf(&b, "%s%d%s", i ? ", " : " ORDER BY ", q->key_positions[i] + 1, q->order.descending ? " DESC" : "");
        /* One row more than a page tells whether there is another page. */
        int64_t limit = c->request->limit > 0 ? c->request->limit + 1 : -1;
        buffer_printf(&b, " LIMIT ?%d", bind_integer(c, limit));
        q->sql = arena_strdup(c->arena, buffer_string(&b));

        buffer_clear(&b);
        if (leader_arms(&p->leader) > 1) {
                buffer_add_string(&b, "SELECT (");
                add_arms(c, &b, p, "count(*)", ") + (", false);
                buffer_add_char(&b, ')');
        } else
                add_arms(c, &b, p, "count(*)", "", false);
        q->count_sql = buffer_into(&b, c->arena);
}

static int compile(Arena *a, const QueryRequest *request, bool ids, Query **ret, Problem *problem) {
        Query *q = arena_alloc(a, sizeof(*q));
        Compiler c = { .arena = a, .request = request, .problem = problem, .q = q, .dataset = request->dataset,
                       .sql = sql_dataset(request->dataset), .names = "c" };
        _cleanup_(plan_done) Plan p = {};
        int r;

        q->dataset = request->dataset;
        q->limit = request->limit;
        q->ids = ids;
        if ((r = choose_columns(&c)) != 0 || (r = choose_order(&c)) != 0 || (r = read_selector(&c, &p)) != 0)
                return r;
        if ((r = read_search(&c, &p)) != 0)
                return r;
        leader_choose(&c, p.conditions, p.n_conditions, &p.leader);
        add_conditions(&c, &p);
        if ((r = add_keyset(&c, &p)) != 0)
                return r;
        add_columns(&c, &p);
        build(&c, &p);
        *ret = q;
        return 0;
}

int query_compile(Arena *a, const QueryRequest *request, Query **ret, Problem *problem) {
        return compile(a, request, false, ret, problem);
}

int query_compile_ids(Arena *a, const QueryRequest *request, Query **ret, Problem *problem) {
        return compile(a, request, true, ret, problem);
}

int query_in_scope(Db *db, Arena *a, const QueryRequest *request, int64_t n) {
        Query q = { .dataset = request->dataset };
        Problem unused;
        Compiler c = { .arena = a, .request = request, .problem = &unused, .q = &q, .dataset = request->dataset,
                       .sql = sql_dataset(request->dataset), .names = "c" };
        int64_t count = 0;
        Buffer b = {};

        if (!request->scope)
                return 1;
        buffer_printf(&b, "SELECT count(*) FROM %s WHERE %s = ?%d AND ", c.sql->from, c.sql->n, bind_integer(&c, n));
        Buffer scope = {};
        if (is_customers(&c))
                emit_selector(&c, &scope, request->scope);
        else
                add_scope(&c, &scope);
        buffer_add_string(&b, scope.size > 0 ? buffer_string(&scope) : "1");
        buffer_done(&scope);
        q.count_sql = buffer_into(&b, a);
        int r = query_count(db, &q, &count);
        return r < 0 ? r : count > 0;
}

const char *query_sql(const Query *q) {
        return q->sql;
}

bool query_is_unindexed(const Query *q) {
        return !q->order.indexed;
}

size_t query_columns(const Query *q) {
        return q->n_columns;
}

const Column *query_column(const Query *q, size_t i) {
        assert(i < q->n_columns);
        return q->columns[i].column;
}

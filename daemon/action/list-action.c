/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "common/names.h"
#include "common/time.h"
#include "daemon/action/access.h"
#include "daemon/action/json-list.h"
#include "daemon/action/list-action.h"
#include "daemon/model/selector.h"
#include "daemon/store/view-store.h"

enum { COUNT_BUDGET = 5 * USEC_MSEC };

static int complete(Context *c, QueryRequest *q) {
        q->uid = c->caller->uid;
        q->scope = c->scope;
        return q->selector ? access_groups(c, q->selector, &q->groups) : 0;
}

int list_compile(Context *c, QueryRequest *q, Query **ret, Problem *problem) {
        int r = complete(c, q);
        return r < 0 ? r : query_compile(c->arena, q, ret, problem);
}

static int compile_ids(Context *c, QueryRequest *q, Query **ret, Problem *problem) {
        int r = complete(c, q);
        return r < 0 ? r : query_compile_ids(c->arena, q, ret, problem);
}

int list_keys(Context *c, const QueryRequest *q, QueryKey *ret, size_t max, size_t *ret_n) {
        QueryRequest own = *q;
        Problem problem;
        Query *query;
        int r = compile_ids(c, &own, &query, &problem);
        *ret_n = 0;
        return r != 0 ? MIN(r, 0) : query_ids(c->db, query, ret, max, ret_n, NULL);
}

/* The columns, selector and sort of a view, where the query gives none of its own. */
static int apply_view(Context *c, const char *name, QueryRequest *q, Problem *problem) {
        View view;
        int r = view_find(c->db, c->arena, name, &view);
        if (r < 0)
                return r;
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-view", "view", "there is no view \"%.80s\"; view list shows them", name);
        if (*view.selector && q->selector) {
                /* By itself, so that its places are counted from its own begin and it cannot end the view's parenthesis. */
                Selector *own;
                r = selector_read(c->arena, q->dataset, q->selector, &own, problem);
                if (r != 0)
                        return r;
        }
        if (*view.selector)
                q->selector = q->selector ? arena_printf(c->arena, "(%s) and (%s)", view.selector, q->selector) : view.selector;
        if (!q->sort)
                q->sort = view.sort;
        if (q->n_columns == 0)
                q->columns = json_list_read(c->arena, view.columns, &q->n_columns);
        return 0;
}

static int read_query(Context *c, const Dataset *d, const Request *request, QueryRequest *ret, Problem *problem) {
        static const char *const keys[] = { "columns", "selector", "sort", "cursor", "limit", "view", "search", "all", "since", "until", NULL };
        QueryRequest q = { .dataset = d };
        const char *view = NULL;
        bool all = false;

        int r = dict_check_keys(request->query, "a query", keys, problem);
        if (r == 0)
                r = dict_strings(request->query, "columns", &q.columns, &q.n_columns, problem);
        if (r == 0)
                r = dict_string(request->query, "selector", &q.selector, problem);
        if (r == 0)
                r = dict_string(request->query, "sort", &q.sort, problem);
        if (r == 0)
                r = dict_string(request->query, "cursor", &q.cursor, problem);
        if (r == 0)
                r = dict_string(request->query, "search", &q.search, problem);
        if (r == 0)
                r = dict_string(request->query, "view", &view, problem);
        /* Also what expired subscriptions hide: there are none yet. */
        if (r == 0)
                r = dict_bool(request->query, "all", &all, problem);
        if (r == 0)
                r = dict_int(request->query, "since", 0, INT64_MAX, &q.since, problem);
        if (r == 0)
                r = dict_int(request->query, "until", 0, INT64_MAX, &q.until, problem);
        if (r == 0)
                r = dict_int(request->query, "limit", 1, PAGE_MAX, &q.limit, problem);
        if (r == 0 && q.cursor && *q.cursor == 0)
                q.cursor = NULL;
        if (r == 0 && view)
                r = apply_view(c, view, &q, problem);
        if (r == 0)
                *ret = q;
        return r;
}

int list_page(Context *c, const Dataset *d, const Request *request, Buffer *answer, const char **ret_next, Problem *problem) {
        _cleanup_(freep) char *next = NULL;
        QueryRequest q;
        Query *query;

        int r = read_query(c, d, request, &q, problem);
        if (r != 0)
                return r;
        if (q.limit == 0)
                q.limit = PAGE_DEFAULT;
        r = list_compile(c, &q, &query, problem);
        if (r == 0)
                r = query_run(c->db, query, QUERY_ARRAY, answer, &next);
        if (r == 0)
                *ret_next = next ? arena_strdup(c->arena, next) : "";
        return r;
}

int list_all(Context *c, const Dataset *d, const Request *request, QuerySink sink, void *userdata, Problem *problem) {
        bool csv = str_equal(request->format, "csv");
        QueryRequest q;
        Query *query;

        if (!csv && !str_equal(request->format, "jsonl"))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "unknown-word", "format", "format is \"%.40s\", but must be jsonl or csv", request->format);
        int r = read_query(c, d, request, &q, problem);
        if (r == 0)
                r = list_compile(c, &q, &query, problem);
        return r != 0 ? r : query_pour(c->db, query, csv ? QUERY_CSV : QUERY_LINES, sink, userdata);
}

int list_count(Context *c, const Dataset *d, const Request *request, int64_t *ret, Problem *problem) {
        QueryRequest q;
        Query *query;
        int r = read_query(c, d, request, &q, problem);
        q.limit = 0;
        if (r == 0)
                r = list_compile(c, &q, &query, problem);
        return r != 0 ? r : query_count(c->db, query, ret);
}

static int one_in_scope(Context *c, const Dataset *d, Id id, Buffer *answer) {
        char text[ID_TEXT_SIZE];
        QueryRequest q = { .dataset = d, .selector = arena_printf(c->arena, "id = %s", id_text(id, text)) };
        size_t before = answer->size;
        Problem problem;
        Query *query;

        int r = list_compile(c, &q, &query, &problem);
        if (r == 0)
                r = query_run(c->db, query, QUERY_LINES, answer, NULL);
        if (r != 0)
                return r < 0 ? r : -EINVAL;
        if (answer->size == before)
                return 0;
        answer->data[--answer->size] = 0;    /* its line end */
        return 1;
}

int list_has(Context *c, const Dataset *d, Id id) {
        char text[ID_TEXT_SIZE];
        const QueryRequest q = { .dataset = d, .selector = arena_printf(c->arena, "id = %s", id_text(id, text)), .limit = 1 };
        QueryKey keys[2];
        size_t n = 0;

        int r = list_keys(c, &q, keys, 1, &n);
        return r < 0 ? r : n > 0;
}

int list_one(Context *c, const Dataset *d, Id id, Buffer *answer, Problem *problem) {
        char text[ID_TEXT_SIZE];
        int r = c->scope ? one_in_scope(c, d, id, answer) : query_one(c->db, d, id, c->caller->uid, answer);
        return r != 0 ? MIN(r, 0) : problem_set(problem, PROBLEM_NOT_FOUND, "not-found", NULL, "nothing has the id %s", id_text(id, text));
}

int list_select(Context *c, const char *selector, bool want_keys, int64_t **ret_keys, size_t *ret_n, Problem *problem) {
        QueryRequest q = { .dataset = dataset_find("customers"), .selector = selector, .sort = "created" };
        int64_t count = 0;
        Query *query;

        int r = compile_ids(c, &q, &query, problem);
        if (r != 0)
                return r;
        if (!want_keys)
                db_limit_reads(c->db, COUNT_BUDGET, NULL);
        r = query_count(c->db, query, &count);
        if (!want_keys) {
                db_limit_reads(c->db, 0, NULL);
                *ret_n = r == 0 ? (size_t) count : 0;
                return r == -ETIME ? 0 : r;
        }
        if (r < 0)
                return r;
        QueryKey *keys = memory_new((size_t) (count + 1) * sizeof(*keys));
        r = query_ids(c->db, query, keys, (size_t) count + 1, ret_n, NULL);
        if (r == 0) {
                *ret_keys = arena_alloc(c->arena, (*ret_n + 1) * sizeof(**ret_keys));
                for (size_t i = 0; i < *ret_n; i++)
                        (*ret_keys)[i] = keys[i].n;
        }
        free(keys);
        return r;
}

int list_export_query(Context *c, const Dataset *d, const Dict *fields, Query **ret, Problem *problem) {
        QueryRequest q = { .dataset = d };
        const char *view = NULL;
        int64_t parent = 0;

        int r = dict_strings(fields, "columns", &q.columns, &q.n_columns, problem);
        if (r == 0)
                r = dict_string(fields, "selector", &q.selector, problem);
        if (r == 0)
                r = dict_string(fields, "sort", &q.sort, problem);
        if (r == 0)
                r = dict_string(fields, "search", &q.search, problem);
        if (r == 0)
                r = dict_string(fields, "view", &view, problem);
        if (r == 0)
                r = dict_int(fields, "since", 0, INT64_MAX, &q.since, problem);
        if (r == 0)
                r = dict_int(fields, "until", 0, INT64_MAX, &q.until, problem);
        if (r == 0)
                r = dict_int(fields, "parent", 0, INT64_MAX, &parent, problem);
        if (r == 0 && view)
                r = apply_view(c, view, &q, problem);
        if (r != 0)
                return r;
        q.parent = parent;
        if (q.n_columns == 0 && d->export_columns) {
                while (d->export_columns[q.n_columns])
                        q.n_columns++;
                q.columns = d->export_columns;
        }
        return list_compile(c, &q, ret, problem);
}

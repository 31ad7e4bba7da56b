/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/json-list.h"
#include "daemon/action/list-action.h"
#include "daemon/action/view-action.h"
#include "daemon/model/unicode.h"
#include "daemon/store/view-store.h"

static int find(Context *c, const char *reference, View *ret, Problem *problem) {
        const char *name = reference;
        Problem ignored;

        if (text_check(c->arena, "id", TEXT_ONE_LINE, 1, 200, &name, &ignored) != 0)
                name = reference;
        int r = view_find(c->db, c->arena, name, ret);
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-view", NULL, "there is no view \"%.80s\"; view list shows them", name);
        if (r > 0)
                c->trail.object = id_text(ret->id, arena_alloc(c->arena, ID_TEXT_SIZE));
        return MIN(r, 0);
}

/* Shared by all, changed by its maker and administrators. */
static int may_change(Context *c, const View *v, Problem *problem) {
        return c->caller->all || c->caller->uid == v->owner
                       ? 0
                       : problem_set(problem, PROBLEM_REFUSED, "not-yours", NULL, "the view %.80s was made by somebody else: save one of your own", v->name);
}

static int apply(Context *c, View *v, const Dict *fields, Problem *problem) {
        static const char *const keys[] = { "name", "selector", "columns", "sort", NULL };
        const char *const *columns = NULL;
        size_t n_columns = 0;

        int r = dict_check_keys(fields, "a view", keys, problem);
        if (r == 0)
                r = dict_string(fields, "name", &v->name, problem);
        if (r == 0)
                r = dict_string(fields, "selector", &v->selector, problem);
        if (r == 0)
                r = dict_string(fields, "sort", &v->sort, problem);
        if (r == 0)
                r = dict_strings(fields, "columns", &columns, &n_columns, problem);
        if (r != 0)
                return r;
        if (str_empty(v->name))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "name", "a view needs a name");
        r = text_check(c->arena, "name", TEXT_ONE_LINE, 1, 200, &v->name, problem);
        if (r != 0)
                return r;
        v->name_key = text_key(c->arena, v->name);
        if (dict_find(fields, "columns"))
                v->columns = json_list(c->arena, columns, n_columns);
        if (str_empty(v->sort))
                v->sort = NULL;
        /* Whatever a list would refuse is refused here: the query is compiled and thrown away. */
        Query *query;
        QueryRequest q = {
                .dataset = dataset_find("customers"), .columns = columns, .n_columns = n_columns, .selector = *v->selector ? v->selector : NULL,
                .sort = v->sort,
        };
        return list_compile(c, &q, &query, problem);
}

static const char *object(Context *c, const View *v) {
        Buffer b = {};
        json_put_object_begin(&b);
        json_put_key_string(&b, "name", v->name);
        json_put_key_string(&b, "selector", str_empty(v->selector) ? NULL : v->selector);
        json_put_key_raw(&b, "columns", v->columns, strlen(v->columns));
        json_put_key_string(&b, "sort", v->sort);
        json_put_object_end(&b);
        return buffer_into(&b, c->arena);
}

static int name_free(Context *c, const View *v, Problem *problem) {
        View other;
        int r = view_find(c->db, c->arena, v->name, &other);
        if (r <= 0 || other.n == v->n)
                return MIN(r, 0);
        return problem_set(problem, PROBLEM_EXISTS, "view-exists", "name", "there is a view %.80s already: edit it, or choose another name", v->name);
}

static void changed(Context *c, const View *v) {
        c->trail.object = id_text(v->id, arena_alloc(c->arena, ID_TEXT_SIZE));
        turn_effect(c->db, (Effect) { .type = EFFECT_CHANGED, .kind = "view", .id = v->id });
}

int view_save(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        View v = { .selector = "", .columns = "[]", .owner = c->caller->uid, .created = c->now };
        int r = apply(c, &v, request->fields, problem);
        if (r == 0)
                r = name_free(c, &v, problem);
        if (r != 0)
                return r;
        v.id = id_new();
        r = view_insert(c->db, &v);
        if (r < 0)
                return r;
        c->trail.after = object(c, &v);
        changed(c, &v);
        answer_object(answer, v.id, v.revision);
        return 0;
}

int view_edit(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        View v;
        if (request->n_ids != 1)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "one-at-a-time", "ids", "views are edited one at a time, not %zu", request->n_ids);
        int r = find(c, request->ids[0], &v, problem);
        if (r == 0)
                r = may_change(c, &v, problem);
        if (r == 0)
                r = request_check_revision(request, v.revision, problem);
        if (r != 0)
                return r;
        c->trail.before = object(c, &v);
        r = apply(c, &v, request->fields, problem);
        if (r == 0)
                r = name_free(c, &v, problem);
        if (r == 0)
                r = view_update(c->db, &v);
        if (r != 0)
                return r;
        c->trail.after = object(c, &v);
        changed(c, &v);
        answer_object(answer, v.id, v.revision);
        return 0;
}

int view_delete_action(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        View v;
        int r = find(c, request->id, &v, problem);
        if (r == 0)
                r = may_change(c, &v, problem);
        if (r == 0)
                r = request_check_revision(request, v.revision, problem);
        if (r == 0)
                r = view_delete(c->db, v.n);
        if (r != 0)
                return r;
        c->trail.before = object(c, &v);
        changed(c, &v);
        answer_object(answer, v.id, v.revision);
        return 0;
}

int view_show(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        View v;
        int r = find(c, request->id, &v, problem);
        return r != 0 ? r : list_one(c, dataset_find("views"), v.id, answer, problem);
}

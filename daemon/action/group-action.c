/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "daemon/action/access.h"
#include "daemon/action/group-action.h"
#include "daemon/action/list-action.h"
#include "daemon/model/unicode.h"
#include "daemon/store/group-store.h"
#include "daemon/store/role-store.h"

static int find(Context *c, const char *reference, Group *ret, Problem *problem) {
        const char *name = reference;
        Problem ignored;

        if (text_check(c->arena, "id", TEXT_ONE_LINE, 1, 200, &name, &ignored) != 0)
                name = reference;
        int r = group_find(c->db, c->arena, name, utf8_valid(name, strlen(name)) ? text_key(c->arena, name) : "", ret);
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-group", NULL, "there is no group \"%.80s\"; group list shows them", name);
        if (r > 0)
                c->trail.object = id_text(ret->id, arena_alloc(c->arena, ID_TEXT_SIZE));
        return MIN(r, 0);
}

static int apply(Context *c, Group *g, const Dict *fields, Problem *problem) {
        static const char *const keys[] = { "name", "selector", NULL };
        Selector *s;

        int r = dict_check_keys(fields, "a group", keys, problem);
        if (r == 0)
                r = dict_string(fields, "name", &g->name, problem);
        if (r == 0)
                r = dict_string(fields, "selector", &g->selector, problem);
        if (r != 0)
                return r;
        if (str_empty(g->name) || str_empty(g->selector))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", str_empty(g->name) ? "name" : "selector", "a group needs a name and a selector");
        r = text_check(c->arena, "name", TEXT_ONE_LINE, 1, 200, &g->name, problem);
        if (r == 0)
                r = selector_read(c->arena, dataset_find("customers"), g->selector, &s, problem);
        if (r != 0)
                return r;
        g->name_key = text_key(c->arena, g->name);
        if (selector_names_group(c->arena, s, NULL))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "group-in-group", "selector", "a group's selector cannot name a group: write out what that one has");
        return 0;
}

static int name_free(Context *c, const Group *g, Problem *problem) {
        Group other;
        int r = group_find(c->db, c->arena, g->name, g->name_key, &other);
        if (r <= 0 || other.n == g->n)
                return MIN(r, 0);
        return problem_set(problem, PROBLEM_EXISTS, "group-exists", "name", "there is a group %.80s already: edit it, or choose another name", other.name);
}

static const char *object(Context *c, const Group *g) {
        Buffer b = {};
        json_put_object_begin(&b);
        json_put_key_string(&b, "name", g->name);
        json_put_key_string(&b, "selector", g->selector);
        json_put_object_end(&b);
        return buffer_into(&b, c->arena);
}

int group_create(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Group g = { .created = c->now };
        int r = apply(c, &g, request->fields, problem);
        if (r == 0)
                r = name_free(c, &g, problem);
        if (r != 0)
                return r;
        g.id = id_new();
        r = group_insert(c->db, &g);
        if (r < 0)
                return r;
        c->trail.object = id_text(g.id, arena_alloc(c->arena, ID_TEXT_SIZE));
        c->trail.after = object(c, &g);
        answer_object(answer, g.id, g.revision);
        return 0;
}

/* Refused if a role is for the group. */
static int in_use(Context *c, const Group *g, const char *what, Problem *problem) {
        Role *roles;
        size_t n;
        int r = roles_all(c->db, c->arena, &roles, &n);

        for (size_t i = 0; i < n && r >= 0; i++) {
                const char *const texts[] = { roles[i].selector, roles[i].exclude };
                for (size_t k = 0; k < ELEMENTSOF(texts); k++) {
                        Problem ignored;
                        Selector *s;
                        if (texts[k] && selector_read(c->arena, dataset_find("customers"), texts[k], &s, &ignored) == 0 &&
                            selector_names_group(c->arena, s, g->name_key))
                                return problem_set(problem, PROBLEM_REFUSED, "group-in-use", NULL,
                                                   "the role %.80s is for the group %.80s: edit or delete that role before you %s the group", roles[i].name, g->name, what);
                }
        }
        return MIN(r, 0);
}

int group_edit(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Group g;

        if (request->n_ids != 1)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "one-at-a-time", "ids", "groups are edited one at a time, not %zu", request->n_ids);
        int r = find(c, request->ids[0], &g, problem);
        if (r == 0)
                r = request_check_revision(request, g.revision, problem);
        if (r != 0)
                return r;
        const Group before = g;
        c->trail.before = object(c, &g);
        r = apply(c, &g, request->fields, problem);
        if (r == 0)
                r = name_free(c, &g, problem);
        if (r == 0 && strcmp(before.name_key, g.name_key) != 0)
                r = in_use(c, &before, "rename", problem);
        if (r == 0)
                r = group_update(c->db, &g);
        if (r != 0)
                return r;
        c->trail.after = object(c, &g);
        answer_object(answer, g.id, g.revision);
        return 0;
}

int group_delete_action(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Group g;
        int r = find(c, request->id, &g, problem);
        if (r == 0)
                r = request_check_revision(request, g.revision, problem);
        if (r == 0)
                r = in_use(c, &g, "delete", problem);
        if (r == 0)
                r = group_delete(c->db, g.n);
        if (r != 0)
                return r;
        c->trail.before = object(c, &g);
        turn_effect(c->db, (Effect) { .type = EFFECT_CHANGED, .kind = "group", .id = g.id });
        answer_object(answer, g.id, g.revision);
        return 0;
}

/* ---- how many are in it ---- */

static int count_one(Context *c, int64_t n, int64_t *ret) {
        QueryRequest q = { .dataset = dataset_find("customers") };
        Problem problem;
        Query *query;
        Group g;

        int r = group_load(c->db, c->arena, n, &g);
        if (r <= 0)
                return r < 0 ? r : -ENOENT;
        q.selector = g.selector;
        r = list_compile(c, &q, &query, &problem);
        return r == 0 ? query_count(c->db, query, ret) : r < 0 ? r : -EBADMSG;
}

static int count_row(Context *c, json_t *row) {
        const json_t *key = json_object_get(row, "customers");
        int64_t count = 0;

        if (!json_is_integer(key))
                return 0;
        int r = count_one(c, json_integer_value(key), &count);
        if (r == 0)
                json_object_set_new(row, "customers", json_integer(count));
        return r;
}

int group_count(Context *c, Buffer *rows) {
        json_t *root = json_loads(buffer_string(rows), JSON_REJECT_DUPLICATES, NULL), *row;
        size_t i;
        int r = 0;

        if (!root)
                return -EBADMSG;
        if (json_is_array(root))
                json_array_foreach(root, i, row)
                        r = r < 0 ? r : count_row(c, row);
        else
                r = count_row(c, root);
        if (r == 0) {
                char *text = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER);
                buffer_clear(rows);
                buffer_add_string(rows, text);
                free(text);
        }
        json_decref(root);
        return r;
}

int group_show(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Group g;
        int r = find(c, request->id, &g, problem);
        if (r == 0)
                r = list_one(c, dataset_find("groups"), g.id, answer, problem);
        return r != 0 ? r : group_count(c, answer);
}

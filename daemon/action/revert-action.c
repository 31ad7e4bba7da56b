/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "daemon/action/customer-change.h"
#include "daemon/action/revert-action.h"
#include "daemon/store/customer-store.h"

/* JSON as before and after hold it, into the fields that customer_apply() takes: what is null or empty is cleared. */
static int read_fields(Arena *a, const char *json, Dict *ret) {
        json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
        Dict values = {};
        size_t n_clear = 0, size = json_object_size(root);
        const char **clear = arena_alloc(a, (size + 1) * sizeof(*clear)), *key;
        json_t *copy = json_object(), *item;
        int r = 0;

        json_object_foreach(root, key, item) {
                if (strcmp(key, "expired_hidden") == 0)
                        continue;
                if (json_is_null(item) || (json_is_array(item) && json_array_size(item) == 0) || (json_is_object(item) && json_object_size(item) == 0)) {
                        clear[n_clear++] = arena_strdup(a, key);
                        continue;
                }
                if (strcmp(key, "contacts") == 0) {
                        json_t *contact;
                        size_t i;
                        json_array_foreach(item, i, contact) {
                                if (json_is_null(json_object_get(contact, "name")))
                                        json_object_del(contact, "name");
                                if (json_is_null(json_object_get(contact, "language")))
                                        json_object_del(contact, "language");
                        }
                }
                json_object_set(copy, key, item);
        }
        char *text = json_dumps(copy, JSON_COMPACT);
        r = text ? dict_read_json(a, text, strlen(text), &values) : -EBADMSG;
        free(text);
        json_decref(copy);
        json_decref(root);
        if (r == 0 && n_clear > 0)
                dict_add(a, &values, "clear", (Value) { VALUE_STRINGS, .strings = { clear, n_clear } });
        *ret = values;
        return r;
}

static int refuse_changed(Problem *problem) {
        return problem_set(problem, PROBLEM_REFUSED, "changed-since", NULL, "it was changed after the operation: look at it and edit it by hand");
}

static void set_hidden(const char *json, Customer *c) {
        if (strstr(json, "\"expired_hidden\":true"))
                c->expired_hidden = true;
        else if (strstr(json, "\"expired_hidden\":false"))
                c->expired_hidden = false;
}

static int revert_item(Context *c, int64_t n, const Request *request, ItemResult *ret, Problem *problem) {
        Customer *old, *as_after, *new;
        OperationItem item;
        Dict then = {}, now = {};
        int64_t operation = 0;

        int r = dict_int(request->fields, "operation", 1, INT64_MAX, &operation, problem);
        if (r == 0)
                r = customer_load(c->db, c->arena, n, &old);
        if (r <= 0)
                return r < 0 ? r : problem_set(problem, PROBLEM_NOT_FOUND, "no-such-customer", NULL, "the customer is gone");
        r = operation_item_of(c->db, c->arena, operation, n, &item);
        if (r <= 0)
                return r < 0 ? r : problem_set(problem, PROBLEM_NOT_FOUND, "no-such-item", NULL, "the operation changed nothing here");
        customer_trail(c, old, NULL, NULL);
        r = read_fields(c->arena, item.after ?: "{}", &now);
        if (r == 0)
                r = read_fields(c->arena, item.before ?: "{}", &then);
        if (r < 0)
                return r;
        if (dict_find(&then, "symbol"))
                return problem_set(problem, PROBLEM_REFUSED, "symbol-gone", "symbol", "the operation took the customer's symbol away, and it is not kept: set it anew, and edit the rest by hand");
        as_after = arena_alloc(c->arena, sizeof(*old));
        *as_after = *old;
        r = customer_apply(c->arena, c->rules, as_after, &now, true, problem);
        if (r != 0)
                return r;
        set_hidden(item.after ?: "", as_after);
        if (!customer_equal(old, as_after))
                return refuse_changed(problem);
        new = arena_alloc(c->arena, sizeof(*old));
        *new = *old;
        r = customer_apply(c->arena, c->rules, new, &then, true, problem);
        if (r == 0) {
                set_hidden(item.before ?: "", new);
                r = customer_may_set_mode(c, old, new, problem);
        }
        return r != 0 ? r : customer_commit(c, request, old, new, ret, problem);
}

const BulkVerb revert_bulk_verbs[] = { { "operation.revert", revert_item }, {} };

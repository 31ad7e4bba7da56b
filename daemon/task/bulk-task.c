/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "daemon/action/access.h"
#include "daemon/action/customer-action.h"
#include "daemon/action/list-action.h"
#include "daemon/action/revert-action.h"
#include "daemon/store/operation-store.h"
#include "daemon/task/kinds.h"

/* An operation over customers: the worker finds out which, the slices change them one by one. After a crash the
 * customers are looked up anew, and those that have an item already are passed over. */

typedef struct Bulk {
        Operation operation;
        const BulkVerb *verb;
        Dict fields;
        bool approved;                       /* by a second person, as the call that started it */
        int64_t *keys;
        size_t n, next;
} Bulk;

static int read_keys(Work *work, Bulk *b, const json_t *root) {
        const json_t *keys = json_object_get(root, "keys");
        const char *selector = json_string_value(json_object_get(root, "selector"));

        if (selector) {
                Context c = work_context(work);
                int r = access_enter(&c, b->operation.kind, &work->problem);
                return r != 0 ? r : list_select(&c, arena_strdup(work->arena, selector), true, &b->keys, &b->n, &work->problem);
        }
        if (b->operation.retry_of)
                return operation_customers(work->reader, work->arena, b->operation.retry_of, false, &b->keys, &b->n);
        int64_t reverted = json_integer_value(json_object_get(json_object_get(root, "fields"), "operation"));
        if (str_equal(b->operation.kind, "operation.revert"))
                return operation_customers(work->reader, work->arena, reverted, true, &b->keys, &b->n);
        b->n = json_array_size(keys);
        b->keys = arena_alloc(work->arena, (b->n + 1) * sizeof(*b->keys));
        for (size_t i = 0; i < b->n; i++)
                b->keys[i] = json_integer_value(json_array_get(keys, i));
        return 0;
}

static int bulk_work(Work *work) {
        Bulk *b = arena_alloc(work->arena, sizeof(*b));

        int r = operation_load(work->reader, work->arena, work->task.operation, &b->operation);
        if (r <= 0)
                return r < 0 ? r : -ENOENT;
        b->verb = bulk_verb_find(customer_bulk_verbs, b->operation.kind) ?: bulk_verb_find(revert_bulk_verbs, b->operation.kind);
        json_t *root = json_loads(b->operation.arguments, JSON_REJECT_DUPLICATES, NULL);
        json_t *fields = json_object_get(root, "fields");
        if (!b->verb || !fields) {
                json_decref(root);
                return -EBADMSG;
        }
        char *text = json_dumps(fields, JSON_COMPACT);
        r = dict_read_json(work->arena, text, strlen(text), &b->fields);
        free(text);
        b->approved = json_is_true(json_object_get(root, "approved"));
        if (r == 0)
                r = read_keys(work, b, root);
        json_decref(root);
        work->state = b;
        return r;
}

static int finish(Context *c, Operation *o) {
        o->state = operation_end_state(o);
        o->finished = c->now;
        return operation_progress(c->db, o);
}

static int bulk_settle(Work *work, Context *c) {
        Bulk *b = work->state;
        Operation *o = &b->operation;
        Usec until = clock_monotonic() + SLICE;
        const Dict empty = {};
        const Request request = { .id = "", .fields = &b->fields, .options = &empty, .query = &empty };

        /* Read anew in each slice, and in its memory: the arguments may name every customer there is. */
        int r = operation_load(c->db, c->arena, work->task.operation, o);
        if (r <= 0)
                return r;
        Caller *actor = arena_alloc(c->arena, sizeof(*actor));
        *actor = work->caller;
        actor->user = o->user;
        actor->behalf = o->behalf;
        c->caller = actor;
        c->approved = b->approved;
        if (work->result == 0)
                work->result = access_enter(c, o->kind, &work->problem);
        if (work->result < 0)
                return work->result;
        if (work->result > 0) {
                /* The selector does not hold any more (a view or group it named is gone), or its maker has no right to it any more. */
                o->failed += MAX(o->total, o->done + 1) - o->done;
                o->done = o->total = MAX(o->total, o->done + 1);
                return finish(c, o);
        }
        o->total = MAX((int64_t) (b->n - b->next) + o->done, o->done);
        for (int n = 0; b->next < b->n && n < 250 && clock_monotonic() < until; n++) {
                int64_t key = b->keys[b->next];
                if (o->cancel) {
                        o->canceled += o->total - o->done;
                        o->done = o->total;
                        b->next = b->n;
                        break;
                }
                int k = operation_has_item(c->db, o->n, key);
                if (k == 0)
                        k = bulk_item(c, b->verb, o, &request, key);
                else if (k > 0)
                        o->total--;
                if (k < 0)
                        return k;
                b->next++;
        }
        if (b->next < b->n) {
                r = operation_progress(c->db, o);
                return r < 0 ? r : SETTLE_SLICE;
        }
        return finish(c, o);
}

const TaskKind bulk_kind = { .kind = "bulk", .work = bulk_work, .settle = bulk_settle };

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/action/bulk.h"
#include "daemon/action/list-action.h"
#include "daemon/action/resolve.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/task-store.h"

enum { DRY_RUN_SHOWN = 10, IDS_MAX = 10000 };

static int options_selector(const Request *request, const char **ret, Problem *problem) {
        int r = dict_string(request->options, "selector", ret, problem);
        if (r == 0 && *ret && request->n_ids > 0)
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "ids-and-selector", "selector", "name customers or give a selector, not both");
        if (r == 0 && *ret && **ret == 0)
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "selector", "the selector is empty: it would be everybody; say which customers");
        if (r == 0 && !*ret && request->n_ids == 0)
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "ids", "name at least one customer, or give a selector");
        if (r == 0 && request->n_ids > IDS_MAX)
                r = problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-many", "ids", "at most %d customers can be named in a call: use a selector", IDS_MAX);
        return r;
}

/* ---- one ---- */

static int change_one(Context *c, const BulkVerb *verb, const Request *request, int64_t n, Buffer *answer, Problem *problem) {
        ItemResult done = {};
        int r = verb->item(c, n, request, &done, problem);
        if (r == 0)
                answer_object(answer, done.id, done.revision);
        return r;
}

/* ---- dry run of any number ---- */

static void put_item(Buffer *b, int64_t n, const ItemResult *done, const Problem *problem, int result) {
        char customer[ID_TEXT_SIZE];
        const DryItem item = {
                .n = n, .customer = id_text(done->id, customer), .organization = done->organization, .before = done->before, .after = done->after,
                .refused = result != 0, .reason = result != 0 ? problem->code : NULL, .message = result != 0 ? problem->text : NULL,
        };
        answer_dry_item(b, &item);
}

static int dry_run(Context *c, const BulkVerb *verb, const Request *request, const int64_t *keys, size_t n, Buffer *answer) {
        Buffer items = {};
        int64_t refused = 0;
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++) {
                ItemResult done = {};
                Problem problem = {};
                r = savepoint_begin(c->db);
                if (r < 0)
                        break;
                r = verb->item(c, keys[i], request, &done, &problem);
                savepoint_rollback(c->db);
                if (r > 0) {
                        refused++;
                        (void) customer_identity(c, keys[i], &done.id, &done.organization);
                }
                if (r > 0 || (r == 0 && i < DRY_RUN_SHOWN))
                        put_item(&items, (int64_t) i + 1, &done, &problem, r);
        }
        if (r >= 0)
                answer_dry_run(answer, (int64_t) n, refused, &items);
        buffer_done(&items);
        return MIN(r, 0);
}

/* ---- many ---- */

static const char *arguments_json(Context *c, const Request *request, const char *selector, const int64_t *keys, size_t n) {
        Buffer b = {};

        json_put_object_begin(&b);
        json_put_key(&b, "fields");
        dict_write_json(&b, request->fields);
        if (selector)
                json_put_key_string(&b, "selector", selector);
        json_put_key(&b, "keys");
        json_put_array_begin(&b);
        for (size_t i = 0; keys && i < n; i++)
                json_put_int(&b, keys[i]);
        json_put_array_end(&b);
        json_put_object_end(&b);
        const char *s = arena_strdup(c->arena, buffer_string(&b));
        buffer_done(&b);
        return s;
}

int bulk_start(Context *c, const char *verb, const Request *request, const char *selector, const int64_t *keys, size_t n, Buffer *answer) {
        Operation o = {
                .kind = verb, .total = (int64_t) n, .uid = c->caller->uid, .user = c->caller->user, .behalf = c->caller->behalf,
                .created = c->now, .arguments = arguments_json(c, request, selector, keys, n),
        };
        int r = operation_insert(c->db, &o);
        if (r < 0)
                return r;
        Task task = { .kind = "bulk", .lane = "sweeps", .due = c->now, .created = c->now, .operation = o.n, .owner = c->caller->uid };
        r = task_insert(c->db, &task);
        if (r < 0)
                return r;
        c->trail.object = id_text(o.id, arena_alloc(c->arena, ID_TEXT_SIZE));
        operation_write_json(answer, &o);
        return 0;
}

int bulk_change(Context *c, const BulkVerb *verb, const Request *request, Buffer *answer, Problem *problem) {
        const char *selector = NULL;
        int64_t *keys = NULL;
        size_t n = 0;

        int r = options_selector(request, &selector, problem);
        if (r != 0)
                return r;
        if (selector) {
                r = list_select(c, selector, request_dry_run(request), &keys, &n, problem);
        } else {
                keys = arena_alloc(c->arena, request->n_ids * sizeof(*keys));
                for (; n < request->n_ids && r == 0; n++)
                        r = customer_resolve(c, request->ids[n], &keys[n], problem);
        }
        if (r != 0)
                return r;
        if (request_dry_run(request))
                return dry_run(c, verb, request, keys, n, answer);
        if (!selector && n == 1)
                return change_one(c, verb, request, keys[0], answer, problem);
        if (request->picture)
                return problem_set(problem, PROBLEM_REFUSED, "one-at-a-time", "symbol", "a symbol is set for one customer at a time");
        if (dict_find(request->options, "revision"))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "revision-of-many", "revision", "a revision belongs to one customer, not to several");
        return bulk_start(c, verb->verb, request, selector, keys, n, answer);
}

/* ---- an item of a running operation ---- */

int operation_record(Context *c, Operation *o, OperationItem *item, int result, const ItemResult *done, const Problem *problem) {
        item->n = ++o->done;
        item->finished = c->now;
        if (result == 0) {
                o->ok++;
                item->outcome = "ok";
                item->customer = done->customer;
                item->customer_id = &done->id;
                item->organization = done->organization;
                item->before = done->before;
                item->after = done->after;
                item->reason = done->reason;
        } else {
                *(result > 0 ? &o->refused : &o->failed) += 1;
                item->outcome = result > 0 ? "refused" : "failed";
                item->reason = item->reason ?: problem->code;
                item->message = problem->text;
        }
        return operation_item_insert(c->db, o, item);
}

const char *operation_end_state(const Operation *o) {
        if (o->cancel && o->canceled > 0)
                return "canceled";
        if (o->failed + o->refused == 0)
                return "finished";
        return o->ok > 0 ? "partially-failed" : "failed";
}

int bulk_item(Context *c, const BulkVerb *verb, Operation *o, const Request *request, int64_t customer) {
        ItemResult done = {};
        Problem problem = {};
        OperationItem item = { .customer = customer };

        c->trail = (Trail) { .operation = &o->id };
        int r = savepoint_begin(c->db);
        if (r < 0)
                return r;
        r = verb->item(c, customer, request, &done, &problem);
        int k = 0;
        if (r == 0)
                k = savepoint_release(c->db);
        else
                savepoint_rollback(c->db);
        if (k < 0 || turn_is_broken(c->db))
                return k < 0 ? k : -EIO;
        c->trail.operation = &o->id;
        if (r < 0)
                problem_set(&problem, PROBLEM_FAILED, "internal", NULL, "it failed inside tenantd: the log says why");
        if (r != 0 && customer_identity(c, customer, &done.id, &done.organization) > 0) {
                item.customer_id = &done.id;
                item.organization = done.organization;
        }
        AuditRecord record = {
                .time = c->now, .uid = c->caller->uid, .user = c->caller->user, .behalf = c->caller->behalf, .verb = verb->verb,
                .object = c->trail.object, .outcome = r == 0 ? "ok" : r > 0 ? "refused" : "failed", .code = r == 0 ? NULL : problem.code,
                .operation = &o->id, .customer = c->trail.customer, .before = r == 0 ? c->trail.before : NULL,
                .after = r == 0 ? c->trail.after : NULL,
        };
        k = audit_append(c->db, &record);
        return k < 0 ? k : operation_record(c, o, &item, r, &done, &problem);
}

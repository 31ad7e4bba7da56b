/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/action/access.h"
#include "daemon/action/bulk.h"
#include "daemon/action/list-action.h"
#include "daemon/action/operation-start.h"
#include "daemon/action/resolve.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/task-store.h"

enum { DRY_RUN_SHOWN = 10, DRY_RUN_BYTES = 8 << 20, DRY_RUN_SLICE = 250, IDS_MAX = 10000, IDS_ON_LOOP = 200 };

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

static int is_seen(Context *c, int64_t n) {
        static const char *const verbs[] = { "customer.show", "customer.list" };
        Context own = *c;
        Problem ignored;
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(verbs) && r == 0; i++) {
                r = access_decide(&own, verbs[i], &own.scope, &ignored);
                r = r != 0 ? MIN(r, 0) : access_customer(&own, n);
        }
        return r;
}

/* A role says by its selector whose customers it is about: what is edited may leave it, and whoever did that should not have to wonder
 * where the customer went. seen: whether it was to be seen before. */
static int warn_of_loss(Context *c, const BulkVerb *verb, int64_t n, bool seen, Buffer *answer) {
        int still = seen ? is_seen(c, n) : 1, may = still > 0 ? access_customer(c, n) : still;

        if (may != 0)
                return MIN(may, 0);
        answer->data[--answer->size] = 0;    /* its closing bracket */
        answer_warning(answer, still == 0 ? "none of your roles is about this customer any more: you see it no longer; an administrator of this tenantd can bring it back"
                                          : arena_printf(c->arena, "none of your roles lets you do %s with this customer any more; an administrator of this tenantd can bring it back", verb->verb));
        json_put_object_end(answer);
        return 0;
}

static int change_one(Context *c, const BulkVerb *verb, const Request *request, int64_t n, Buffer *answer, Problem *problem) {
        ItemResult done = {};
        int seen = c->caller->all ? 0 : is_seen(c, n);
        int r = seen < 0 ? seen : verb->item(c, n, request, &done, problem);
        if (r == 0) {
                answer_object(answer, done.id, done.revision);
                r = warn_of_loss(c, verb, n, seen > 0, answer);
        }
        return r;
}

/* ---- dry runs ---- */

void dry_run_item(DryRun *d, DryItem item) {
        item.n = ++d->count;
        d->refused += item.refused;
        if (!item.refused && d->count > DRY_RUN_SHOWN)
                return;
        d->cut |= d->items.size > DRY_RUN_BYTES;
        if (!d->cut)
                answer_dry_item(&d->items, &item);
}

void dry_run_answer(const Context *c, const char *verb, DryRun *d, Buffer *answer) {
        answer_dry_run(answer, d->count, d->refused, &d->items,
                       d->cut ? "there are more refusals than are shown: mend these first" : dry_run_note(c, verb));
        buffer_done(&d->items);
}

/* What can only be asked of one. */
static int check_many(const Request *request, Problem *problem) {
        const Value *symbol = dict_find(request->fields, "symbol");
        if (request->picture || (symbol && symbol->type == VALUE_FD))
                return problem_set(problem, PROBLEM_REFUSED, "one-at-a-time", "symbol", "a symbol is set for one customer at a time");
        if (dict_find(request->options, "revision"))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "revision-of-many", "revision", "a revision belongs to one customer, not to several");
        return 0;
}

static int resolve_all(Context *c, const Request *request, int64_t **ret_keys, size_t *ret_n, Problem *problem) {
        int64_t *keys = request->keys ?: arena_alloc(c->arena, request->n_ids * sizeof(*keys));
        int r = 0;

        if (request->unresolved) {
                *problem = *request->unresolved;
                return 1;
        }
        for (size_t i = 0; i < request->n_ids && r == 0 && !request->keys; i++)
                r = customer_resolve(c, request->ids[i], &keys[i], problem);
        *ret_keys = keys;
        *ret_n = request->n_ids;
        return r;
}

bool bulk_is_about_many(const Request *request) {
        return request->n_ids > 1 || dict_find(request->options, "selector");
}

bool bulk_names_many(const Request *request) {
        return request->n_ids > IDS_ON_LOOP && request->n_ids <= IDS_MAX;
}

int bulk_resolve(Context *c, Request *request) {
        Problem *wrong = arena_alloc(c->arena, sizeof(*wrong));
        int64_t *keys = NULL;
        size_t n = 0;

        int r = resolve_all(c, request, &keys, &n, wrong);
        if (r == 0)
                request->keys = keys;
        else if (r > 0)
                request->unresolved = wrong;
        return MIN(r, 0);
}

int bulk_dry_begin(Context *c, const BulkVerb *verb, const Request *request, BulkDryRun *ret, Problem *problem) {
        const char *selector = NULL;

        *ret = (BulkDryRun) { .verb = verb };
        int r = options_selector(request, &selector, problem);
        if (r == 0 && bulk_is_about_many(request))
                r = check_many(request, problem);
        if (r != 0)
                return r;
        return selector ? list_select(c, selector, true, &ret->keys, &ret->n, problem) : resolve_all(c, request, &ret->keys, &ret->n, problem);
}

static int dry_run_one(BulkDryRun *d, Context *c, const Request *request) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        char customer[ID_TEXT_SIZE];
        Context own = *c;
        ItemResult done = {};
        Problem problem = {};

        own.arena = a;
        int r = savepoint_begin(c->db);
        if (r < 0)
                return r;
        r = d->verb->item(&own, d->keys[d->next], request, &done, &problem);
        savepoint_rollback(c->db);
        if (r < 0 || turn_is_broken(c->db))
                return r < 0 ? r : -EIO;
        if (r > 0)
                (void) customer_identity(&own, d->keys[d->next], &done.id, &done.organization);
        dry_run_item(&d->told, (DryItem) {
                .customer = id_text(done.id, customer), .organization = done.organization, .before = done.before, .after = done.after,
                .refused = r != 0, .reason = r != 0 ? problem.code : NULL, .message = r != 0 ? problem.text : NULL,
        });
        return 0;
}

int bulk_dry_slice(BulkDryRun *d, Context *c, const Request *request, Usec time, bool *ret_done) {
        Usec until = clock_monotonic() + time;
        int r = 0;

        for (int i = 0; d->next < d->n && i < DRY_RUN_SLICE && clock_monotonic() < until && r == 0; i++, d->next++)
                r = dry_run_one(d, c, request);
        *ret_done = d->next == d->n;
        return r;
}

static int dry_run(Context *c, const BulkVerb *verb, const Request *request, Buffer *answer, Problem *problem) {
        BulkDryRun d;
        bool done = false;

        int r = bulk_dry_begin(c, verb, request, &d, problem);
        while (r == 0 && !done)
                r = bulk_dry_slice(&d, c, request, USEC_SEC, &done);
        if (r == 0)
                dry_run_answer(c, verb->verb, &d.told, answer);
        buffer_done(&d.told.items);
        return r;
}

/* ---- many ---- */

static const char *arguments_json(Context *c, const BulkOrder *order, const Request *request) {
        Buffer b = {};

        json_put_object_begin(&b);
        json_put_key(&b, "fields");
        dict_write_json(&b, request->fields);
        if (c->approved)
                json_put_key_bool(&b, "approved", true);
        if (order->selector)
                json_put_key_string(&b, "selector", order->selector);
        json_put_key(&b, "keys");
        json_put_array_begin(&b);
        for (size_t i = 0; order->keys && i < order->n; i++)
                json_put_int(&b, order->keys[i]);
        json_put_array_end(&b);
        json_put_object_end(&b);
        return buffer_into(&b, c->arena);
}

int bulk_start(Context *c, const BulkOrder *order, const Request *request, Buffer *answer) {
        Operation o = { .kind = order->verb, .total = (int64_t) order->n, .arguments = arguments_json(c, order, request), .retry_of = order->retry_of };
        return operation_start(c, &o, "bulk", NULL, answer);
}

const BulkVerb *bulk_verb_find(const BulkVerb *table, const char *verb) {
        for (const BulkVerb *v = table; v->verb; v++)
                if (strcmp(v->verb, verb) == 0)
                        return v;
        return NULL;
}

int bulk_change(Context *c, const BulkVerb *verb, const Request *request, Buffer *answer, Problem *problem) {
        const char *selector = NULL;
        int64_t *keys = NULL;
        size_t n = 0;

        if (request_dry_run(request))
                return dry_run(c, verb, request, answer, problem);
        int r = options_selector(request, &selector, problem);
        if (r == 0)
                r = selector ? list_select(c, selector, false, &keys, &n, problem) : resolve_all(c, request, &keys, &n, problem);
        if (r == 0 && bulk_is_about_many(request))
                r = check_many(request, problem);
        if (r != 0)
                return r;
        if (!bulk_is_about_many(request))
                return change_one(c, verb, request, keys[0], answer, problem);
        const BulkOrder order = { .verb = verb->verb, .selector = selector, .keys = keys, .n = n };
        return bulk_start(c, &order, request, answer);
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
        r = access_customer(c, customer);
        bool visible = r > 0;
        if (visible)
                r = verb->item(c, customer, request, &done, &problem);
        else if (r == 0)
                r = problem_set(&problem, PROBLEM_NOT_FOUND, "no-such-customer", NULL, "the customer is gone");
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
        if (r != 0 && visible && customer_identity(c, customer, &done.id, &done.organization) > 0) {
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

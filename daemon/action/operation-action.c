/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "daemon/action/access.h"
#include "daemon/action/approval.h"
#include "daemon/action/bulk.h"
#include "daemon/action/list-action.h"
#include "daemon/action/operation-action.h"
#include "daemon/model/unicode.h"
#include "daemon/store/setting-store.h"
#include "daemon/store/task-store.h"

enum { ITEMS_SHOWN = 10000 };

static int find(Context *c, const char *reference, Operation *ret, Problem *problem) {
        Id id;
        int r = id_parse(reference, &id) ? operation_find(c->db, c->arena, id, ret) : 0;
        r = access_found(c, "operations", &ret->n, r);
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-operation", NULL, "there is no operation \"%.60s\"; operation list shows them", reference);
        if (r > 0)
                c->trail.object = id_text(ret->id, arena_alloc(c->arena, ID_TEXT_SIZE));
        return MIN(r, 0);
}

int operation_show(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        char *next = NULL;
        Operation o;
        Query *query;

        int r = find(c, request->id, &o, problem);
        if (r != 0)
                return r;
        /* The items of one's own are those of the customers that one may do it with, also where no role has operation.show. */
        if (c->scope && o.uid == c->caller->uid)
                r = access_widen(c, o.kind, &c->scope);
        if (r < 0)
                return r;
        bool many = o.done > ITEMS_SHOWN;
        QueryRequest q = {
                .dataset = dataset_find("items"), .limit = ITEMS_SHOWN, .parent = o.n,
                .selector = many ? "outcome != ok" : NULL,
        };
        r = list_compile(c, &q, &query, problem);
        if (r != 0)
                return r;
        operation_write_json(answer, &o);
        answer->data[--answer->size] = 0;
        json_put_key(answer, "items");
        r = query_run(c->db, query, QUERY_ARRAY, answer, &next);
        if (r < 0)
                return r;
        if (many)
                json_put_key_string(answer, "note", "of more than 10,000 items those that are not ok are shown: operation export gives all of them");
        else if (next)
                json_put_key_string(answer, "note", "there are more items than an answer has room for: operation export gives all of them");
        free(next);
        json_put_object_end(answer);
        return 0;
}

static int answer_row(Context *c, int64_t n, Buffer *answer) {
        Operation o;
        int r = operation_load(c->db, c->arena, n, &o);
        if (r > 0)
                operation_write_json(answer, &o);
        return MIN(r, 0);
}

/* Of a call that waits for a second person: its task ends it, now. */
static int withdraw(Context *c, Operation *o, Buffer *answer) {
        OperationItem item = { .outcome = "canceled", .reason = "withdrawn", .message = "it was withdrawn before anybody approved it" };

        o->canceled = 1;
        int r = approval_end(c, o, "canceled", &item);
        if (r >= 0)
                r = task_hasten(c->db, o->n, c->now);
        return r < 0 ? r : answer_row(c, o->n, answer);
}

static bool is_called(Arena *a, const char *behalf, int64_t uid, const char *user) {
        uint64_t number;
        return behalf && (str_equal(text_key(a, behalf), text_key(a, user)) || (number_parse(behalf, UINT32_MAX, &number) && (int64_t) number == uid));
}

/* Whose uid, or whom somebody speaks for: two of one uid are one, whatever names a gateway gives them, for nobody but it vouches for
 * these; and who is called the same is one, whatever the uids. */
static bool is_own(Context *c, const Operation *o) {
        const Caller *by = c->caller;

        return o->uid == by->uid || is_called(c->arena, by->behalf, o->uid, o->user) || is_called(c->arena, o->behalf, by->uid, by->user) ||
               (by->behalf && is_called(c->arena, o->behalf, -1, by->behalf));
}

int operation_approve(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Operation o;
        int r = find(c, request->id, &o, problem);
        if (r != 0)
                return r;
        if (!str_equal(o.state, APPROVAL_PENDING))
                return problem_set(problem, PROBLEM_REFUSED, "not-pending", NULL, "the operation does not wait for approval (%s)", o.state);
        /* Its task ends it, but not while the queue is paused. */
        if (approval_is_late(&o, c->now))
                return problem_set(problem, PROBLEM_REFUSED, "not-approved", NULL, "nobody approved it within %d hours: it has to be asked for again", APPROVAL_HOURS);
        if (is_own(c, &o))
                return problem_set(problem, PROBLEM_REFUSED, "own-operation", NULL, "it is your own: somebody else has to approve it");
        o.state = "running";
        c->trail.before = "{\"state\":\"" APPROVAL_PENDING "\"}";
        c->trail.after = "{\"state\":\"running\"}";
        r = operation_progress(c->db, &o);
        if (r >= 0)
                r = task_hasten(c->db, o.n, c->now);
        return r < 0 ? r : answer_row(c, o.n, answer);
}

int operation_cancel_action(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Operation o;
        int r = find(c, request->id, &o, problem);
        if (r != 0)
                return r;
        if (str_equal(o.state, APPROVAL_PENDING))
                return withdraw(c, &o, answer);
        if (!str_equal(o.state, "running"))
                return problem_set(problem, PROBLEM_REFUSED, "not-running", NULL, "the operation is over (%s)", o.state);
        r = operation_cancel(c->db, o.n);
        if (r >= 0)
                turn_effect(c->db, (Effect) { .type = EFFECT_TASK_READY });
        return r < 0 ? r : answer_row(c, o.n, answer);
}

static int arguments_read(Context *c, const Operation *o, Dict *ret_fields) {
        /* {"fields":{…},…}: the fields are the first member, written by bulk_start(). */
        static const char begin[] = "{\"fields\":";
        if (!str_starts(o->arguments, begin))
                return -EBADMSG;
        const char *start = o->arguments + strlen(begin), *p = start;
        int depth = 0;
        bool in_string = false;
        for (; *p; p++) {
                if (in_string) {
                        if (*p == '\\')
                                p++;
                        else if (*p == '"')
                                in_string = false;
                } else if (*p == '"')
                        in_string = true;
                else if (*p == '{' || *p == '[')
                        depth++;
                else if ((*p == '}' || *p == ']') && --depth == 0)
                        break;
        }
        return dict_read_json(c->arena, start, (size_t) (p + 1 - start), ret_fields);
}

int operation_retry(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Dict fields = {};
        Operation o;

        int r = find(c, request->id, &o, problem);
        if (r != 0)
                return r;
        if (str_equal(o.state, "running"))
                return problem_set(problem, PROBLEM_REFUSED, "still-running", NULL, "the operation still runs: wait for it, or cancel it first");
        if (str_equal(o.kind, "customer.import"))
                return problem_set(problem, PROBLEM_REFUSED, "import-again", NULL, "mend the lines and import the file again: lines already taken are skipped");
        if (approval_was(&o))
                return problem_set(problem, PROBLEM_REFUSED, "cannot-retry", NULL, "it was one call that waited for a second person: make the call again, and it waits again");
        if (o.refused + o.failed == 0)
                return problem_set(problem, PROBLEM_REFUSED, "nothing-to-retry", NULL, "no item of the operation failed");
        if (str_equal(o.arguments, OPERATION_ARGUMENTS_ERASED))
                return problem_set(problem, PROBLEM_REFUSED, "values-erased", NULL,
                                   "one of its customers was erased, and what the operation was to set with it: start a new one");
        r = arguments_read(c, &o, &fields);
        if (r < 0)
                return r;
        const Request again = { .id = "", .fields = &fields, .options = request->options, .query = request->query };
        const BulkOrder order = { .verb = o.kind, .n = (size_t) (o.refused + o.failed), .retry_of = o.n };
        return bulk_start(c, &order, &again, answer);
}

int operation_revert(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Dict fields = {};
        Operation o;

        int r = find(c, request->id, &o, problem);
        if (r != 0)
                return r;
        if (str_equal(o.state, "running"))
                return problem_set(problem, PROBLEM_REFUSED, "still-running", NULL, "the operation still runs: cancel it first");
        if (!str_equal(o.kind, "customer.edit") && !str_equal(o.kind, "customer.hide-expired") && !str_equal(o.kind, "customer.show-expired"))
                return problem_set(problem, PROBLEM_REFUSED, "cannot-revert", NULL, "what %s did cannot be taken back", o.kind);
        if (approval_was(&o))
                return problem_set(problem, PROBLEM_REFUSED, "cannot-revert", NULL,
                                   "it was one call that waited for a second person: of a batch, revert the operation that its item names; anything else, change back by hand");
        if (o.ok == 0)
                return problem_set(problem, PROBLEM_REFUSED, "nothing-to-revert", NULL, "no item of the operation changed anything");
        dict_add(c->arena, &fields, "operation", (Value) { VALUE_INT, .integer = o.n });
        const Request again = { .id = "", .fields = &fields, .options = request->options, .query = request->query };
        const BulkOrder order = { .verb = "operation.revert", .n = (size_t) o.ok };
        return bulk_start(c, &order, &again, answer);
}

/* ---- tasks ---- */

static int find_task(Context *c, const char *reference, Task *ret, Problem *problem) {
        Id id;
        int r = id_parse(reference, &id) ? task_find(c->db, c->arena, id, ret) : 0;
        r = access_found(c, "tasks", &ret->n, r);
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-task", NULL, "there is no task \"%.60s\"; task list shows them", reference);
        if (r > 0)
                c->trail.object = id_text(ret->id, arena_alloc(c->arena, ID_TEXT_SIZE));
        return MIN(r, 0);
}

int task_show(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Task task;
        int r = find_task(c, request->id, &task, problem);
        return r != 0 ? r : list_one(c, dataset_find("tasks"), task.id, answer, problem);
}

int task_cancel_action(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Task task;
        int r = find_task(c, request->id, &task, problem);
        if (r != 0)
                return r;
        if (!str_equal(task.state, "queued") && !str_equal(task.state, "waiting") && !str_equal(task.state, "running"))
                return problem_set(problem, PROBLEM_REFUSED, "task-over", NULL, "the task is over (%s)", task.state);
        if (task.operation)
                return problem_set(problem, PROBLEM_REFUSED, "belongs-to-operation", NULL, "the task belongs to an operation: cancel that");
        if (str_equal(task.kind, "erase"))
                return problem_set(problem, PROBLEM_REFUSED, "erasure", NULL, "an erasure is stopped by customer reconnect, not by canceling its task");
        r = task_cancel(c->db, &task, c->now);
        return r < 0 ? r : list_one(c, dataset_find("tasks"), task.id, answer, problem);
}

int task_retry_action(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Task task;
        int r = find_task(c, request->id, &task, problem);
        if (r != 0)
                return r;
        if (!str_equal(task.state, "failed") && !str_equal(task.state, "dead") && !str_equal(task.state, "canceled") && !str_equal(task.state, "waiting"))
                return problem_set(problem, PROBLEM_REFUSED, "not-failed", NULL, "only a task that failed, died, waits or was canceled is tried again; this one is %s",
                                   task.state);
        r = task_retry(c->db, &task, c->now);
        return r < 0 ? r : list_one(c, dataset_find("tasks"), task.id, answer, problem);
}

static int set_paused(Context *c, const Request *request, bool paused, Buffer *answer, Problem *problem) {
        if (*request->id)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "whole-queue", "id", "the queue is paused and resumed as a whole: give an empty id");
        int r = setting_put(c->db, "queue-paused", paused ? "1" : "0");
        if (r >= 0 && !paused)
                r = setting_put(c->db, "queue-restored", "0");
        if (r < 0)
                return r;
        turn_effect(c->db, (Effect) { .type = EFFECT_TASK_READY });
        json_put_object_begin(answer);
        json_put_key_bool(answer, "paused", paused);
        json_put_object_end(answer);
        return 0;
}

int task_pause(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        return set_paused(c, request, true, answer, problem);
}

int task_resume(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        return set_paused(c, request, false, answer, problem);
}

int operation_get(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Operation o;
        int r = find(c, request->id, &o, problem);
        if (r == 0)
                operation_write_json(answer, &o);
        return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/action/approval.h"
#include "daemon/action/freeze.h"
#include "daemon/action/json-list.h"
#include "daemon/store/task-store.h"

bool approval_is_late(const Operation *o, Usec now) {
        return now >= o->created + APPROVAL_HOURS * USEC_HOUR;
}

bool approval_was(const Operation *o) {
        /* Of these alone the arguments are forgotten when they are over. */
        return str_equal(o->state, APPROVAL_PENDING) || str_equal(o->arguments, OPERATION_ARGUMENTS_NONE);
}

static bool has_file(const Dict *d) {
        for (size_t i = 0; i < d->n; i++)
                if (d->entries[i].value.type == VALUE_FD)
                        return true;
        return false;
}

/* As if it were done, and taken back. *ret_revision: of the one object that it is about, 0 if it is about none or many. */
static int try_it(Context *c, const ChangeRow *row, const Request *request, int64_t *ret_revision, Problem *problem) {
        Request trial = *request;
        Buffer unused = {};
        int r = savepoint_begin(c->db);
        if (r < 0)
                return r;
        *ret_revision = 0;
        trial.ret_revision = ret_revision;
        r = row->action(c, &trial, &unused, problem);
        savepoint_rollback(c->db);
        buffer_done(&unused);
        return turn_is_broken(c->db) ? -EIO : r;
}

static void put_dict(Buffer *b, const char *key, const Dict *d) {
        Buffer text = {};
        dict_write_json(&text, d);
        json_put_key_string(b, key, buffer_string(&text));
        buffer_done(&text);
}

/* What the second person is to look at: what was asked for by which names, and what will be done. */
static const char *shown(Context *c, const Request *asked, const Request *request) {
        Buffer b = {};
        json_put_object_begin(&b);
        if (!str_equal(asked->id, request->id))
                json_put_key_string(&b, "name", asked->id);
        if (request->n_ids > 0) {
                const char *names = json_list(c->arena, asked->ids, asked->n_ids);
                json_put_key_raw(&b, "names", names, strlen(names));
        }
        if (!str_empty(request->id))
                json_put_key_string(&b, "id", request->id);
        if (request->n_ids > 0) {
                const char *ids = json_list(c->arena, request->ids, request->n_ids);
                json_put_key_raw(&b, "ids", ids, strlen(ids));
        }
        json_put_key(&b, "fields");
        dict_write_json(&b, request->fields);
        json_put_key(&b, "options");
        dict_write_json(&b, request->options);
        json_put_object_end(&b);
        return buffer_into(&b, c->arena);
}

static const char *arguments(Context *c, const Request *request) {
        Dict options = {};
        Buffer b = {};

        for (size_t i = 0; i < request->options->n; i++)
                if (strcmp(request->options->entries[i].key, "request_id") != 0)
                        dict_add(c->arena, &options, request->options->entries[i].key, request->options->entries[i].value);
        json_put_object_begin(&b);
        json_put_key_string(&b, "id", request->id);
        json_put_key_string(&b, "ids", json_list(c->arena, request->ids, request->n_ids));
        json_put_key_int(&b, "who", request->who);
        put_dict(&b, "fields", request->fields);
        put_dict(&b, "options", &options);
        json_put_object_end(&b);
        return buffer_into(&b, c->arena);
}

int approval_hold(Context *c, const ChangeRow *row, const Request *request, Buffer *answer, Problem *problem) {
        Operation o = {
                .kind = row->verb, .total = 1, .uid = c->caller->uid, .user = c->caller->user, .behalf = c->caller->behalf, .created = c->now,
        };
        OperationItem item = { .n = 1, .outcome = "pending", .finished = USEC_NONE };

        if (request->file || request->file_digest || has_file(request->fields) || has_file(request->options))
                return problem_set(problem, PROBLEM_REFUSED, "cannot-wait", NULL,
                                   "%s waits for a second person here, and a call that brings a file cannot wait: leave the file out", row->verb);
        int64_t revision;
        int r = try_it(c, row, request, &revision, problem);
        if (r != 0)
                return r;
        Request kept = *request;
        r = freeze(c, row->verb, &kept, revision, &item);
        if (r < 0)
                return r;
        c->trail = (Trail) {};
        o.arguments = arguments(c, &kept);
        item.after = shown(c, request, &kept);
        r = operation_insert(c->db, &o);
        if (r >= 0)
                r = operation_item_insert(c->db, &o, &item);
        if (r < 0)
                return r;
        o.state = APPROVAL_PENDING;
        r = operation_progress(c->db, &o);
        Task task = {
                .kind = "approval", .lane = "people", .due = c->now + APPROVAL_HOURS * USEC_HOUR, .created = c->now, .operation = o.n,
                .owner = c->caller->uid, .granted = c->caller->granted,
        };
        if (r >= 0)
                r = task_insert(c->db, &task);
        if (r < 0)
                return r;
        c->trail.object = id_text(o.id, arena_alloc(c->arena, ID_TEXT_SIZE));
        c->trail.after = "{\"state\":\"" APPROVAL_PENDING "\"}";
        operation_write_json(answer, &o);
        return 0;
}

int approval_end(Context *c, Operation *o, const char *state, OperationItem *item) {
        int r = operation_item_remove(c->db, o->n, 1);
        if (r < 0)
                return r;
        item->n = 1;
        item->finished = o->finished = c->now;
        o->state = state;
        o->done = 1;
        r = operation_item_insert(c->db, o, item);
        if (r >= 0)
                r = operation_progress(c->db, o);
        return r < 0 ? r : operation_forget_arguments(c->db, o->n);
}

int approval_read(Arena *a, const char *text, Request *ret) {
        const char *ids = NULL, *fields = NULL, *options = NULL;
        Dict *d = arena_alloc(a, 4 * sizeof(*d));
        Problem ignored;

        *ret = (Request) { .id = "", .fields = &d[1], .options = &d[2], .query = &d[3] };
        int r = dict_read_json(a, text, strlen(text), &d[0]);
        if (r < 0)
                return r;
        if (dict_string(&d[0], "id", &ret->id, &ignored) != 0 || dict_string(&d[0], "ids", &ids, &ignored) != 0 ||
            dict_int(&d[0], "who", INT64_MIN, INT64_MAX, &ret->who, &ignored) != 0 || dict_string(&d[0], "fields", &fields, &ignored) != 0 ||
            dict_string(&d[0], "options", &options, &ignored) != 0 || !ids || !fields || !options)
                return -EBADMSG;
        ret->ids = json_list_read(a, ids, &ret->n_ids);
        r = dict_read_json(a, fields, strlen(fields), &d[1]);
        return r < 0 ? r : dict_read_json(a, options, strlen(options), &d[2]);
}

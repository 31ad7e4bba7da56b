/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "daemon/action/action.h"
#include "daemon/action/approval.h"
#include "daemon/model/unicode.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/request-store.h"

bool action_needs_second_person(const Context *c, const char *verb) {
        const char *const *verbs = c->settings->two_person;
        return !c->approved && verbs && names_find(verbs, verb) >= 0;
}

bool request_dry_run(const Request *request) {
        const Value *v = dict_find(request->options, "dry_run");
        return v && v->type == VALUE_BOOL && v->boolean;
}

int request_check_revision(const Request *request, int64_t revision, Problem *problem) {
        int64_t expected = revision;
        if (request->ret_revision)
                *request->ret_revision = revision;
        int r = dict_int(request->options, "revision", 0, INT64_MAX, &expected, problem);
        if (r != 0 || expected == revision)
                return r;
        return problem_set(problem, PROBLEM_CONFLICT, "stale-revision", "revision",
                           "it was changed meanwhile: you have revision %lld, it is %lld now; look at it again and repeat",
                           (long long) expected, (long long) revision);
}

void answer_warning(Buffer *answer, const char *text) {
        json_put_key(answer, "warnings");
        json_put_array_begin(answer);
        json_put_string(answer, text);
        json_put_array_end(answer);
}

void answer_object(Buffer *answer, Id id, int64_t revision) {
        json_put_object_begin(answer);
        json_put_key_id(answer, "id", id);
        json_put_key_int(answer, "revision", revision);
        json_put_object_end(answer);
}

void answer_dry_item(Buffer *answer, const DryItem *item) {
        json_put_object_begin(answer);
        json_put_key_int(answer, "n", item->n);
        if (item->line > 0)
                json_put_key_int(answer, "line", item->line);
        else
                json_put_key_null(answer, "line");
        json_put_key_string(answer, "customer", item->customer);
        json_put_key_string(answer, "organization", item->organization);
        json_put_key_raw(answer, "before", item->before, item->before ? strlen(item->before) : 0);
        json_put_key_raw(answer, "after", item->after, item->after ? strlen(item->after) : 0);
        json_put_key_string(answer, "outcome", item->refused ? "refused" : "ok");
        json_put_key_string(answer, "reason", item->reason);
        json_put_key_string(answer, "message", item->message);
        json_put_key_null(answer, "finished");
        json_put_object_end(answer);
}

const char *dry_run_note(const Context *c, const char *verb) {
        return action_needs_second_person(c, verb) ? "it would wait until a second person approves it" : NULL;
}

void answer_dry_run(Buffer *answer, int64_t count, int64_t refused, const Buffer *items, const char *note) {
        json_put_object_begin(answer);
        json_put_key_bool(answer, "dry_run", true);
        json_put_key_int(answer, "count", count);
        json_put_key_int(answer, "refused", refused);
        json_put_key(answer, "items");
        json_put_array_begin(answer);
        buffer_add(answer, items->data ?: "", items->size);
        json_put_array_end(answer);
        if (note)
                json_put_key_string(answer, "note", note);
        json_put_object_end(answer);
}

/* The dry run of one thing, where the action did not write it itself. */
static int dry_run_one(Context *c, const char *verb, int result, Buffer *answer, size_t from, Problem *problem) {
        const Trail *t = &c->trail;
        DryItem item = { .n = 1, .customer = t->customer ? t->object : NULL, .organization = t->organization };
        Buffer items = {};

        if (result > 0 && problem->kind != PROBLEM_EXISTS && problem->kind != PROBLEM_CONFLICT && problem->kind != PROBLEM_REFUSED)
                return result;
        if (result == 0 && answer->size > from && str_starts(answer->data + from, "{\"dry_run\":"))
                return 0;
        if (result > 0) {
                item.refused = true;
                item.reason = problem->code;
                item.message = problem->text;
        } else {
                item.before = t->before;
                item.after = t->after;
        }
        answer->size = from;
        answer_dry_item(&items, &item);
        answer_dry_run(answer, 1, item.refused, &items, dry_run_note(c, verb));
        buffer_done(&items);
        *problem = (Problem) {};
        return 0;
}

int request_check_options(const Request *request, const char *const *extra, Problem *problem) {
        static const char *const common[] = { "request_id", "revision", "dry_run", "confirm", "on_behalf_of" };
        const char *names[40] = {}, *text = NULL;
        int64_t revision = 0;
        bool dry_run = false;
        size_t n = 0;

        /* Also where they mean nothing. */
        int r = dict_bool(request->options, "dry_run", &dry_run, problem);
        if (r == 0)
                r = dict_string(request->options, "request_id", &text, problem);
        if (r == 0)
                r = dict_int(request->options, "revision", 0, INT64_MAX, &revision, problem);
        if (r == 0)
                r = dict_string(request->options, "confirm", &text, problem);
        if (r != 0 || !extra)
                return r;
        for (; n < ELEMENTSOF(common); n++)
                names[n] = common[n];
        for (size_t i = 0; extra[i]; i++)
                names[n++] = extra[i];
        assert(n < ELEMENTSOF(names));
        return dict_check_keys(request->options, "options", names, problem);
}

static int read_request_id(Arena *a, const Request *request, const char **ret, Problem *problem) {
        bool dry_run = false;
        int r = dict_bool(request->options, "dry_run", &dry_run, problem);
        if (r == 0)
                r = dict_string(request->options, "request_id", ret, problem);
        if (r != 0 || !*ret)
                return r;
        if (**ret == 0 || strlen(*ret) > REQUEST_ID_MAX)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-request-id", "request_id",
                                   "request_id must have 1 to %d bytes, not %zu", REQUEST_ID_MAX, strlen(*ret));
        /* It is shown again; as a key it stays as it was given. */
        const char *shown = *ret;
        return text_check(a, "request_id", TEXT_ONE_LINE, 1, REQUEST_ID_MAX, &shown, problem);
}

void request_digest(Arena *a, const Request *request, uint8_t ret[SHA256_SIZE]) {
        Buffer text = { .secret = request->secret };
        Dict options = {};

        for (size_t i = 0; i < request->options->n; i++)
                if (strcmp(request->options->entries[i].key, "request_id") != 0)
                        dict_add(a, &options, request->options->entries[i].key, request->options->entries[i].value);
        json_put_array_begin(&text);
        json_put_string(&text, request->id);
        for (size_t i = 0; i < request->n_ids; i++)
                json_put_string(&text, request->ids[i]);
        dict_write_json(&text, request->fields);
        dict_write_json(&text, &options);
        json_put_string(&text, request->file_digest);
        json_put_array_end(&text);
        sha256(text.data, text.size, ret);
        buffer_done(&text);
}

typedef enum Known { KNOWN_NOT, KNOWN_SAME, KNOWN_OTHER } Known;

/* 1 with *problem set: refused then and now, or other arguments. */
static int repeat(Context *c, const RequestKey *key, const uint8_t digest[SHA256_SIZE], Buffer *answer, Known *ret, Problem *problem) {
        RequestAnswer first;
        int r = request_find(c->db, c->arena, key, &first);
        if (r <= 0)
                return r;
        *ret = KNOWN_OTHER;
        if (!request_is(c->db, &first, digest))
                return problem_set(problem, PROBLEM_CONFLICT, "request-id-reused", "request_id",
                                   "request_id %.40s was used for another %s: use a new one for another call", key->id, key->method);
        *ret = KNOWN_SAME;
        if (first.kind)
                return problem_set(problem, problem_kind_from_name(first.kind), first.code, first.field,
                                   "refused before under this request_id, and nothing was done: %s", first.code);
        buffer_add_string(answer, first.answer);
        return 0;
}

static int audit(Context *c, const char *verb, const Request *request, const char *outcome, const Problem *problem) {
        const Value *request_id = dict_find(request->options, "request_id");
        const char *object = c->trail.object;

        /* What was asked for, where nothing was found that could be named. Ids only: a name would outlive its erasure. */
        Id id;
        if (!object && request->id && id_parse(request->id, &id))
                object = request->id;
        if (!object && request->n_ids == 1 && id_parse(request->ids[0], &id))
                object = request->ids[0];
        AuditRecord record = {
                .time = c->now, .uid = c->caller->uid, .user = c->caller->user, .behalf = c->caller->behalf, .verb = verb,
                .object = object, .outcome = outcome, .code = problem ? problem->code : NULL,
                .request_id = request_id && request_id->type == VALUE_STRING && strlen(request_id->string) <= REQUEST_ID_MAX
                                      ? request_id->string : NULL,
                .operation = c->trail.operation, .customer = c->trail.customer,
                .before = problem ? NULL : c->trail.before, .after = problem ? NULL : c->trail.after,
        };
        return audit_append(c->db, &record);
}

int action_refuse(Context *c, const char *verb, const Request *request, const Problem *problem) {
        if (request_dry_run(request))
                return 0;
        return audit(c, verb, request, "refused", problem);
}

/* A change on its way. */
typedef struct Change {
        Context *c;
        const ChangeRow *row;
        const Request *request;
        RequestKey key;
        uint8_t digest[SHA256_SIZE];
        bool held;                           /* until a second person approves */
        bool remembers;                      /* what comes of it is kept under its request_id */
} Change;

/* answer: what it gave, if it was done. */
static int remember(const Change *change, int result, const char *answer, const Problem *problem) {
        RequestAnswer a = { .kind = result > 0 ? problem_kind_name(problem->kind) : NULL, .code = problem->code, .field = problem->field };

        if (result > 0 && (problem->kind == PROBLEM_UNAVAILABLE || problem->kind == PROBLEM_READ_ONLY || problem->kind == PROBLEM_BUSY))
                return 0;
        memcpy(a.digest, change->digest, SHA256_SIZE);
        if (result == 0)
                a.code = a.field = NULL, a.answer = answer;
        return request_put(change->c->db, &change->key, &a, change->c->now);
}

/* What is kept of a change besides what it changed. */
static int record(const Change *change, int result, const char *answer, const Problem *problem) {
        Problem fault;

        if (result < 0)
                problem_set(&fault, PROBLEM_FAILED, "internal", NULL, "failed");
        int k = audit(change->c, change->row->verb, change->request, result == 0 ? "ok" : result > 0 ? "refused" : "failed",
                      result == 0 ? NULL : result > 0 ? problem : &fault);
        if (k >= 0 && change->remembers && result >= 0)
                k = remember(change, result, answer, problem);
        return MIN(k, 0);
}

/* A change that was not made leaves its record alone. */
static int record_failure(const Change *change, int result, const Problem *problem) {
        if (request_dry_run(change->request) && result >= 0)
                return result;
        if (turn_is_broken(change->c->db))
                return result < 0 ? result : -EIO;
        int k = record(change, result, NULL, problem);
        return k < 0 ? k : result;
}

static void take_back(Buffer *answer, size_t from) {
        answer->size = from;
        if (answer->data)
                answer->data[from] = 0;
}

/* What the action did stays only together with its audit record and the answer that is remembered. */
static int run_in_savepoint(const Change *change, Buffer *answer, Problem *problem) {
        Db *db = change->c->db;
        bool dry_run = request_dry_run(change->request);
        size_t from = answer->size;

        int r = savepoint_begin(db);
        if (r < 0)
                return record_failure(change, r, problem);
        r = change->held ? approval_hold(change->c, change->row, change->request, answer, problem)
                         : change->row->action(change->c, change->request, answer, problem);
        if (r != 0)
                take_back(answer, from);
        if (dry_run) {
                savepoint_rollback(db);
                return r < 0 ? record_failure(change, r, problem) : dry_run_one(change->c, change->row->verb, r, answer, from, problem);
        }
        if (r == 0)
                r = record(change, 0, buffer_string(answer) + from, problem);
        if (r < 0)
                take_back(answer, from);
        if (r == 0 || (r > 0 && change->c->trail.keep)) {
                int released = savepoint_release(db);
                return released < 0 || r == 0 ? released : record_failure(change, r, problem);
        }
        savepoint_rollback(db);
        return record_failure(change, r, problem);
}

int action_change(Context *c, const ChangeRow *row, const Request *request, Buffer *answer, Problem *problem) {
        Change change = { .c = c, .row = row, .request = request, .key = { .uid = c->caller->uid, .behalf = c->caller->behalf ?: "", .method = row->verb } };
        Known known = KNOWN_NOT;

        c->trail = (Trail) {};
        change.held = action_needs_second_person(c, row->verb) && !request_dry_run(request);
        int r = read_request_id(c->arena, request, &change.key.id, problem);
        if (r == 0 && change.key.id && !request_dry_run(request)) {
                request_digest(c->arena, request, change.digest);
                r = repeat(c, &change.key, change.digest, answer, &known, problem);
                if (known == KNOWN_SAME)
                        return r;        /* what was done or refused then was audited then */
                change.remembers = known == KNOWN_NOT;
        }
        if (r == 0)
                r = request_check_options(request, row->extra_options, problem);
        return r == 0 ? run_in_savepoint(&change, answer, problem) : record_failure(&change, r, problem);
}

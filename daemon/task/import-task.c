/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/files.h"
#include "daemon/action/access.h"
#include "daemon/action/customer-action.h"
#include "daemon/action/operation-start.h"
#include "daemon/store/audit-store.h"
#include "daemon/task/import.h"
#include "daemon/task/kinds.h"

enum { LINES_A_SLICE = 250 };

/* ---- the call ---- */

int import_options_read(const Dict *fields, const Dict *options, ImportOptions *ret, Problem *problem) {
        static const char *const keys[] = { "map", "set", "update", NULL };
        const Value *map = dict_find(fields, "map"), *set = dict_find(fields, "set");

        *ret = (ImportOptions) {};
        int r = dict_check_keys(fields, "an import", keys, problem);
        if (r == 0 && map && map->type != VALUE_MAP && !(map->type == VALUE_STRINGS && map->strings.n == 0))
                r = value_type_refuse("map", map, VALUE_MAP, problem);
        if (r == 0 && set && set->type != VALUE_MAP && !(set->type == VALUE_STRINGS && set->strings.n == 0))
                r = value_type_refuse("set", set, VALUE_MAP, problem);
        if (r == 0)
                r = dict_bool(fields, "update", &ret->update, problem);
        if (r == 0)
                r = dict_bool(options, "dry_run", &ret->dry_run, problem);
        if (map && map->type == VALUE_MAP)
                ret->map = *map->map;
        if (set && set->type == VALUE_MAP)
                ret->set = *set->map;
        return r;
}

int customer_import(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Buffer json = {};

        json_put_object_begin(&json);
        json_put_key(&json, "fields");
        dict_write_json(&json, request->fields);
        json_put_key_string(&json, "spool", request->spool);
        json_put_object_end(&json);
        Operation o = { .kind = "customer.import", .total = request->lines, .arguments = arena_strdup(c->arena, buffer_string(&json)) };
        buffer_done(&json);
        return operation_start(c, &o, "import", request->warning, answer);
}

/* ---- a line ---- */

/* The reason that the contract names for what went wrong. */
static const char *item_reason(const Problem *p) {
        static const char *const reasons[] = { "already-managed", "missing", "no-such-customer", "same-as-partner", NULL };
        return names_find(reasons, p->code) >= 0 ? p->code : "failed";
}

static int run_line(Context *c, const ImportOptions *options, const Dict *fields, ItemResult *ret, Problem *problem) {
        const CustomerLine line = { .fields = fields, .update = options->update };
        int r = savepoint_begin(c->db);
        if (r < 0)
                return r;
        r = customer_import_line(c, &line, ret, problem);
        if (r == 0 && !options->dry_run)
                return savepoint_release(c->db);
        savepoint_rollback(c->db);
        return turn_is_broken(c->db) ? -EIO : r;
}

/* ---- the dry run ---- */

/* What the line calls itself, also if nobody may be called so, of any length: then as far as it can be shown. */
static const char *line_organization(Arena *a, const Dict *fields) {
        enum { BYTES = 4 * 200 };
        const Value *name = dict_find(fields, "organization");
        char *shown = arena_alloc(a, BYTES + 1);
        Buffer escaped = {};

        if (!name || name->type != VALUE_STRING)
                return NULL;
        text_escape_controls(&escaped, name->string, strlen(name->string));
        text_copy_cut(shown, BYTES + 1, buffer_string(&escaped));
        buffer_done(&escaped);
        return shown;
}

static void dry_put(ImportDryRun *d, DryItem item, const ItemResult *done, const Problem *problem) {
        char customer[ID_TEXT_SIZE];

        if (item.refused) {
                item.reason = item_reason(problem);
                item.message = problem->text;
        } else {
                /* What it would make has no id. */
                item.customer = done->before || done->reason ? id_text(done->id, customer) : NULL;
                item.organization = done->organization;
                item.before = done->before;
                item.after = done->after;
                item.reason = done->reason;
        }
        dry_run_item(&d->told, item);
}

int import_dry_slice(ImportDryRun *d, Context *c, bool *ret_done) {
        Usec until = clock_monotonic() + SLICE;

        *ret_done = false;
        for (int i = 0; i < LINES_A_SLICE && clock_monotonic() < until; i++) {
                _cleanup_(arena_freep) Arena *a = arena_new();
                Context line_context = *c;
                ItemResult done = {};
                Problem problem = {};
                Dict fields;
                int64_t line;

                line_context.arena = a;
                if (import_file_next(d->file, &d->cursor, a, &line, &fields, &problem) == 0) {
                        *ret_done = true;
                        return 0;
                }
                int r = problem.kind ? 1 : run_line(&line_context, &d->options, &fields, &done, &problem);
                if (r < 0)
                        return r;
                dry_put(d,
                        (DryItem) {
                                .line = line, .organization = line_organization(a, &fields), .refused = r > 0,
                                .customer = line_context.trail.customer ? line_context.trail.object : NULL,
                        },
                        &done, &problem);
        }
        return 0;
}

/* ---- the task ---- */

typedef struct Import {
        Operation operation;
        ImportOptions options;
        ImportFile *file;
        Buffer bytes;
        const char *path;
        size_t cursor;
} Import;

/* {"fields":{…},"spool":"…"} as customer_import() wrote it; fields nest one level deeper than a Dict reads. */
static int import_arguments_read(Arena *a, const char *text, Dict *ret_fields, const char **ret_spool) {
        json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        char *fields = json_dumps(json_object_get(root, "fields"), JSON_COMPACT);
        int r = -EBADMSG;

        *ret_spool = arena_strdup(a, json_string_value(json_object_get(root, "spool")));
        if (fields && *ret_spool)
                r = dict_read_json(a, fields, strlen(fields), ret_fields);
        free(fields);
        json_decref(root);
        return r;
}

static int import_work(Work *work) {
        Import *i = arena_alloc(work->arena, sizeof(*i));
        const char *spool = NULL, *path;
        Dict *fields = arena_alloc(work->arena, sizeof(*fields));
        const Dict none = {};

        work->state = i;
        int r = operation_load(work->reader, work->arena, work->task.operation, &i->operation);
        if (r <= 0)
                return r < 0 ? r : -ENOENT;
        r = import_arguments_read(work->arena, i->operation.arguments, fields, &spool);
        if (r < 0)
                return r;
        path = arena_printf(work->arena, "%s/%s", work->settings->state, spool);
        i->path = path;
        r = file_read(path, CSV_SIZE_MAX, &i->bytes);
        if (r < 0)
                return problem_set(&work->problem, PROBLEM_FAILED, "file-lost", NULL, "the file of the import is gone from the spool: import it again");
        r = import_options_read(fields, &none, &i->options, &work->problem);
        if (r == 0)
                r = import_file_open(work->arena, i->bytes.data, i->bytes.size, &i->options.map, &i->options.set, &i->file, &work->problem);
        return r;
}

static int import_one(Context *c, Import *i, int64_t line, const Dict *fields, Problem *problem) {
        OperationItem item = { .line = line };
        Operation *o = &i->operation;
        ItemResult done = {};

        c->trail = (Trail) { .operation = &o->id };
        int r = problem->kind ? 1 : run_line(c, &i->options, fields, &done, problem);
        if (turn_is_broken(c->db))
                return -EIO;
        if (r < 0)
                problem_set(problem, PROBLEM_FAILED, "internal", NULL, "it failed inside tenantd: the log says why");
        if (r != 0) {
                item.reason = item_reason(problem);
                /* A line about somebody who is there already: theirs is what it says, and goes with them. */
                item.customer = c->trail.customer;
                item.organization = line_organization(c->arena, fields);
                c->trail.before = c->trail.after = NULL;
        }
        AuditRecord record = {
                .time = c->now, .uid = c->caller->uid, .user = c->caller->user, .behalf = c->caller->behalf, .verb = "customer.import",
                .object = r == 0 ? c->trail.object : NULL, .outcome = r == 0 ? "ok" : r > 0 ? "refused" : "failed", .code = r == 0 ? NULL : problem->code,
                .operation = &o->id, .customer = r == 0 ? c->trail.customer : 0, .before = c->trail.before, .after = c->trail.after,
        };
        int k = audit_append(c->db, &record);
        return k < 0 ? k : operation_record(c, o, &item, r, &done, problem);
}

static int import_finish(Context *c, Import *i) {
        i->operation.state = operation_end_state(&i->operation);
        i->operation.finished = c->now;
        i->operation.cursor = NULL;
        if (i->path)
                turn_effect(c->db, (Effect) { .type = EFFECT_UNLINK, .path = memory_strdup(i->path) });
        return operation_progress(c->db, &i->operation);
}

static int import_settle(Work *work, Context *c) {
        Import *i = work->state;
        Operation *o = &i->operation;
        Usec until = clock_monotonic() + SLICE;
        Caller *actor;

        int r = operation_load(c->db, c->arena, work->task.operation, o);
        if (r <= 0)
                return r;
        actor = arena_alloc(c->arena, sizeof(*actor));
        *actor = work->caller;
        actor->user = o->user;
        actor->behalf = o->behalf;
        c->caller = actor;
        if (work->result == 0)
                work->result = access_enter(c, "customer.import", &work->problem);
        if (work->result < 0)
                return work->result;
        if (work->result > 0) {
                o->failed += o->total - o->done;
                o->done = o->total;
                return import_finish(c, i);
        }
        i->cursor = o->cursor ? strtoull(o->cursor, NULL, 10) : 0;
        for (int n = 0; n < LINES_A_SLICE && clock_monotonic() < until; n++) {
                _cleanup_(arena_freep) Arena *a = arena_new();
                Context line_context = *c;
                Problem problem = {};
                Dict fields;
                int64_t line;

                line_context.arena = a;
                if (o->cancel) {
                        o->canceled = o->total - o->done;
                        o->done = o->total;
                        return import_finish(c, i);
                }
                if (import_file_next(i->file, &i->cursor, a, &line, &fields, &problem) == 0)
                        return import_finish(c, i);
                r = import_one(&line_context, i, line, &fields, &problem);
                if (r < 0)
                        return r;
        }
        o->cursor = arena_printf(c->arena, "%zu", i->cursor);
        r = operation_progress(c->db, o);
        return r < 0 ? r : SETTLE_SLICE;
}

static void import_done(Work *work) {
        Import *i = work->state;
        if (i)
                buffer_done(&i->bytes);
}

const TaskKind import_kind = { .kind = "import", .work = import_work, .settle = import_settle, .done = import_done };

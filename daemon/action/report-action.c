/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "common/time.h"
#include "daemon/action/report-action.h"
#include "daemon/model/unicode.h"
#include "daemon/store/operation-store.h"
#include "daemon/store/report-store.h"
#include "daemon/store/task-store.h"

static const char *const kinds[] = { "customers", "operation", "audit", NULL };
static const char *const formats[] = { "xlsx", "csv", "json", NULL };
static const char *const query_keys[] = { "columns", "selector", "sort", "search", "view", "since", "until", "parent", NULL };

const Dataset *export_dataset(const char *kind) {
        return dataset_find(str_equal(kind, "operation") ? "items" : kind);
}

static int check_file_name(Context *c, const char **name, Problem *problem) {
        int r = text_check(c->arena, "file_name", TEXT_ONE_LINE, 1, 200, name, problem);
        if (r != 0)
                return r;
        if (strchr(*name, '/') || **name == '.' || strlen(*name) > 200)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-file-name", "file_name",
                                   "a file name has at most 200 bytes, no / and no dot at its begin");
        return 0;
}

static int word_of(const Dict *fields, const char *key, const char *const *words, const char **ret, Problem *problem) {
        int r = dict_string(fields, key, ret, problem);
        if (r != 0)
                return r;
        int i = *ret ? names_find(words, *ret) : -1;
        if (i >= 0) {
                *ret = words[i];
                return 0;
        }
        Buffer list = {};
        names_join(&list, words);
        problem_set(problem, PROBLEM_INVALID_ARGUMENT, *ret ? "unknown-word" : "missing", key, "%s %s%s%s must be %s", key, *ret ? "is \"" : "is missing:",
                    *ret ? *ret : "", *ret ? "\", but" : " it", buffer_string(&list));
        buffer_done(&list);
        return 1;
}

static int operation_parent(Context *c, const char *reference, Dict *query, Problem *problem) {
        Operation o;
        Id id;
        int r = !str_empty(reference) && id_parse(reference, &id) ? operation_find(c->db, c->arena, id, &o) : 0;
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-operation", "operation", "there is no operation \"%.60s\"; operation list shows them",
                                   reference ?: "");
        if (r > 0)
                dict_add(c->arena, query, "parent", (Value) { VALUE_INT, .integer = o.n });
        return MIN(r, 0);
}

static int read_order(Context *c, const Dict *fields, ExportOrder *ret, Problem *problem) {
        static const char *const keys[] = { "kind", "format", "file_name", "no_bom", "all_columns", "operation", "columns", "selector",
                                            "sort", "search", "view", "since", "until", NULL };
        const char *operation = NULL;
        bool all_columns = false;
        Query *query;

        *ret = (ExportOrder) {};
        int r = dict_check_keys(fields, "an export", keys, problem);
        if (r == 0)
                r = word_of(fields, "kind", kinds, &ret->kind, problem);
        if (r == 0 && !dict_find(fields, "format"))
                ret->format = "xlsx";
        else if (r == 0)
                r = word_of(fields, "format", formats, &ret->format, problem);
        if (r == 0)
                r = dict_bool(fields, "no_bom", &ret->no_bom, problem);
        if (r == 0)
                r = dict_bool(fields, "all_columns", &all_columns, problem);
        if (r == 0)
                r = dict_string(fields, "operation", &operation, problem);
        if (r == 0)
                r = dict_string(fields, "file_name", &ret->file_name, problem);
        if (r == 0 && ret->file_name)
                r = check_file_name(c, &ret->file_name, problem);
        if (r != 0)
                return r;
        for (size_t i = 0; query_keys[i]; i++) {
                const Value *v = dict_find(fields, query_keys[i]);
                if (v && !(all_columns && strcmp(query_keys[i], "columns") == 0))
                        dict_add(c->arena, &ret->query, query_keys[i], *v);
        }
        if (str_equal(ret->kind, "operation"))
                r = operation_parent(c, operation, &ret->query, problem);
        /* Whatever the task would stumble on is refused here. */
        return r != 0 ? r : list_export_query(c, export_dataset(ret->kind), &ret->query, &query, problem);
}

static const char *order_json(Context *c, const ExportOrder *o) {
        Buffer b = {};
        json_put_object_begin(&b);
        json_put_key_string(&b, "kind", o->kind);
        json_put_key_string(&b, "format", o->format);
        json_put_key_string(&b, "file_name", o->file_name);
        json_put_key_bool(&b, "no_bom", o->no_bom);
        json_put_key(&b, "query");
        Buffer query = {};
        dict_write_json(&query, &o->query);
        json_put_string(&b, buffer_string(&query));
        buffer_done(&query);
        json_put_object_end(&b);
        const char *s = arena_strdup(c->arena, buffer_string(&b));
        buffer_done(&b);
        return s;
}

int export_order_read(Arena *a, const char *arguments, ExportOrder *ret) {
        Problem ignored;
        Dict d = {};
        const char *query = NULL;

        int r = dict_read_json(a, arguments, strlen(arguments), &d);
        if (r < 0)
                return r;
        *ret = (ExportOrder) {};
        if (dict_string(&d, "kind", &ret->kind, &ignored) != 0 || dict_string(&d, "format", &ret->format, &ignored) != 0 ||
            dict_string(&d, "file_name", &ret->file_name, &ignored) != 0 || dict_bool(&d, "no_bom", &ret->no_bom, &ignored) != 0 ||
            dict_string(&d, "query", &query, &ignored) != 0 || !ret->kind || !ret->format || !query)
                return -EBADMSG;
        return dict_read_json(a, query, strlen(query), &ret->query);
}

int report_export(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        char date[TIME_TEXT_SIZE];
        ExportOrder order;

        int r = read_order(c, request->fields, &order, problem);
        if (r != 0)
                return r;
        if (!order.file_name)
                order.file_name = arena_printf(c->arena, "%s-%s.%s", order.kind, date_text(c->now, date), order.format);
        Task task = {
                .kind = "export", .lane = "people", .due = c->now, .created = c->now, .owner = c->caller->uid, .arguments = order_json(c, &order),
        };
        r = task_insert(c->db, &task);
        if (r < 0)
                return r;
        c->trail.object = id_text(task.id, arena_alloc(c->arena, ID_TEXT_SIZE));
        json_put_object_begin(answer);
        json_put_key_id(answer, "task", task.id);
        json_put_object_end(answer);
        return 0;
}

/* For the nouns that have this verb, too: the kind is theirs. */
static int export_own(Context *c, const Request *request, const char *kind, Buffer *answer, Problem *problem) {
        Request own = *request;
        Dict fields = {};

        if (dict_find(request->fields, "kind"))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "unknown-key", "kind", "this export is always of kind %s: leave kind out", kind);
        for (size_t i = 0; i < request->fields->n; i++)
                dict_add(c->arena, &fields, request->fields->entries[i].key, request->fields->entries[i].value);
        dict_add(c->arena, &fields, "kind", (Value) { VALUE_STRING, .string = kind });
        own.fields = &fields;
        return report_export(c, &own, answer, problem);
}

int audit_export(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        return export_own(c, request, "audit", answer, problem);
}

int operation_export(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        return export_own(c, request, "operation", answer, problem);
}

static int find(Context *c, const char *reference, Report *ret, Problem *problem) {
        Id id;
        int r = id_parse(reference, &id) ? report_find(c->db, c->arena, id, ret) : 0;
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-report", NULL, "there is no report \"%.60s\"; report list shows them", reference);
        return MIN(r, 0);
}

int report_show(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Report report;
        int r = find(c, request->id, &report, problem);
        if (r == 0)
                report_write_json(answer, &report);
        return r;
}

int report_file(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Report report;
        int r = find(c, request->id, &report, problem);
        if (r == 0)
                buffer_add_string(answer, report.path);
        return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/model/right.h"
#include "daemon/action/customer-action.h"
#include "daemon/action/disconnect-action.h"
#include "daemon/action/operation-action.h"
#include "daemon/action/partner-action.h"
#include "daemon/action/report-action.h"
#include "daemon/action/view-action.h"
#include "daemon/task/kinds.h"
#include "tests/action/asked.h"

static const char *const none[] = { NULL };
static const char *const bulk[] = { "selector", NULL };

static const ChangeRow rows[] = {
        { "customer.onboard", customer_onboard, none },      { "customer.edit", customer_edit, bulk },
        { "customer.mode", customer_mode, bulk },            { "customer.pin", customer_pin_action, bulk },
        { "customer.unpin", customer_unpin_action, bulk },   { "customer.hide-expired", customer_hide_expired, bulk },
        { "customer.show-expired", customer_show_expired, bulk }, { "customer.disconnect", customer_disconnect, disconnect_options },
        { "customer.reconnect", customer_reconnect, none },  { "view.save", view_save, none },
        { "view.edit", view_edit, none },                    { "view.delete", view_delete_action, none },
        { "partner.set", partner_set, partner_options },     { "operation.cancel", operation_cancel_action, none },
        { "operation.retry", operation_retry, none },        { "operation.revert", operation_revert, none },
        { "task.cancel", task_cancel_action, none },         { "task.retry", task_retry_action, none },
        { "task.pause", task_pause, none },                  { "task.resume", task_resume, none },
        { "report.export", report_export, none },
};

static int any_zone(void *userdata, const char *field, const char *name, Problem *ret) {
        return 0;
}

/* One slice a turn, so that there is something between them. */
static bool always(void *userdata) {
        return true;
}

static void runner_make(Asker *a) {
        const RunnerConfig config = {
                .db = a->scratch->db, .state = a->scratch->directory, .vfs = SHIM_VFS, .settings = &a->settings, .rules = &a->rules,
                .host = "msp.example", .kinds = task_kinds, .workers = 0, .somebody_waits = always,
        };
        assert_int_equal(runner_new(&config, &a->runner), 0);
}

int asker_setup(void **state) {
        Asker *a = memory_new(sizeof(*a));
        void *scratch = NULL;

        scratch_setup(&scratch);
        a->scratch = scratch;
        a->caller = (Caller) { .uid = 1000, .user = "ada", .all = true, .granted = 1 + RIGHT_ADMIN };
        a->now = 1767225600 * USEC_SEC;
        a->settings = (Settings) { .state = a->scratch->directory, .workers = 2, .grace_days = 7, .admin_gid = -1, .zoneinfo = "/usr/share/zoneinfo", .render_limit_minutes = 1 };
        a->rules = (CustomerRules) { any_zone, NULL };
        runner_make(a);
        *state = a;
        return 0;
}

int asker_teardown(void **state) {
        Asker *a = *state;
        void *scratch = a->scratch;
        (void) runner_free(a->runner, 5 * USEC_SEC);
        free(a);
        return scratch_teardown(&scratch);
}

Context asker_context(Asker *a, Arena *arena) {
        return (Context) {
                .db = a->scratch->db, .arena = arena, .caller = &a->caller, .now = a->now, .settings = &a->settings, .rules = &a->rules, .host = "msp.example",
        };
}

static void read_answer(Asker *a, Answer *answer) {
        json_t *root = json_loads(answer->text, 0, NULL);
        const char *id = json_string_value(json_object_get(root, "id"));
        if (id)
                (void) id_parse(id, &answer->id);
        answer->revision = json_integer_value(json_object_get(root, "revision"));
        json_decref(root);
}

static Dict parse(Arena *arena, const char *json) {
        Dict d = {};
        if (json && dict_read_json(arena, json, strlen(json), &d) < 0)
                fail_msg("the test's own JSON: %s", json);
        return d;
}

Answer ask(Asker *a, const char *verb, const char *ids, const char *fields, const char *options) {
        Arena *arena = a->scratch->arena;
        Dict f = parse(arena, fields), o = parse(arena, options);
        const char *list[100];
        size_t n = 0;
        char *copy = arena_strdup(arena, ids), *rest = NULL;
        for (char *id = strtok_r(copy, "|", &rest); id; id = strtok_r(NULL, "|", &rest))
                list[n++] = id;
        const Request request = { .id = ids, .ids = list, .n_ids = n, .query = &(Dict) {}, .fields = &f, .options = &o };
        _cleanup_(buffer_done) Buffer b = {};
        Context c = asker_context(a, arena);
        Answer answer = { .end = TURN_DONE };
        bool open = turn_is_open(a->scratch->db);
        const ChangeRow *row = NULL;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (strcmp(rows[i].verb, verb) == 0)
                        row = &rows[i];
        assert_non_null(row);
        if (!open)
                turn_begin(a->scratch->db);
        answer.result = action_change(&c, row, &request, &b, &answer.problem);
        if (!open)
                answer.end = turn_end(a->scratch->db);
        answer.text = arena_strdup(arena, buffer_string(&b));
        if (answer.result == 0 && answer.end == TURN_DONE)
                read_answer(a, &answer);
        return answer;
}

Answer ask_done(Asker *a, const char *verb, const char *ids, const char *fields, const char *options) {
        Answer answer = ask(a, verb, ids, fields, options);
        if (answer.result != 0 || answer.end != TURN_DONE)
                fail_msg("%s %s %s %s: %d %s: %s", verb, ids, fields ?: "", options ?: "", answer.result, answer.problem.code, answer.problem.text);
        return answer;
}

Answer ask_refused(Asker *a, ProblemKind kind, const char *code, const char *field, const Answer *answer) {
        const Problem *p = &answer->problem;
        if (answer->result != 1 || p->kind != kind || strcmp(p->code, code) != 0 || strcmp(p->field, field) != 0)
                fail_msg("%d %s %s (field %s): %s; expected %s %s (field %s)", answer->result, problem_kind_name(p->kind) ?: "", p->code, p->field, p->text,
                         problem_kind_name(kind), code, field);
        assert_true(strlen(p->text) > 10);
        assert_string_equal(answer->text, "");
        return *answer;
}

/* A turn of the queue, and what the program does after it. */
static void effects_run(Asker *a) {
        size_t n;
        const Effect *effects = turn_effects(a->scratch->db, &n);
        for (size_t i = 0; i < n; i++)
                if (effects[i].type == EFFECT_UNLINK)
                        (void) unlink(effects[i].path);
                else if (effects[i].type == EFFECT_TASK_CANCELED)
                        runner_cancel(a->runner, effects[i].n);
}

void queue_turn(Asker *a, bool lost) {
        turn_begin(a->scratch->db);
        runner_turn(a->runner, a->now);
        (void) runner_claim(a->runner, a->now);
        if (lost)
                shim_fail(&(ShimFault) { .operations = SHIM_WRITE, .files = SHIM_WAL, .code = SQLITE_FULL });
        TurnEnd end = turn_end(a->scratch->db);
        shim_heal();
        if (end == TURN_DONE)
                effects_run(a);
        runner_committed(a->runner, end == TURN_DONE);
}

int run_queue(Asker *a) {
        Usec due;
        int turns = 0;
        do {
                queue_turn(a, false);
                assert_true(++turns < 10000);
                due = runner_next_due(a->runner);
        } while (!runner_is_idle(a->runner) || (due != USEC_NONE && due <= a->now));
        return turns;
}

void recover_queue(Asker *a) {
        (void) runner_free(a->runner, 5 * USEC_SEC);
        runner_make(a);
        turn_begin(a->scratch->db);
        assert_int_equal(runner_recover(a->runner, a->now), 0);
        assert_int_equal(turn_end(a->scratch->db), TURN_DONE);
}

Answer onboard(Asker *a, const char *organization, const char *account) {
        return ask_done(a, "customer.onboard", "",
                        arena_printf(a->scratch->arena,
                                     "{\"organization\":\"%s\",\"registered_account\":\"%s\",\"first_name\":\"Ada\",\"last_name\":\"Example\",\"country\":\"DE\"}",
                                     organization, account), NULL);
}

const char *text_of(Asker *a, const char *sql) {
        const char *text = NULL;
        _statement_ s = db_statement(a->scratch->db, sql);
        assert_non_null(s);
        if (row_step(a->scratch->db, s) > 0)
                row_read(s, a->scratch->arena, "t", &text);
        return text;
}

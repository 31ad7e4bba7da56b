/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/store/db-private.h"
#include "daemon/store/message-store.h"
#include "daemon/store/operation-store.h"
#include "daemon/store/report-store.h"
#include "daemon/store/task-store.h"
#include "tests/store/scratch.h"

/* The queue as it is kept: who is claimed next, and what becomes of what was running when the daemon died. */

static const Usec now = 1767225600 * USEC_SEC;

static Task insert_at(Db *db, const char *kind, const char *lane, Usec due) {
        Task task = { .kind = kind, .lane = lane, .due = due, .created = now, .owner = 1000, .arguments = "{\"a\":1}" };
        assert_int_equal(task_insert(db, &task), 0);
        return task;
}

static Task load(Scratch *s, int64_t n) {
        Task task;
        assert_int_equal(task_load(s->db, s->arena, n, &task), 1);
        return task;
}

static int64_t claim(Scratch *s, const char *lane, bool alone, Usec at) {
        Task task = {};
        int r = task_claim(s->db, s->arena, &(TaskChoice) { lane, alone }, at, &task);
        assert_true(r >= 0);
        if (r == 0)
                return 0;
        Task row = load(s, task.n);
        assert_string_equal(row.state, "running");
        assert_int_equal(row.attempt, task.attempt);
        assert_int_equal(row.started, at);
        return task.n;
}

static void test_insert(void **state) {
        Scratch *s = *state;
        size_t n;

        turn_begin(s->db);
        Task a = insert_at(s->db, "export", "people", now), b = insert_at(s->db, "import", "sweeps", now + 5), found;
        const Effect *effects = turn_effects(s->db, &n);
        assert_true(n > 0 && effects[0].type == EFFECT_TASK_READY);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_not_equal(a.n, b.n);
        assert_false(id_equal(a.id, b.id));
        assert_int_equal(task_find(s->db, s->arena, b.id, &found), 1);
        assert_int_equal(found.n, b.n);
        assert_string_equal(found.kind, "import");
        assert_string_equal(found.lane, "sweeps");
        assert_string_equal(found.state, "queued");
        assert_string_equal(found.arguments, "{\"a\":1}");
        assert_int_equal(found.attempt, 0);
        assert_int_equal(found.due, now + 5);
        assert_int_equal(found.started, USEC_NONE);
        assert_int_equal(found.owner, 1000);
        assert_int_equal(found.format, TASK_FORMAT);
        assert_null(found.saved);
}

/* By due, then in the order they came; people before sweeps where a worker takes both. */
static void test_claim_order(void **state) {
        Scratch *s = *state;

        turn_begin(s->db);
        int64_t late = insert_at(s->db, "k", "people", now + 10).n, sweep = insert_at(s->db, "k", "sweeps", now - 100).n,
                first = insert_at(s->db, "k", "people", now).n, second = insert_at(s->db, "k", "people", now).n,
                early = insert_at(s->db, "k", "people", now - 1).n;
        assert_int_equal(claim(s, "people", false, now), early);
        assert_int_equal(claim(s, NULL, false, now), first);
        assert_int_equal(claim(s, NULL, false, now), second);
        assert_int_equal(claim(s, "people", false, now), 0);
        assert_int_equal(claim(s, NULL, false, now), sweep);
        assert_int_equal(claim(s, NULL, false, now), 0);
        assert_int_equal(claim(s, NULL, false, now + 9), 0);
        assert_int_equal(claim(s, NULL, false, now + 10), late);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

static void test_next_due(void **state) {
        Scratch *s = *state;
        Usec due = 0;

        turn_begin(s->db);
        assert_int_equal(task_next_due(s->db, &(TaskChoice) {}, &due), 0);
        assert_int_equal(due, USEC_NONE);
        insert_at(s->db, "k", "people", now + 20);
        insert_at(s->db, "k", "sweeps", now + 10);
        assert_int_equal(task_next_due(s->db, &(TaskChoice) {}, &due), 0);
        assert_int_equal(due, now + 10);
        claim(s, NULL, false, now + 15);
        assert_int_equal(task_next_due(s->db, &(TaskChoice) {}, &due), 0);
        assert_int_equal(due, now + 20);
        claim(s, NULL, false, now + 20);
        assert_int_equal(task_next_due(s->db, &(TaskChoice) {}, &due), 0);
        assert_int_equal(due, USEC_NONE);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

/* While the clock is not believed. */
static void test_no_erasure(void **state) {
        Scratch *s = *state;
        const TaskChoice held = { .no_erasure = true };
        Task task = {};
        Usec due = 0;

        turn_begin(s->db);
        int64_t erase = insert_at(s->db, "erase", "sweeps", now).n, other = insert_at(s->db, "k", "sweeps", now + 5).n;
        assert_int_equal(task_next_due(s->db, &held, &due), 0);
        assert_int_equal(due, now + 5);
        assert_int_equal(task_claim(s->db, s->arena, &held, now + 10, &task), 1);
        assert_int_equal(task.n, other);
        assert_int_equal(task_claim(s->db, s->arena, &held, now + 10, &task), 0);
        assert_int_equal(task_next_due(s->db, &held, &due), 0);
        assert_int_equal(due, USEC_NONE);
        assert_int_equal(claim(s, NULL, false, now + 10), erase);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

/* Dies while the task runs, comes back. */
static int64_t die(Scratch *s) {
        int64_t count = 0;
        turn_begin(s->db);
        assert_int_equal(task_recover(s->db, 20, now, &count), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        return count;
}

static void test_deaths(void **state) {
        Scratch *s = *state;

        turn_begin(s->db);
        int64_t deadly = insert_at(s->db, "deadly", "people", now).n, other = insert_at(s->db, "k", "people", now).n,
                bystander = insert_at(s->db, "k", "sweeps", now + 1000).n;
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(die(s), 0);

        for (int deaths = 0; deaths < 20; deaths++) {
                /* From the third death on it runs alone, and only when it is asked for as such. */
                bool alone = deaths >= 3;
                turn_begin(s->db);
                if (alone) {
                        int64_t first = claim(s, NULL, false, now);
                        assert_int_not_equal(first, deadly);
                        if (first)
                                assert_int_equal(row_run(s->db, "UPDATE task SET state = 'queued' WHERE n = ?", "i", first), 0);
                }
                assert_int_equal(claim(s, NULL, alone, now), deadly);
                assert_int_equal(turn_end(s->db), TURN_DONE);
                assert_int_equal(die(s), 1);
                Task row = load(s, deadly);
                assert_int_equal(row.deaths, MIN(deaths + 1, 19));
                assert_string_equal(row.state, deaths < 19 ? "queued" : "dead");
        }
        Task row = load(s, deadly);
        assert_string_equal(row.state, "dead");
        assert_non_null(row.error);
        assert_int_equal(row.finished, now);
        turn_begin(s->db);
        assert_int_equal(claim(s, NULL, true, now), 0);
        assert_int_equal(claim(s, NULL, false, now), other);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_string_equal(load(s, bystander).state, "queued");
        assert_int_equal(load(s, bystander).deaths, 0);

        /* An operator may give it another life. */
        turn_begin(s->db);
        row = load(s, deadly);
        assert_int_equal(task_retry(s->db, &row, now + 7), 0);
        assert_int_equal(claim(s, NULL, false, now + 7), deadly);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(load(s, deadly).attempt, 1);
        assert_int_equal(load(s, deadly).deaths, 0);
}

static void test_again(void **state) {
        Scratch *s = *state;

        turn_begin(s->db);
        Task task = insert_at(s->db, "k", "people", now);
        claim(s, NULL, false, now);
        assert_int_equal(task_save(s->db, task.n, "{\"at\":1}"), 0);
        assert_string_equal(load(s, task.n).saved, "{\"at\":1}");
        assert_int_equal(task_again(s->db, &task, now + 60, "{\"at\":2}", "no answer"), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        Task row = load(s, task.n);
        assert_string_equal(row.state, "waiting");
        assert_string_equal(row.error, "no answer");
        assert_string_equal(row.saved, "{\"at\":2}");

        turn_begin(s->db);
        assert_int_equal(claim(s, NULL, false, now + 59), 0);
        assert_int_equal(claim(s, NULL, false, now + 60), task.n);
        assert_int_equal(load(s, task.n).attempt, 2);
        assert_int_equal(task_finish(s->db, &task, "done", NULL, now + 61), 0);
        assert_true(turn_has_effect(s->db, EFFECT_TASK_FINISHED));
        assert_int_equal(turn_end(s->db), TURN_DONE);
        row = load(s, task.n);
        assert_string_equal(row.state, "done");
        assert_null(row.error);
        assert_null(row.saved);
        assert_int_equal(row.finished, now + 61);
        turn_begin(s->db);
        assert_int_equal(claim(s, NULL, false, now + 1000), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

static void test_cancel(void **state) {
        Scratch *s = *state;

        turn_begin(s->db);
        Task running = insert_at(s->db, "k", "people", now), queued = insert_at(s->db, "k", "people", now);
        assert_int_equal(claim(s, NULL, false, now), running.n);
        running = load(s, running.n);
        assert_int_equal(task_cancel(s->db, &queued, now), 0);
        assert_string_equal(load(s, queued.n).state, "canceled");
        assert_false(turn_has_effect(s->db, EFFECT_TASK_CANCELED));
        assert_int_equal(task_cancel(s->db, &running, now), 0);
        assert_true(turn_has_effect(s->db, EFFECT_TASK_CANCELED));
        assert_string_equal(load(s, running.n).state, "running");
        assert_true(load(s, running.n).cancel);
        assert_int_equal(claim(s, NULL, false, now), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        /* The wish outlives the daemon. */
        die(s);
        assert_true(load(s, running.n).cancel);
        assert_string_equal(load(s, running.n).state, "queued");
}

static void test_figures_and_expiry(void **state) {
        Scratch *s = *state;
        bool more = false;
        QueueFigures figures;

        turn_begin(s->db);
        for (int i = 0; i < 10; i++) {
                Task task = insert_at(s->db, "k", i % 2 ? "people" : "sweeps", now);
                if (i < 3)
                        assert_int_equal(task_finish(s->db, &task, i == 0 ? "dead" : "done", NULL, now + i), 0);
                else if (i < 5)
                        assert_int_equal(task_again(s->db, &task, now + 1000, NULL, NULL), 0);
        }
        claim(s, NULL, false, now);
        assert_int_equal(task_figures(s->db, &figures), 0);
        assert_int_equal(figures.dead, 1);
        assert_int_equal(figures.waiting, 2);
        assert_int_equal(figures.running, 1);
        assert_int_equal(figures.queued, 4);
        assert_int_equal(task_expire(s->db, now + 2, 100, &more), 0);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM task"), 8);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

/* A long idle host: all its tasks have expired, its reports have not. The next export must not be answered with an old one. */
static void test_report_of_the_right_task(void **state) {
        Scratch *s = *state;
        bool more = false;
        Report old = { .id = id_new(), .kind = "customers", .format = "csv", .file_name = "old.csv", .path = "reports/old.csv", .data_date = "2026-01-01" },
               new = { .id = id_new(), .kind = "customers", .format = "csv", .file_name = "new.csv", .path = "reports/new.csv", .data_date = "2026-06-01" }, found;

        turn_begin(s->db);
        Task task = insert_at(s->db, "export", "people", now);
        old.task = task.n;
        assert_int_equal(report_insert(s->db, &old), 0);
        assert_int_equal(task_finish(s->db, &task, "done", NULL, now), 0);
        assert_int_equal(task_expire(s->db, now + 1, 100, &more), 0);
        task = insert_at(s->db, "export", "people", now + 2);
        new.task = task.n;
        assert_int_equal(report_insert(s->db, &new), 0);
        assert_int_equal(report_find_task(s->db, s->arena, task.n, &found), 1);
        assert_string_equal(found.file_name, "new.csv");
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

/* A report outlives its mails: what becomes of a later mail is not told of its recipients. */
static void test_recipients_of_the_right_mail(void **state) {
        Scratch *s = *state;
        bool more = false;
        Report report = { .id = id_new(), .kind = "customers", .format = "csv", .file_name = "a.csv", .path = "reports/a.csv", .data_date = "2026-01-01" };
        OutMessage first = { .event = "schedule", .address = "a@x.example", .address_key = "a@x.example", .sender = "t@msp.example", .language = "en",
                             .subject = "Report", .body = "Here it is.", .next_attempt = now, .created = now }, later = first;
        Recipient to = { .address = "a@x.example", .address_key = "a@x.example", .state = "queued" }, found;

        turn_begin(s->db);
        assert_int_equal(report_insert(s->db, &report), 0);
        assert_int_equal(message_insert(s->db, &first), 0);
        to.report = report.n;
        to.message = first.n;
        assert_int_equal(recipient_insert(s->db, &to, now), 0);
        assert_int_equal(row_run(s->db, "UPDATE message SET state = 'delivered', finished = ?", "u", now), 0);
        assert_int_equal(message_expire(s->db, s->directory, now + 1, 100, &more), 0);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM message"), 0);
        assert_int_equal(message_insert(s->db, &later), 0);
        assert_int_equal(recipient_by_message(s->db, s->arena, later.n, &found), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

/* ---- operations ---- */

static void add_item(Scratch *s, Operation *o, int64_t n, int64_t customer, const char *outcome) {
        OperationItem item = {
                .n = n, .line = n + 1, .customer = customer, .organization = arena_printf(s->arena, "customer %lld", (long long) customer),
                .before = "{\"a\":1}", .after = "{\"a\":2}", .outcome = outcome, .finished = now, .message = "a message",
                .reason = str_equal(outcome, "ok") ? NULL : "a-reason",
        };
        assert_int_equal(operation_item_insert(s->db, o, &item), 0);
}

static void test_operation(void **state) {
        Scratch *s = *state;
        bool more = false;
        Operation o = { .kind = "customer.edit", .total = 4, .uid = 1000, .user = "ada", .created = now, .arguments = "{}" }, found;
        OperationItem items[1];
        int64_t *customers;
        size_t n;
        bool done = false;

        turn_begin(s->db);
        assert_int_equal(operation_insert(s->db, &o), 0);
        add_item(s, &o, 1, 11, "ok");
        add_item(s, &o, 2, 12, "refused");
        add_item(s, &o, 3, 13, "failed");
        add_item(s, &o, 4, 11, "ok");
        o.done = 4, o.ok = 2, o.refused = 1, o.failed = 1, o.state = "partially-failed", o.finished = now + 1, o.cursor = NULL;
        assert_int_equal(operation_progress(s->db, &o), 0);
        assert_true(turn_has_effect(s->db, EFFECT_OPERATION_FINISHED));
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(operation_find(s->db, s->arena, o.id, &found), 1);
        assert_string_equal(found.state, "partially-failed");
        assert_int_equal(found.ok + found.refused + found.failed, found.done);
        assert_int_equal(found.finished, now + 1);

        assert_int_equal(operation_customers(s->db, s->arena, o.n, true, &customers, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(customers[0], 11);
        assert_int_equal(operation_customers(s->db, s->arena, o.n, false, &customers, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(customers[0] * 100 + customers[1], 1213);
        assert_int_equal(operation_has_item(s->db, o.n, 12), 1);
        assert_int_equal(operation_has_item(s->db, o.n, 99), 0);
        assert_int_equal(operation_item_of(s->db, s->arena, o.n, 11, &items[0]), 1);
        assert_int_equal(items[0].n, 4);
        assert_int_equal(operation_item_of(s->db, s->arena, o.n, 12, &items[0]), 0);

        turn_begin(s->db);
        for (int lots = 0; !done; lots++) {
                assert_true(lots < 5);
                assert_int_equal(operation_items_erase(s->db, 11, 1, &done), 0);
        }
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM operation_item WHERE organization = 'customer 11'"), 0);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM operation_item WHERE outcome = 'ok'"), 2);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM operation_item WHERE organization = 'customer 12' AND message IS NOT NULL"), 1);

        turn_begin(s->db);
        for (int lots = 0; operation_find(s->db, s->arena, o.id, &found) > 0; lots++) {
                assert_true(lots < 5);
                assert_int_equal(operation_expire(s->db, now + 1, 3, &more), 0);
        }
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM operation_item"), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_insert), TEST(test_claim_order), TEST(test_next_due), TEST(test_no_erasure), TEST(test_deaths),
                TEST(test_again), TEST(test_cancel), TEST(test_figures_and_expiry), TEST(test_report_of_the_right_task),
                TEST(test_recipients_of_the_right_mail), TEST(test_operation),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "daemon/store/operation-store.h"
#include "tests/action/asked.h"

/* The queue's runner: who may run beside whom, when it asks to be woken, what a lost turn or a death costs a task. */

static atomic_int worked, saves_seen, gate;

static int count_work(Work *w) {
        atomic_fetch_add(&worked, 1);
        return 0;
}

static int fail_work(Work *w) {
        atomic_fetch_add(&worked, 1);
        return -EIO;
}

static int refuse_work(Work *w) {
        return problem_set(&w->problem, PROBLEM_REFUSED, "not-today", NULL, "it does not want to");
}

/* Saves twice; each time what was saved is on disk before it goes on. */
static int save_work(Work *w) {
        for (int i = 1; i <= 2; i++) {
                Task row;
                const char *saved = arena_printf(w->arena, "{\"step\":%d}", i);
                int r = work_save(w, saved);
                if (r < 0)
                        return r;
                if (task_load(w->reader, w->arena, w->task.n, &row) == 1 && str_equal(row.saved, saved))
                        atomic_fetch_add(&saves_seen, 1);
        }
        return 0;
}

/* Until the test lets it go, or it is canceled. */
static int gate_work(Work *w) {
        while (!atomic_load(&gate))
                if (atomic_load(&w->cancel))
                        return -ECANCELED;
        return 0;
}

static atomic_size_t most_memory;

/* Fills its memory, and looks how much it has. */
static int greedy_work(Work *w) {
        memset(arena_alloc(w->arena, 1 << 20), 1, 1 << 20);
        if (arena_size(w->arena) > atomic_load(&most_memory))
                atomic_store(&most_memory, arena_size(w->arena));
        atomic_fetch_add(&worked, 1);
        return 0;
}

static int later_settle(Work *w, Context *c) {
        if (str_equal(w->task.saved, "{\"time\":2}"))
                return SETTLE_DONE;
        w->again_at = c->now + USEC_MINUTE;
        w->saved = w->task.saved ? "{\"time\":2}" : "{\"time\":1}";
        return SETTLE_LATER;
}

static atomic_int fault;

/* Comes again and again, as a courier does; and once it meets with a fault. */
static int often_settle(Work *w, Context *c) {
        w->again_at = c->now + USEC_MINUTE;
        return atomic_exchange(&fault, 0) ?: SETTLE_LATER;
}

static const TaskKind count_kind = { .kind = "count", .work = count_work }, fail_kind = { .kind = "fail", .work = fail_work, .attempts_max = 3 },
                      refuse_kind = { .kind = "refuse", .work = refuse_work }, save_kind = { .kind = "save", .work = save_work },
                      greedy_kind = { .kind = "greedy", .work = greedy_work }, gate_kind = { .kind = "gate", .work = gate_work }, later_kind = { .kind = "later", .settle = later_settle },
                      often_kind = { .kind = "often", .settle = often_settle };
static const TaskKind *const kinds[] = { &count_kind, &fail_kind, &refuse_kind, &save_kind, &greedy_kind, &gate_kind, &later_kind, &often_kind, NULL };

static void use_runner(Asker *a, size_t workers) {
        const RunnerConfig config = {
                .db = a->scratch->db, .state = a->scratch->directory, .vfs = SHIM_VFS, .settings = &a->settings, .rules = &a->rules, .host = "h",
                .kinds = kinds, .workers = workers,
        };
        (void) runner_free(a->runner, 5 * USEC_SEC);
        assert_int_equal(runner_new(&config, &a->runner), 0);
        turn_begin(a->scratch->db);
        assert_int_equal(runner_recover(a->runner, a->now), 0);
        assert_int_equal(turn_end(a->scratch->db), TURN_DONE);
        atomic_store(&worked, 0);
        atomic_store(&saves_seen, 0);
        atomic_store(&gate, 0);
}

static Task insert(Asker *a, const char *kind, const char *lane) {
        Task task = { .kind = kind, .lane = lane, .due = a->now, .created = a->now };
        turn_begin(a->scratch->db);
        assert_int_equal(task_insert(a->scratch->db, &task), 0);
        assert_int_equal(turn_end(a->scratch->db), TURN_DONE);
        return task;
}

static const char *state_of(Asker *a, const Task *task) {
        Task row;
        assert_int_equal(task_load(a->scratch->db, a->scratch->arena, task->n, &row), 1);
        return row.state;
}

/* Turns whenever the runner has something, until the task is in this state. */
static void turns_until(Asker *a, const Task *task, const char *state) {
        for (int i = 0; !str_equal(state_of(a, task), state); i++) {
                struct pollfd p = { .fd = runner_fd(a->runner), .events = POLLIN };
                assert_true(i < 1000);
                assert_true(poll(&p, 1, 10000) >= 0);
                queue_turn(a, false);
        }
}

/* A runner that cannot take what is due must not ask to be woken for it at once: that would be a loop without end. */
static void assert_sleeps(Asker *a) {
        Usec due = runner_next_due(a->runner);
        if (due != USEC_NONE && due <= a->now && due <= clock_now())
                fail_msg("the runner asks to be woken %lld us ago", (long long) (a->now - due));
}

static void test_runs_and_settles(void **state) {
        Asker *a = *state;
        use_runner(a, 0);
        Task good = insert(a, "count", "people"), bad = insert(a, "refuse", "sweeps"), unknown = insert(a, "of-the-future", "people");

        run_queue(a);
        assert_int_equal(atomic_load(&worked), 1);
        assert_string_equal(state_of(a, &good), "done");
        assert_string_equal(state_of(a, &bad), "failed");
        assert_string_equal(text_of(a, "SELECT error FROM task WHERE kind = 'refuse'"), "it does not want to");
        assert_string_equal(state_of(a, &unknown), "dead");
        assert_int_equal(runner_next_due(a->runner), USEC_NONE);
}

static void test_faults_back_off(void **state) {
        Asker *a = *state;
        use_runner(a, 0);
        Task task = insert(a, "fail", "people");
        Usec pauses[2];

        for (int i = 0; i < 3; i++) {
                run_queue(a);
                assert_int_equal(atomic_load(&worked), i + 1);
                if (i == 2)
                        break;
                assert_string_equal(state_of(a, &task), "waiting");
                pauses[i] = runner_next_due(a->runner) - a->now;
                assert_true(pauses[i] > 0 && pauses[i] < 10 * USEC_SEC);
                a->now += pauses[i];
        }
        assert_string_equal(state_of(a, &task), "dead");
        assert_non_null(text_of(a, "SELECT error FROM task"));
}

static void test_again_later(void **state) {
        Asker *a = *state;
        use_runner(a, 0);
        Task task = insert(a, "later", "people");

        run_queue(a);
        assert_string_equal(state_of(a, &task), "waiting");
        assert_int_equal(runner_next_due(a->runner), a->now + USEC_MINUTE);
        assert_string_equal(text_of(a, "SELECT saved FROM task"), "{\"time\":1}");
        a->now += USEC_MINUTE;
        run_queue(a);
        a->now += USEC_MINUTE;
        run_queue(a);
        assert_string_equal(state_of(a, &task), "done");
}

/* How often it came says nothing about how often it failed. */
static void test_what_comes_again_by_itself_does_not_die_of_one_fault(void **state) {
        Asker *a = *state;
        use_runner(a, 0);
        Task task = insert(a, "often", "people");

        for (int i = 0; i < 50; i++, a->now += USEC_MINUTE)
                run_queue(a);
        atomic_store(&fault, -EIO);
        run_queue(a);
        assert_string_equal(state_of(a, &task), "waiting");
        assert_true(runner_next_due(a->runner) - a->now < 10 * USEC_SEC);
        a->now += 10 * USEC_SEC;
        run_queue(a);
        assert_int_equal(runner_next_due(a->runner), a->now + USEC_MINUTE);
}

/* ---- when nothing can be claimed, nothing wakes the loop ---- */

static void test_paused_queue_sleeps(void **state) {
        Asker *a = *state;
        use_runner(a, 0);
        ask_done(a, "task.pause", "", NULL, NULL);
        Task task = insert(a, "count", "people");

        queue_turn(a, false);
        assert_int_equal(atomic_load(&worked), 0);
        assert_sleeps(a);
        ask_done(a, "task.resume", "", NULL, NULL);
        run_queue(a);
        assert_string_equal(state_of(a, &task), "done");
}

static void test_one_worker_is_kept_for_people(void **state) {
        Asker *a = *state;
        use_runner(a, 2);
        Task first = insert(a, "gate", "sweeps"), second = insert(a, "count", "sweeps");

        queue_turn(a, false);
        assert_string_equal(state_of(a, &first), "running");
        assert_string_equal(state_of(a, &second), "queued");
        assert_sleeps(a);
        Task person = insert(a, "count", "people");
        queue_turn(a, false);
        turns_until(a, &person, "done");
        assert_string_equal(state_of(a, &second), "queued");
        atomic_store(&gate, 1);
        turns_until(a, &second, "done");
        assert_string_equal(state_of(a, &first), "done");
}

static void set_deaths(Asker *a, const Task *task, int64_t deaths) {
        turn_begin(a->scratch->db);
        assert_int_equal(row_run(a->scratch->db, "UPDATE task SET deaths = ? WHERE n = ?", "ii", deaths, task->n), 0);
        assert_int_equal(turn_end(a->scratch->db), TURN_DONE);
}

/* What killed the daemon three times waits until nothing else runs, and then nothing runs beside it. */
static void test_deadly_runs_alone(void **state) {
        Asker *a = *state;
        use_runner(a, 4);
        Task busy = insert(a, "gate", "people");
        queue_turn(a, false);
        assert_string_equal(state_of(a, &busy), "running");
        Task deadly = insert(a, "gate", "people");
        set_deaths(a, &deadly, 3);
        use_runner(a, 4);
        queue_turn(a, false);
        const char *first = state_of(a, &deadly), *other = state_of(a, &busy);
        assert_true(str_equal(first, "running") != str_equal(other, "running"));
        Task third = insert(a, "count", "people");
        queue_turn(a, false);
        if (str_equal(first, "running"))
                assert_string_equal(state_of(a, &third), "queued");
        assert_sleeps(a);
        atomic_store(&gate, 1);
        turns_until(a, &deadly, "done");
        turns_until(a, &third, "done");
        turns_until(a, &busy, "done");
}

/* It is remembered by the row, not by the process: after a restart in order it still has its turn. */
static void test_deadly_after_a_quiet_restart(void **state) {
        Asker *a = *state;
        use_runner(a, 0);
        Task deadly = insert(a, "count", "people"), later = insert(a, "count", "people");

        set_deaths(a, &deadly, 5);
        set_deaths(a, &later, 5);
        turn_begin(a->scratch->db);
        assert_int_equal(row_run(a->scratch->db, "UPDATE task SET state = 'waiting', due = due + 60000000 WHERE n = ?", "i", later.n), 0);
        assert_int_equal(turn_end(a->scratch->db), TURN_DONE);
        use_runner(a, 0);
        run_queue(a);
        assert_string_equal(state_of(a, &deadly), "done");
        assert_string_equal(state_of(a, &later), "waiting");
        assert_int_equal(runner_next_due(a->runner), a->now + USEC_MINUTE);
        a->now += USEC_MINUTE;
        run_queue(a);
        assert_string_equal(state_of(a, &later), "done");
}

/* ---- lost turns ---- */

static void test_full_disk_does_not_spin(void **state) {
        Asker *a = *state;
        use_runner(a, 0);
        Task task = insert(a, "count", "people");

        a->now = clock_now();
        queue_turn(a, true);
        assert_string_equal(state_of(a, &task), "queued");
        assert_int_equal(atomic_load(&worked), 0);
        Usec due = runner_next_due(a->runner);
        assert_true(due != USEC_NONE && due > a->now);
        clock_shift_for_tests(0);
        for (int i = 0; i < 100 && str_equal(state_of(a, &task), "queued"); i++) {
                poll(NULL, 0, 50);
                a->now = clock_now();
                queue_turn(a, false);
                run_queue(a);
        }
        assert_string_equal(state_of(a, &task), "done");
        assert_int_equal(atomic_load(&worked), 1);
}

/* However often a full disk loses what a task did: each attempt has memory of its own, and the last one is kept. */
static void test_full_disk_costs_no_memory(void **state) {
        Asker *a = *state;
        use_runner(a, 0);
        Task task = insert(a, "greedy", "people");

        queue_turn(a, false);
        for (int lost = 1; lost <= 2; lost++) {
                assert_int_equal(atomic_load(&worked), lost);
                queue_turn(a, true);
                assert_string_equal(state_of(a, &task), "running");
                for (int i = 0; i < 100 && atomic_load(&worked) == lost; i++) {
                        poll(NULL, 0, 50);
                        turn_begin(a->scratch->db);
                        if (runner_next_due(a->runner) <= clock_now())
                                runner_turn(a->runner, a->now);
                        assert_int_equal(turn_end(a->scratch->db), TURN_DONE);
                }
        }
        run_queue(a);
        assert_string_equal(state_of(a, &task), "done");
        assert_int_equal(atomic_load(&worked), 3);
        assert_true(atomic_load(&most_memory) < 2 << 20);
}

/* Reads until it is stopped. */
static int reading_work(Work *w) {
        int64_t n = 0;
        int r = work_snapshot_begin(w);
        atomic_fetch_add(&worked, 1);
        while (r >= 0)
                r = row_int(w->reader, &n, "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000) SELECT max(n) FROM c", "");
        work_snapshot_end(w);
        return r;
}

static int call_result;

static int reading_settle(Work *w, Context *c) {
        call_result = w->result;
        return SETTLE_DONE;
}

/* A call that reads is left alone, but not when all that is written has to be kept for it. */
static void test_reading_call_is_stopped_for_the_wal(void **state) {
        static const TaskKind reading = { .kind = "reading", .work = reading_work, .settle = reading_settle };
        Asker *a = *state;
        use_runner(a, 1);
        call_result = 0;

        (void) insert(a, "count", "people");
        runner_call_start(a->runner, runner_call_new(a->runner, &reading, &a->caller));
        while (atomic_load(&worked) == 0)
                poll(NULL, 0, 1);
        runner_watch(a->runner);
        queue_turn(a, false);
        assert_int_equal(call_result, 0);
        assert_int_equal(truncate(scratch_path(a->scratch, "tenantd.db-wal"), 300 << 20), 0);
        for (int i = 0; i < 1000 && call_result == 0; i++) {
                struct pollfd p = { .fd = runner_fd(a->runner), .events = POLLIN };
                runner_watch(a->runner);
                poll(&p, 1, 10);
                queue_turn(a, false);
        }
        assert_int_equal(call_result, -ETIME);
}

/* However much the queue has to do, who asks for something long is served. */
static void test_one_worker_is_kept_for_calls(void **state) {
        static const TaskKind reading = { .kind = "reading", .work = count_work, .settle = reading_settle };
        Asker *a = *state;
        use_runner(a, 3);
        call_result = -1;

        for (int i = 0; i < 4; i++)
                (void) insert(a, "gate", "people");
        queue_turn(a, false);
        assert_int_equal(count_of(a, "SELECT count(*) FROM task WHERE state = 'running'"), 2);
        runner_call_start(a->runner, runner_call_new(a->runner, &reading, &a->caller));
        for (int i = 0; i < 1000 && call_result != 0; i++) {
                struct pollfd p = { .fd = runner_fd(a->runner), .events = POLLIN };
                poll(&p, 1, 10);
                queue_turn(a, false);
        }
        assert_int_equal(call_result, 0);
        atomic_store(&gate, 1);
}

static void test_saved_before_it_goes_on(void **state) {
        Asker *a = *state;
        use_runner(a, 1);
        Task task = insert(a, "save", "people");

        queue_turn(a, false);
        turns_until(a, &task, "done");
        assert_int_equal(atomic_load(&saves_seen), 2);
        assert_null(text_of(a, "SELECT saved FROM task"));
}

/* ---- the end ---- */

static void test_stop_in_order_is_no_death(void **state) {
        Asker *a = *state;
        Task task = {};

        use_runner(a, 1);
        task = insert(a, "gate", "people");
        for (int i = 0; i < 25; i++) {
                queue_turn(a, false);
                assert_string_equal(state_of(a, &task), "running");
                turn_begin(a->scratch->db);
                assert_int_equal(runner_leave(a->runner), 0);
                assert_int_equal(turn_end(a->scratch->db), TURN_DONE);
                use_runner(a, 1);
        }
        assert_int_equal(count_of(a, "SELECT deaths FROM task"), 0);
        atomic_store(&gate, 1);
        queue_turn(a, false);
        turns_until(a, &task, "done");
        assert_int_equal(count_of(a, "SELECT attempt FROM task"), 1);
}

static void assert_given_up(Asker *a, const char *what) {
        if (!str_equal(text_of(a, "SELECT state FROM task"), "dead") || !str_equal(text_of(a, "SELECT state FROM operation"), "failed"))
                fail_msg("%s: task %s, operation %s", what, text_of(a, "SELECT state FROM task"), text_of(a, "SELECT state FROM operation"));
        assert_int_equal(count_of(a, "SELECT done = total AND canceled = total AND finished IS NOT NULL FROM operation"), 1);
}

/* An operation whose task is given up is over: whoever waits for it is told. */
static void test_dead_task_ends_its_operation(void **state) {
        Asker *a = *state;

        for (int by_faults = 0; by_faults < 2; by_faults++) {
                Operation o = { .kind = "customer.edit", .total = 3, .user = "ada", .created = a->now, .arguments = "{}" };
                turn_begin(a->scratch->db);
                assert_int_equal(row_run(a->scratch->db, "DELETE FROM operation", ""), 0);
                assert_int_equal(row_run(a->scratch->db, "DELETE FROM task", ""), 0);
                assert_int_equal(operation_insert(a->scratch->db, &o), 0);
                Task task = { .kind = by_faults ? "fail" : "gate", .lane = "sweeps", .due = a->now, .created = a->now, .operation = o.n };
                assert_int_equal(task_insert(a->scratch->db, &task), 0);
                assert_int_equal(turn_end(a->scratch->db), TURN_DONE);
                use_runner(a, by_faults ? 0 : 1);
                for (int i = 0; i < 20 && !str_equal(state_of(a, &task), "dead"); i++) {
                        if (by_faults) {
                                run_queue(a);
                                a->now += USEC_HOUR;
                        } else {
                                queue_turn(a, false);
                                use_runner(a, 1);
                        }
                }
                assert_given_up(a, by_faults ? "faults" : "deaths");
        }
}

/* An operation may be kept no longer while its dead task, which ended later, still is. */
static void test_dead_task_of_an_operation_that_is_gone_ends_no_other(void **state) {
        Asker *a = *state;
        Operation gone = { .kind = "customer.edit", .total = 3, .user = "ada", .created = a->now, .arguments = "{}" }, other = gone;
        Task task = { .kind = "count", .lane = "sweeps", .due = a->now, .created = a->now };

        turn_begin(a->scratch->db);
        assert_int_equal(operation_insert(a->scratch->db, &gone), 0);
        task.operation = gone.n;
        assert_int_equal(task_insert(a->scratch->db, &task), 0);
        assert_int_equal(task_finish(a->scratch->db, &task, "dead", "it died", a->now), 0);
        assert_int_equal(row_run(a->scratch->db, "DELETE FROM operation", ""), 0);
        assert_int_equal(operation_insert(a->scratch->db, &other), 0);
        assert_int_equal(turn_end(a->scratch->db), TURN_DONE);
        use_runner(a, 0);
        assert_string_equal(text_of(a, "SELECT state FROM operation"), "running");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, asker_setup, asker_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_runs_and_settles),
                TEST(test_faults_back_off),
                TEST(test_again_later), TEST(test_what_comes_again_by_itself_does_not_die_of_one_fault),
                TEST(test_paused_queue_sleeps),
                TEST(test_one_worker_is_kept_for_people),
                TEST(test_one_worker_is_kept_for_calls),
                TEST(test_deadly_runs_alone),
                TEST(test_deadly_after_a_quiet_restart),
                TEST(test_full_disk_does_not_spin),
                TEST(test_full_disk_costs_no_memory),
                TEST(test_reading_call_is_stopped_for_the_wal),
                TEST(test_saved_before_it_goes_on),
                TEST(test_stop_in_order_is_no_death),
                TEST(test_dead_task_ends_its_operation), TEST(test_dead_task_of_an_operation_that_is_gone_ends_no_other),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/store/row.h"
#include "daemon/store/task-store.h"

#define COLUMNS                                                                                                       \
        "n, id, kind, state, lane, attempt, deaths, due, created, started, finished, operation, owner, granted, cancel, format,"\
        " arguments, saved, error"

/* After so many unexplained deaths of the daemon a task runs alone. The number stands in the index task_deadly, too. */
#define DEADLY "deaths >= 3"
#define READY "state IN ('queued', 'waiting')"
#define CHOSEN "NOT (? AND kind = 'erase')"

static void task_read(sqlite3_stmt *s, Arena *a, Task *ret) {
        row_read(s, a, "idtttiiuuuuiiioittt", &ret->n, &ret->id, &ret->kind, &ret->state, &ret->lane, &ret->attempt, &ret->deaths,
                 &ret->due, &ret->created, &ret->started, &ret->finished, &ret->operation, &ret->owner, &ret->granted, &ret->cancel, &ret->format,
                 &ret->arguments, &ret->saved, &ret->error);
}

int task_insert(Db *db, Task *task) {
        int64_t n = 0;
        int r = row_int(db, &n, "SELECT max(n) FROM task", "");
        if (r < 0)
                return r;
        task->n = n + 1;
        task->id = id_new();
        task->state = "queued";
        r = row_run(db,
                    "INSERT INTO task(n, id, kind, state, lane, due, created, operation, owner, granted, format, arguments)"
                    " VALUES(?,?,?,'queued',?,?,?,nullif(?,0),?,?,?,?)",
                    "idttuuiiiit", task->n, task->id, task->kind, task->lane, task->due, task->created, task->operation, task->owner,
                    task->granted, (int64_t) TASK_FORMAT, task->arguments ?: "{}");
        if (r >= 0)
                turn_effect(db, (Effect) { .type = EFFECT_TASK_READY });
        return r;
}

static int load_by(Db *db, Arena *a, sqlite3_stmt *s, Task *ret) {
        int r = row_step(db, s);
        if (r > 0)
                task_read(s, a, ret);
        return r;
}

int task_load(Db *db, Arena *a, int64_t n, Task *ret) {
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM task WHERE n = ?");
        if (!s)
                return -EIO;
        row_bind(s, "i", n);
        return load_by(db, a, s, ret);
}

int task_find(Db *db, Arena *a, Id id, Task *ret) {
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM task WHERE id = ?");
        if (!s)
                return -EIO;
        row_bind(s, "d", id);
        return load_by(db, a, s, ret);
}

/* One look-up a lane, each walking the index of the ready ones in the order of due. */
static int find_ready(Db *db, Arena *a, const char *lane, const TaskChoice *choice, Usec now, Task *ret) {
        _statement_ s = db_statement(db, choice->alone
                ? "SELECT " COLUMNS " FROM task INDEXED BY task_deadly WHERE lane = ? AND due <= ? AND " DEADLY " AND " READY " AND " CHOSEN " ORDER BY due, n LIMIT 1"
                : "SELECT " COLUMNS " FROM task INDEXED BY task_ready WHERE lane = ? AND due <= ? AND NOT " DEADLY " AND " READY " AND " CHOSEN " ORDER BY due, n LIMIT 1");
        if (!s)
                return -EIO;
        row_bind(s, "tui", lane, now, (int64_t) choice->no_erasure);
        return load_by(db, a, s, ret);
}

int task_claim(Db *db, Arena *a, const TaskChoice *choice, Usec now, Task *ret) {
        int r = find_ready(db, a, choice->lane ?: "people", choice, now, ret);
        if (r == 0 && !choice->lane)
                r = find_ready(db, a, "sweeps", choice, now, ret);
        if (r <= 0)
                return r;
        ret->attempt++;
        ret->started = now;
        ret->state = "running";
        r = row_run(db, "UPDATE task SET state = 'running', attempt = ?, started = ? WHERE n = ?", "iui", ret->attempt, now, ret->n);
        return r < 0 ? r : 1;
}

int task_next_due(Db *db, const TaskChoice *choice, Usec *ret) {
        static const char *const lanes[] = { "people", "sweeps" };
        *ret = USEC_NONE;
        for (size_t i = 0; i < ELEMENTSOF(lanes); i++) {
                int64_t due = 0;
                if (choice->lane && strcmp(choice->lane, lanes[i]) != 0)
                        continue;
                int r = row_int(db, &due, choice->alone
                        ? "SELECT due FROM task INDEXED BY task_deadly WHERE lane = ? AND " DEADLY " AND " READY " AND " CHOSEN " ORDER BY due LIMIT 1"
                        : "SELECT due FROM task INDEXED BY task_ready WHERE lane = ? AND NOT " DEADLY " AND " READY " AND " CHOSEN " ORDER BY due LIMIT 1",
                        "ti", lanes[i], (int64_t) choice->no_erasure);
                if (r < 0)
                        return r;
                if (r > 0 && (*ret == USEC_NONE || due < *ret))
                        *ret = due;
        }
        return 0;
}

int task_finish(Db *db, const Task *task, const char *state, const char *error, Usec now) {
        int r = row_run(db, "UPDATE task SET state = ?, error = ?, finished = ?, saved = NULL WHERE n = ?", "ttui", state, error, now, task->n);
        if (r >= 0)
                turn_effect(db, (Effect) { .type = EFFECT_TASK_FINISHED, .n = task->n, .id = task->id });
        return r;
}

int task_forget_arguments(Db *db, int64_t n) {
        return row_run(db, "UPDATE task SET arguments = '{}' WHERE n = ?", "i", n);
}

int task_save(Db *db, int64_t n, const char *saved) {
        return row_run(db, "UPDATE task SET saved = ? WHERE n = ?", "ti", saved, n);
}

int task_again(Db *db, const Task *task, Usec due, const char *saved, const char *error) {
        return row_run(db, "UPDATE task SET state = 'waiting', due = ?, saved = ?, error = ? WHERE n = ?", "utti", due, saved, error, task->n);
}

int task_later(Db *db, const Task *task, Usec due, const char *saved) {
        return row_run(db, "UPDATE task SET state = 'waiting', attempt = 0, due = ?, saved = ?, error = NULL WHERE n = ?", "uti", due, saved, task->n);
}

int task_cancel(Db *db, const Task *task, Usec now) {
        if (!str_equal(task->state, "running"))
                return task_finish(db, task, "canceled", NULL, now);
        int r = row_run(db, "UPDATE task SET cancel = 1 WHERE n = ?", "i", task->n);
        if (r >= 0)
                turn_effect(db, (Effect) { .type = EFFECT_TASK_CANCELED, .n = task->n });
        return r;
}

int task_hasten(Db *db, int64_t operation, Usec now) {
        int r = row_run(db, "UPDATE task SET due = ? WHERE operation = ? AND " READY, "ui", now, operation);
        if (r >= 0)
                turn_effect(db, (Effect) { .type = EFFECT_TASK_READY });
        return r;
}

int task_retry(Db *db, const Task *task, Usec now) {
        int r = row_run(db, "UPDATE task SET state = 'queued', due = ?, attempt = 0, deaths = 0, cancel = 0, error = NULL, finished = NULL,"
                            " started = NULL WHERE n = ?", "ui", now, task->n);
        if (r >= 0)
                turn_effect(db, (Effect) { .type = EFFECT_TASK_READY });
        return r;
}

int task_recover(Db *db, int64_t max_deaths, Usec now, int64_t *ret_count) {
        *ret_count = 0;
        int r = row_int(db, ret_count, "SELECT count(*) FROM task INDEXED BY task_running WHERE state = 'running'", "");
        if (r < 0 || *ret_count == 0)
                return MIN(r, 0);
        r = row_run(db, "UPDATE task SET state = 'dead', finished = ?, error = 'the daemon died again and again while it ran'"
                        " WHERE n IN (SELECT n FROM task INDEXED BY task_running WHERE state = 'running' AND deaths + 1 >= ?)", "ui", now, max_deaths);
        if (r >= 0)
                r = row_run(db, "UPDATE task SET state = 'queued', deaths = deaths + 1"
                                " WHERE n IN (SELECT n FROM task INDEXED BY task_running WHERE state = 'running')", "");
        return r;
}

int task_release(Db *db) {
        return row_run(db, "UPDATE task SET state = 'queued', attempt = max(attempt - 1, 0)"
                           " WHERE n IN (SELECT n FROM task INDEXED BY task_running WHERE state = 'running')", "");
}

int task_is_running(Db *db, const Task *task) {
        int64_t one = 0;
        return row_int(db, &one, "SELECT 1 FROM task WHERE n = ? AND state = 'running' AND attempt = ?", "ii", task->n, task->attempt);
}

int task_couriers(Db *db, int64_t *ret) {
        int r = row_int(db, ret, "SELECT count(*) FROM task WHERE kind = 'mail' AND state IN ('queued', 'running')", "");
        return MIN(r, 0);
}

int task_is_coming(Db *db, const char *kind) {
        int64_t one = 0;
        return row_int(db, &one, "SELECT 1 FROM task WHERE kind = ? AND state IN ('queued', 'running', 'waiting') LIMIT 1", "t", kind);
}

int task_figures(Db *db, QueueFigures *ret) {
        int r;

        *ret = (QueueFigures) {};
        _statement_ s = db_statement(db, "SELECT state, count(*) FROM task WHERE state IN ('queued','running','waiting','dead') GROUP BY state");
        if (!s)
                return -EIO;
        while ((r = row_step(db, s)) > 0) {
                const char *state = (const char *) sqlite3_column_text(s, 0);
                int64_t n = sqlite3_column_int64(s, 1);
                *(str_equal(state, "queued")    ? &ret->queued
                  : str_equal(state, "running") ? &ret->running
                  : str_equal(state, "waiting") ? &ret->waiting
                                                : &ret->dead) = n;
        }
        return r;
}

int task_expire(Db *db, Usec before, int64_t max, bool *ret_more) {
        int r = row_run(db, "DELETE FROM task WHERE n IN (SELECT n FROM task WHERE finished < ? AND finished IS NOT NULL LIMIT ?)", "ui", before, max);
        return r < 0 ? r : row_more(db, ret_more, "SELECT 1 FROM task WHERE finished < ? AND finished IS NOT NULL LIMIT 1", before);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/crash.h"
#include "common/log.h"
#include "daemon/action/manager-action.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/setting-store.h"
#include "daemon/store/task-store.h"

static void put_default(Buffer *b, const char *key, const char *message) {
        json_put_object_begin(b);
        json_put_key_string(b, "key", key);
        json_put_key_string(b, "message", message);
        json_put_object_end(b);
}

static void put_queue(Buffer *b, const QueueFigures *q, bool paused) {
        json_put_key(b, "queue");
        json_put_object_begin(b);
        json_put_key_int(b, "queued", q->queued);
        json_put_key_int(b, "running", q->running);
        json_put_key_int(b, "waiting", q->waiting);
        json_put_key_int(b, "dead", q->dead);
        json_put_key_bool(b, "paused", paused);
        json_put_object_end(b);
}

int admin_status(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        DbFigures figures = db_figures(c->db);
        const char *paused = NULL;
        QueueFigures queue;
        int64_t erasures = 0;

        int r = task_figures(c->db, &queue);
        if (r >= 0)
                r = setting_get(c->db, c->arena, "queue-paused", &paused);
        if (r >= 0)
                r = erasures_open(c->db, &erasures);
        if (r < 0)
                return r;
        json_put_object_begin(answer);
        json_put_key_string(answer, "version", PACKAGE_VERSION);
        json_put_key_int(answer, "schema", figures.schema);
        json_put_key_string(answer, "state_directory", c->settings->state);
        json_put_key_int(answer, "database_bytes", figures.database_bytes);
        json_put_key_int(answer, "wal_bytes", figures.wal_bytes);
        json_put_key_time(answer, "started", c->settings->started);
        json_put_key_string(answer, "log_level", log_level_name(log_level()));
        put_queue(answer, &queue, str_equal(paused, "1"));
        json_put_key_int(answer, "erasures_open", erasures);
        json_put_key_bool(answer, "clock_held", false);
        json_put_key(answer, "defaults");
        json_put_array_begin(answer);
        if (!c->settings->config)
                put_default(answer, "config", "no configuration file was read: every setting is the default");
        put_default(answer, "queue.workers", arena_printf(c->arena, "%lld worker threads", (long long) c->settings->workers));
        put_default(answer, "customer.grace_days", arena_printf(c->arena, "a disconnected customer is erased after %lld days", (long long) c->settings->grace_days));
        json_put_array_end(answer);
        json_put_key(answer, "warnings");
        json_put_array_begin(answer);
        if (str_equal(paused, "1"))
                json_put_string(answer, "the queue is paused: task resume lets it go on");
        if (queue.dead > 0)
                json_put_string(answer, arena_printf(c->arena, "%lld tasks were given up: task list --filter 'state = dead' shows them", (long long) queue.dead));
        json_put_array_end(answer);
        json_put_object_end(answer);
        return 0;
}

int admin_log_level(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        const char *name = NULL;
        int level = log_level();

        int r = dict_string(request->options, "level", &name, problem);
        if (r != 0)
                return r;
        if (name)
                level = log_level_from_name(name);
        if (level < 0)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "unknown-word", "level", "level is \"%.40s\", but must be error, warning, info or debug", name);
        turn_effect(c->db, (Effect) { .type = EFFECT_LOG_LEVEL, .n = level });
        c->trail.before = arena_printf(c->arena, "{\"level\":\"%s\"}", log_level_name(log_level()));
        c->trail.after = arena_printf(c->arena, "{\"level\":\"%s\"}", log_level_name((LogLevel) level));
        json_put_object_begin(answer);
        json_put_key_string(answer, "level", log_level_name((LogLevel) level));
        json_put_object_end(answer);
        return 0;
}

int admin_backup(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        c->trail.after = request->picture;
        buffer_add_string(answer, request->picture);
        return 0;
}

#ifdef TEST_HOOKS
int admin_quiet_hour(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        int r = setting_put(c->db, "quiet-now", "1");
        if (r >= 0)
                turn_effect(c->db, (Effect) { .type = EFFECT_QUIET_HOUR });
        buffer_add_string(answer, "{}");
        return r;
}

int task_enqueue(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        json_put_array_begin(answer);
        for (size_t i = 0; i < request->n_ids; i++) {
                Task task = { .kind = request->ids[i], .lane = "people", .due = c->now, .created = c->now, .owner = c->caller->uid };
                int r = task_insert(c->db, &task);
                if (r < 0)
                        return r;
                json_put_id(answer, task.id);
        }
        json_put_array_end(answer);
        return 0;
}
#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "common/files.h"
#include "common/log.h"
#include "daemon/action/list-action.h"
#include "daemon/bus/call.h"
#include "daemon/bus/codec.h"
#include "daemon/store/report-store.h"

/* The way back: after the turn the held replies leave, then the signals. An export's waits for its task. */

/* ---- exports: the answer waits for a task ---- */

static int export_answer(Call *c, const Task *task) {
        Db *db = c->bus->config.db;
        Report report;
        char path[4200];

        int r = call_decide_again(c);
        if (r != 0)
                return r;
        if (!str_equal(task->state, "done"))
                return problem_set(&c->problem, str_equal(task->state, "canceled") ? PROBLEM_REFUSED : PROBLEM_FAILED,
                                   str_equal(task->state, "canceled") ? "canceled" : "export-failed", NULL, "the export did not come about (%s)%s%s; task %s",
                                   task->state, task->error ? ": " : "", task->error ?: "", id_text(task->id, arena_alloc(c->arena, ID_TEXT_SIZE)));
        r = report_find_task(db, c->arena, task->n, &report);
        if (r <= 0)
                return r < 0 ? r : problem_set(&c->problem, PROBLEM_NOT_FOUND, "report-gone", NULL, "the report of this export is not kept any more");
        snprintf(path, sizeof(path), "%s/%s", c->bus->config.settings->state, report.path);
        c->out_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (c->out_fd < 0)
                return -errno;
        buffer_clear(&c->answer);
        Context context = call_context(c);
        return list_one(&context, dataset_find("reports"), report.id, &c->answer, &c->problem);
}

/* 1: its task has not ended, the call goes on waiting. */
static int export_check(Call *c) {
        Task task;
        int r = task_find(c->bus->config.db, c->arena, c->task, &task);

        if (r <= 0)
                return r < 0 ? r : problem_set(&c->problem, PROBLEM_NOT_FOUND, "task-gone", NULL, "the task of this export is not kept any more");
        if (str_equal(task.state, "queued") || str_equal(task.state, "running") || str_equal(task.state, "waiting"))
                return 2;
        return export_answer(c, &task);
}

void call_export_ready(Call *c) {
        int r = export_check(c);
        if (r == 2)
                call_list_add(&c->bus->exports, c);
        else
                call_finish(c, r);
}

/* The answer of report_export() is {"task":"…"}. */
static bool export_waits(Call *c) {
        static const char begin[] = "{\"task\":\"";
        char id[ID_TEXT_SIZE] = {};

        if (c->row->form != FORM_EXPORT || c->result != 0 || c->answer.size < strlen(begin) + 32 || !str_starts(c->answer.data, begin))
                return false;
        memcpy(id, c->answer.data + strlen(begin), 32);
        return id_parse(id, &c->task);
}

/* ---- out ---- */

static int append_strings(sd_bus_message *m, const char *json) {
        /* ["a","b"] of our own ids. */
        int r = sd_bus_message_open_container(m, 'a', "s");
        for (const char *p = strchr(json, '"'); p && r >= 0; p = strchr(p + 34, '"')) {
                char id[ID_TEXT_SIZE] = {};
                memcpy(id, p + 1, 32);
                r = sd_bus_message_append_basic(m, 's', id);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int save_fd(Call *c) {
        if (c->out_fd >= 0)
                return 0;
        if (c->row->flags & ROW_FILE) {
                char path[4200];
                snprintf(path, sizeof(path), "%s/%s", c->bus->config.settings->state, buffer_string(&c->answer));
                c->out_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
                return c->out_fd < 0 ? -errno : 0;
        }
        return memfd_sealed("tenantd", c->answer.data, c->answer.size, &c->out_fd);
}

/* A long text as `s`: sd-bus checks a string byte by byte, which is a seventh of what a page costs. What is not fit for D-Bus is left to
 * sd-bus, which refuses it. */
static int append_text(sd_bus_message *m, const char *text, size_t size) {
        char *space;

        if (memchr(text, 0, size) || !utf8_valid(text, size))
                return sd_bus_message_append_basic(m, 's', text);
        int r = sd_bus_message_append_string_space(m, size, &space);
        if (r < 0)
                return r;
        memcpy(space, text, size);
        return 0;
}

static int append_answer(Call *c, sd_bus_message *m) {
        const char *text = buffer_string(&c->answer);
        int r;

        switch (c->row->form) {
        case FORM_LIST:
                r = append_text(m, text, c->answer.size);
                return r < 0 ? r : sd_bus_message_append_basic(m, 's', c->next_cursor ?: "");
        case FORM_COUNT:
                return sd_bus_message_append(m, "t", (uint64_t) c->count);
        case FORM_GET:
                return codec_append_object(m, c->row->dataset ? dataset_find(c->row->dataset) : NULL, c->answer.data, c->answer.size);
        case FORM_EXPORT:
                return sd_bus_message_append(m, "sh", text, c->out_fd);
        case FORM_QUERY:
        case FORM_SAVE:
                return sd_bus_message_append(m, "h", c->out_fd);
        case FORM_SUBSCRIBE:
                return 0;
        case FORM_ENQUEUE:
                return append_strings(m, text);
        default:
                return append_text(m, text, c->answer.size);
        }
}

static void fault_to_problem(Call *c, int fault) {
        if (fault == -ENOENT && (c->row->flags & ROW_FILE || c->row->form == FORM_EXPORT)) {
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "file-gone", NULL, "the report is known, but its file is gone (a restored backup does not hold files): make it again");
                return;
        }
        /* Of a file beside the database; the turn's own troubles are told by turn_failure(). */
        if (fault == -ENOSPC || fault == -EDQUOT) {
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "disk-full", NULL,
                            "nothing was changed: the disk of the state directory is full; free some space and try again");
                return;
        }
        if (fault == -EROFS) {
                problem_set(&c->problem, PROBLEM_READ_ONLY, "read-only", NULL,
                            "nothing was changed: the state directory cannot be written; make it writable and try again");
                return;
        }
        problem_set(&c->problem, PROBLEM_FAILED, "internal", NULL, "%s failed inside tenantd (%s): its log says where", c->row->verb, strerror(-fault));
}

/* Whoever sends more than 32 MiB is thrown off the bus. */
static bool is_too_big(const Call *c) {
        enum { ANSWER_MAX = 30 << 20 };
        return c->answer.size > ANSWER_MAX && c->row->form != FORM_SAVE;
}

static int build_return(Call *c, sd_bus_message **ret) {
        int r = c->row->form == FORM_SAVE || c->row->form == FORM_QUERY ? save_fd(c) : 0;
        /* A dry run made no file. */
        if (c->row->form == FORM_EXPORT && c->out_fd < 0)
                r = memfd_sealed("tenantd", "", 0, &c->out_fd);
        if (r >= 0)
                r = sd_bus_message_new_method_return(c->message, ret);
        return r < 0 ? r : append_answer(c, *ret);
}

static int call_send_reply(Call *c) {
        sd_bus_message *reply = NULL;

        if (c->result == 0 && is_too_big(c))
                c->result = problem_set(&c->problem, PROBLEM_LIMIT_EXCEEDED, "answer-too-big", NULL,
                                        "%s, but its answer of %zu bytes is more than the bus carries: ask for less at a time, or for a file",
                                        call_changes(c) ? "it was done" : "it was found", c->answer.size);
        int r = c->result == 0 ? build_return(c, &reply) : MIN(c->result, 0);

        if (r < 0)
                fault_to_problem(c, r);
        if (r < 0 || c->result > 0) {
                reply = sd_bus_message_unref(reply);
                r = codec_error(c->message, &c->problem, &reply);
        }
        if (r >= 0)
                r = sd_bus_send(c->bus->bus, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

void bus_turn_ended(Bus *b, bool done, const Problem *failure) {
        CallList held = b->held;
        Call *c;

        b->held.first = NULL;
        while ((c = call_list_take(&held))) {
                if (!done && c->problem.kind != PROBLEM_NOT_AUTHORIZED && c->problem.kind != PROBLEM_LIMIT_EXCEEDED) {
                        c->result = 1;
                        c->problem = *failure;
                        c->spool_kept = false;
                }
                if (done && c->out_fd < 0 && export_waits(c)) {
                        /* Ended meanwhile or long ago (a repeated request): looked at in the next turn. */
                        call_list_add(&b->ready, c);
                        continue;
                }
                int r = call_send_reply(c);
                if (r < 0 && r != -ENOTCONN)
                        log_warning("the reply to %s was not sent: %s", c->row->verb, strerror(-r));
                call_free(c);
        }
        if (!done)
                return;
        size_t n;
        const Effect *effects = turn_effects(b->config.db, &n);
        for (size_t i = 0; i < n; i++) {
                if (effects[i].type != EFFECT_TASK_FINISHED)
                        continue;
                CallList waiting = b->exports;
                b->exports.first = NULL;
                while ((c = call_list_take(&waiting)))
                        call_list_add(id_equal(c->task, effects[i].id) ? &b->ready : &b->exports, c);
        }
        polkit_note_changes(b);
        signals_send(b);
}

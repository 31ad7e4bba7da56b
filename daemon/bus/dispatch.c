/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/files.h"
#include "common/log.h"
#include "common/names.h"
#include "daemon/action/list-action.h"
#include "daemon/action/operation-action.h"
#include "daemon/bus/call.h"
#include "daemon/bus/codec.h"
#include "daemon/store/report-store.h"

enum {
        READ_BUDGET = 5 * USEC_MSEC,         /* of a read on the loop; then it is repeated on a worker */
        ARGUMENTS_MAX = 8 << 20,             /* bytes of decoded arguments */
};

void call_list_add(CallList *l, Call *c) {
        if (!l->first)
                l->end = &l->first;
        c->next = NULL;
        *l->end = c;
        l->end = &c->next;
}

Call *call_list_take(CallList *l) {
        Call *c = l->first;
        if (c)
                l->first = c->next;
        return c;
}

void call_free(Call *c) {
        dict_close_fds(&c->fields);
        dict_close_fds(&c->options);
        dict_close_fds(&c->query);
        if (c->fd >= 0)
                close(c->fd);
        if (c->out_fd >= 0)
                close(c->out_fd);
        if (c->dry_run)
                buffer_done(&c->dry_run->items);
        if (c->request.spool && !c->spool_kept)
                unlink(arena_printf(c->arena, "%s/%s", c->bus->config.settings->state, c->request.spool));
        buffer_done(&c->file);
        buffer_done(&c->answer);
        sd_bus_message_unref(c->message);
        c->peer->in_flight--;
        c->bus->n_calls--;
        arena_free(c->arena);
}

/* ---- in ---- */

static int read_text(sd_bus_message *m, Arena *a, const char **ret) {
        const char *s = NULL;
        int r = sd_bus_message_read_basic(m, 's', &s);
        *ret = arena_strdup(a, s);
        return MIN(r, 0);
}

static int read_fd(sd_bus_message *m, int *ret) {
        int fd = -1;
        int r = sd_bus_message_read_basic(m, 'h', &fd);
        if (r < 0)
                return r;
        *ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return *ret < 0 ? -errno : 0;
}

/* The signature was checked by the vtable: what is left to refuse is inside of a{sv}. */
static int decode(Call *c, Problem *problem) {
        sd_bus_message *m = c->message;
        Request *q = &c->request;
        int r = 0;

        switch (c->row->form) {
        case FORM_LIST:
        case FORM_COUNT:
                return codec_read_dict(m, c->arena, &c->query, problem);
        case FORM_QUERY:
                r = codec_read_dict(m, c->arena, &c->query, problem);
                return r != 0 ? r : read_text(m, c->arena, &q->format);
        case FORM_GET:
        case FORM_DESCRIBE:
        case FORM_SAVE:
                return read_text(m, c->arena, &q->id);
        case FORM_CHANGE:
                r = codec_read_strings(m, c->arena, &q->ids, &q->n_ids);
                break;
        case FORM_ACT:
                r = read_text(m, c->arena, &q->id);
                return r < 0 ? r : codec_read_dict(m, c->arena, &c->options, problem);
        case FORM_FILE_IN:
                r = read_fd(m, &c->fd);
                break;
        case FORM_SUBSCRIBE:
        case FORM_ENQUEUE:
                return codec_read_strings(m, c->arena, &q->ids, &q->n_ids);
        default:
                break;
        }
        if (r >= 0)
                r = codec_read_dict(m, c->arena, &c->fields, problem);
        return r != 0 ? r : codec_read_dict(m, c->arena, &c->options, problem);
}

Context call_context(Call *c) {
        const BusConfig *config = &c->bus->config;
        return (Context) {
                .db = config->db, .arena = c->arena, .caller = &c->caller, .now = clock_now(), .settings = config->settings,
                .rules = config->rules, .host = config->host,
        };
}

/* ---- the middle ---- */

static bool may_call(const Call *c) {
        return c->peer->uid == 0 || c->peer->uid == c->bus->own_uid;
}

static int refuse_stranger(Call *c) {
        Usec now = clock_monotonic();
        if (now - c->bus->stranger_logged > USEC_SEC) {
                c->bus->stranger_logged = now;
                log_warning("uid %lld has no right to %s: refused", (long long) c->peer->uid, c->row->verb);
        }
        return problem_set(&c->problem, PROBLEM_NOT_AUTHORIZED, "not-authorized", NULL, "you have no right to %s: ask an administrator of this tenantd",
                           c->row->verb);
}

static int check_limits(Call *c) {
        if (c->bus->refusing)
                return problem_set(&c->problem, PROBLEM_UNAVAILABLE, "stopping", NULL, "tenantd is stopping: try again when it is back");
        if (c->peer->in_flight > CALLS_PER_CONNECTION_MAX)
                return problem_set(&c->problem, PROBLEM_LIMIT_EXCEEDED, "too-many-calls", NULL,
                                   "more than %d calls of this connection are under way: wait for some of their answers", CALLS_PER_CONNECTION_MAX);
        if (peers_in_flight(c->bus, c->peer->uid) > CALLS_PER_UID_MAX)
                return problem_set(&c->problem, PROBLEM_LIMIT_EXCEEDED, "too-many-calls", NULL,
                                   "more than %d calls of this user are under way: wait for some of their answers", CALLS_PER_UID_MAX);
        return 0;
}

static bool changes(const MethodRow *row) {
        return !(row->flags & ROW_READS);
}

static int run_read(Call *c, Context *context) {
        const Dataset *d = c->row->dataset ? dataset_find(c->row->dataset) : NULL;

        switch (c->row->form) {
        case FORM_LIST:
                return list_page(context, d, &c->request, &c->answer, &c->next_cursor, &c->problem);
        case FORM_COUNT:
                return list_count(context, d, &c->request, &c->count, &c->problem);
        default:
                return c->row->action(context, &c->request, &c->answer, &c->problem);
        }
}

int call_context_run(Call *c, Context *context) {
        if (c->row->form == FORM_SUBSCRIBE)
                return signals_subscribe(c->peer, c->request.ids, c->request.n_ids, &c->problem);
        if (!changes(c->row))
                return run_read(c, context);
        const ChangeRow row = { c->row->verb, c->row->action, c->row->options };
        return action_change(context, &row, &c->request, &c->answer, &c->problem);
}

static void run_on_loop(Call *c) {
        Context context = call_context(c);
        bool read = !changes(c->row);

        if (read)
                db_limit_reads(c->bus->config.db, READ_BUDGET, NULL);
        int r = call_context_run(c, &context);
        if (read)
                db_limit_reads(c->bus->config.db, 0, NULL);
        if (r == -ETIME && read) {
                buffer_clear(&c->answer);
                call_start_work(c);
                return;
        }
        call_finish(c, r);
}

static bool has_picture(const Call *c) {
        if (!(c->row->flags & ROW_PICTURE))
                return false;
        for (size_t i = 0; i < c->fields.n; i++)
                if (c->fields.entries[i].value.type == VALUE_FD)
                        return true;
        for (size_t i = 0; i < c->options.n; i++)
                if (c->options.entries[i].value.type == VALUE_FD)
                        return true;
        return false;
}

/* Refused before its action: of a caller with rights the audit knows that too. */
static void refuse_early(Call *c) {
        if (changes(c->row) && !turn_is_broken(c->bus->config.db)) {
                Context context = call_context(c);
                (void) action_refuse(&context, c->row->verb, &c->request, &c->problem);
        }
        call_finish(c, 1);
}

void call_begin(Call *c) {
        c->caller = (Caller) { .uid = c->peer->uid, .user = c->peer->user };
        if (!may_call(c)) {
                call_finish(c, refuse_stranger(c));
                return;
        }
        if (turn_is_broken(c->bus->config.db) || check_limits(c) != 0) {
                call_finish(c, c->problem.kind ? 1 : -EIO);
                return;
        }
        int r = decode(c, &c->problem);
        /* The bus carries noncharacters, the library that reads it does not. */
        if (r == -EBADMSG)
                r = problem_set(&c->problem, PROBLEM_INVALID_ARGUMENT, "noncharacter", NULL,
                                "a text in the call holds a noncharacter (U+FFFE, U+FDD0 …) or the message is malformed: take it out and send it again");
        if (r == 0 && arena_size(c->arena) > ARGUMENTS_MAX)
                r = problem_set(&c->problem, PROBLEM_LIMIT_EXCEEDED, "too-big", NULL, "the arguments have more than %d bytes", ARGUMENTS_MAX);
        if (r == 0) {
                const char *behalf = NULL;
                r = dict_string(&c->options, "on_behalf_of", &behalf, &c->problem);
                if (r == 0 && behalf && (strlen(behalf) > 200 || !utf8_valid(behalf, strlen(behalf))))
                        r = problem_set(&c->problem, PROBLEM_INVALID_ARGUMENT, "too-long", "on_behalf_of", "on_behalf_of has more than 200 bytes");
                c->caller.behalf = behalf;
        }
        if (r > 0) {
                refuse_early(c);
                return;
        }
        if (r < 0) {
                call_finish(c, r);
                return;
        }
        if (c->row->flags & (ROW_WORKER | ROW_IMPORT | ROW_BACKUP) || has_picture(c))
                call_start_work(c);
        else
                run_on_loop(c);
}

void call_new(Bus *b, Peer *peer, const RowReference *reference, sd_bus_message *m) {
        Arena *a = arena_new();
        Call *c = arena_alloc(a, sizeof(*c));

        c->bus = b;
        c->peer = peer;
        c->message = sd_bus_message_ref(m);
        c->row = reference->row;
        c->arena = a;
        c->fd = c->out_fd = -1;
        c->request = (Request) { .id = "", .query = &c->query, .fields = &c->fields, .options = &c->options };
        peer->in_flight++;
        b->n_calls++;
        if (peer->known)
                call_begin(c);
        else
                call_list_add(&peer->waiting, c);
}

/* ---- exports: the answer waits for a task ---- */

static int export_answer(Call *c, const Task *task) {
        Db *db = c->bus->config.db;
        Report report;
        char path[4200];

        if (!str_equal(task->state, "done"))
                return problem_set(&c->problem, str_equal(task->state, "canceled") ? PROBLEM_REFUSED : PROBLEM_FAILED,
                                   str_equal(task->state, "canceled") ? "canceled" : "export-failed", NULL, "the export did not come about (%s)%s%s; task %s",
                                   task->state, task->error ? ": " : "", task->error ?: "", id_text(task->id, arena_alloc(c->arena, ID_TEXT_SIZE)));
        int r = report_find_task(db, c->arena, task->n, &report);
        if (r <= 0)
                return r < 0 ? r : problem_set(&c->problem, PROBLEM_NOT_FOUND, "report-gone", NULL, "the report of this export is not kept any more");
        snprintf(path, sizeof(path), "%s/%s", c->bus->config.settings->state, report.path);
        c->out_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (c->out_fd < 0)
                return -errno;
        buffer_clear(&c->answer);
        report_write_json(&c->answer, &report);
        return 0;
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

void call_finish(Call *c, int result) {
        c->result = result;
        if (result < 0 && result != -ECANCELED)
                log_error("%s failed: %s", c->row->verb, strerror(-result));
        call_list_add(&c->bus->held, c);
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

static int append_answer(Call *c, sd_bus_message *m) {
        const char *text = buffer_string(&c->answer);

        switch (c->row->form) {
        case FORM_LIST:
                return sd_bus_message_append(m, "ss", text, c->next_cursor ?: "");
        case FORM_COUNT:
                return sd_bus_message_append(m, "t", (uint64_t) c->count);
        case FORM_GET:
                return codec_append_object(m, c->row->dataset ? dataset_find(c->row->dataset) : NULL, text, c->answer.size);
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
                return sd_bus_message_append(m, "s", text);
        }
}

static void fault_to_problem(Call *c, int fault) {
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

static int build_return(Call *c, sd_bus_message **ret) {
        int r = c->row->form == FORM_SAVE || c->row->form == FORM_QUERY ? save_fd(c) : 0;
        if (r >= 0)
                r = sd_bus_message_new_method_return(c->message, ret);
        return r < 0 ? r : append_answer(c, *ret);
}

int call_send_reply(Call *c) {
        sd_bus_message *reply = NULL;
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
        signals_send(b);
}

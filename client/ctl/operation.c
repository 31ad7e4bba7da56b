/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "client/ctl/answer.h"
#include "client/ctl/operation.h"
#include "client/ctl/progress.h"
#include "client/ctl/queue.h"
#include "common/clock.h"
#include "common/names.h"

/* Signals tell of progress; they are lost with the daemon or the bus, so whoever hears none for a while subscribes and asks
 * again. */
#define SILENCE (2 * USEC_SEC)
#define PATIENCE (60 * USEC_SEC)

typedef struct Wait {
        const char *id;
        bool finished;                       /* a signal said so */
        bool heard;                          /* of its progress */
        const char *kind;
        unsigned connection;                 /* where the match is */
        Usec silence;                        /* how long to hear nothing before looking */
        sigset_t unblocked;
} Wait;

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) {
        interrupted = 1;
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Wait *w = userdata;
        const char *id;
        uint32_t done, total;

        if (sd_bus_message_read(m, "s", &id) < 0 || !str_equal(id, w->id))
                return 0;
        if (sd_bus_message_is_signal(m, BUS_INTERFACE_PREFIX "Manager", "OperationFinished")) {
                w->finished = true;
        } else if (sd_bus_message_is_signal(m, BUS_INTERFACE_PREFIX "Manager", "OperationProgress") &&
                   sd_bus_message_read(m, "uu", &done, &total) >= 0) {
                w->heard = true;
                progress_show(w->kind, done, total);
        }
        return 0;
}

/* The match goes with its connection. */
static void subscribe(Command *c, Wait *w) {
        static const char *const kinds[] = { "operation" };
        sd_bus_message *reply = NULL;

        if (w->connection != c->connection)
                (void) sd_bus_match_signal_async(c->bus, NULL, BUS_NAME, BUS_PATH,
                                                 BUS_INTERFACE_PREFIX "Manager", NULL, on_signal, NULL, w);
        w->connection = c->connection;
        const Call what = { .interface = "Manager",
                            .method = "Subscribe",
                            .shape = "a",
                            .ids = kinds,
                            .n_ids = 1,
                            .quiet = true };
        /* Who has no right to events looks more often: soon at first. */
        if (call(c, &what, &reply) == EXIT_NOT_AUTHORIZED)
                w->silence = MIN(MAX(w->silence * 2, SILENCE / 32), SILENCE);
        else
                w->silence = SILENCE;
        sd_bus_message_unref(reply);
}

static bool is_ended(const char *state) {
        static const char *const going[] = { "running", "queued", "pending-approval", NULL };
        for (size_t i = 0; going[i]; i++)
                if (str_equal(state, going[i]))
                        return false;
        return true;
}

static int read_row(Command *c, const Wait *w, json_t **ret) {
        static const char *columns[] = { "id", "kind", "state", "done", "total" };
        _cleanup_(reply_freep) sd_bus_message *reply = NULL;
        const char *text, *next;
        Dict query = {};

        dict_add(c->arena, &query, "selector", value_of_string(arena_printf(c->arena, "id = %s", w->id)));
        dict_add(c->arena, &query, "columns", value_of_strings(columns, ELEMENTSOF(columns)));
        const Call what = {
                .interface = "Operations", .method = "List", .shape = "q", .query = &query, .quiet = true
        };
        int r = call(c, &what, &reply);
        if (r == EXIT_NOT_AUTHORIZED)
                return -EACCES;
        if (r != 0 || sd_bus_message_read(reply, "ss", &text, &next) < 0)
                return -EIO;
        json_t *rows = json_loads(text, 0, NULL);
        *ret = json_incref(json_array_get(rows, 0));
        json_decref(rows);
        return *ret ? 0 : -EACCES;           /* what is not ours to see is not there */
}

/* 0: still going; 1: it has ended; -EACCES: no right to look; else < 0: no answer. The row alone: an operation's items can
 * be many thousands. */
static int look(Command *c, Wait *w) {
        json_t *row;
        int r = read_row(c, w, &row);
        if (r < 0)
                return r;
        bool ended = is_ended(json_string_value(json_object_get(row, "state")));
        w->kind = arena_strdup(c->arena, json_string_value(json_object_get(row, "kind")));
        progress_show(w->kind, (uint64_t) json_integer_value(json_object_get(row, "done")),
                      (uint64_t) json_integer_value(json_object_get(row, "total")));
        json_decref(row);
        return ended;
}

/* Until a signal said the end, silence, or an interrupt. */
static void listen(Command *c, Wait *w) {
        Usec until = 0;

        w->heard = true;
        while (!w->finished && !interrupted) {
                int r = sd_bus_process(c->bus, NULL);
                Usec now = clock_monotonic();
                if (w->heard)
                        until = now + w->silence;
                w->heard = false;
                if (r < 0 || now >= until)
                        return;
                if (r > 0)
                        continue;
                struct pollfd p = { .fd = sd_bus_get_fd(c->bus),
                                    .events = (short) sd_bus_get_events(c->bus) };
                Usec left = until - now;
                struct timespec t = { .tv_sec = left / USEC_SEC, .tv_nsec = left % USEC_SEC * 1000 };
                if (ppoll(&p, 1, &t, &w->unblocked) < 0 && errno != EINTR)
                        return;
        }
}

static int say_interrupted(Command *c, const Wait *w) {
        progress_clear();
        return fail(EXIT_INTERRUPTED, "interrupted", NULL,
                    "operation %s goes on; \"tenantctl operation wait %s\" waits for it, \"tenantctl operation cancel %s\" cancels it",
                    w->id, w->id, w->id);
}

static int wait_loop(Command *c, Wait *w, const char **ret_json) {
        const Call what = {
                .interface = "Operations", .method = "Describe", .shape = "s", .id = w->id, .quiet = true
        };
        Usec last_seen = clock_monotonic();
        int r;

        for (;;) {
                if (!c->bus || sd_bus_is_open(c->bus) <= 0)
                        bus_close(c);
                if (bus_wait_back(c, NULL, SILENCE / 4) == 0) {
                        subscribe(c, w);
                        r = look(c, w);
                        int shown = r > 0 ? call_text(c, &what, ret_json) : -1;
                        if (shown == 0)
                                break;
                        if (r == -EACCES || shown == EXIT_NOT_AUTHORIZED) {
                                progress_clear();
                                return EXIT_NOT_AUTHORIZED;
                        }
                        if (r == 0)
                                last_seen = clock_monotonic();
                        if (r == 0 && c->bus)
                                listen(c, w);
                        if (r == 0 && !w->finished && !interrupted && w->silence >= SILENCE)
                                queue_say_paused(c);
                }
                sigset_t pending;
                if (interrupted || (sigpending(&pending) == 0 && sigismember(&pending, SIGINT)))
                        return say_interrupted(c, w);
                if (clock_monotonic() - last_seen > PATIENCE) {
                        progress_clear();
                        return fail(EXIT_UNREACHABLE, "unreachable", NULL,
                                    "the daemon went away; when it is back, \"tenantctl operation wait %s\""
                                    " waits for the operation",
                                    w->id);
                }
        }
        progress_clear();
        return 0;
}

int operation_wait(Command *c, const char *id, const char **ret_json) {
        struct sigaction action = { .sa_handler = on_interrupt }, before;
        Wait w = { .id = id, .kind = "operation" };
        sigset_t blocked;

        sigemptyset(&blocked);
        sigaddset(&blocked, SIGINT);
        sigprocmask(SIG_BLOCK, &blocked, &w.unblocked);
        sigdelset(&w.unblocked, SIGINT);
        sigaction(SIGINT, &action, &before);
        int r = wait_loop(c, &w, ret_json);
        if (r == 0 || r == EXIT_NOT_AUTHORIZED) {
                sigaction(SIGINT, &before, NULL);
                sigprocmask(SIG_SETMASK, &w.unblocked, NULL);
        }
        return r;
}

static int state_exit(const char *state) {
        static const char *const bad[] = { "partially-failed", "failed", "canceled", NULL };
        for (size_t i = 0; bad[i]; i++)
                if (str_equal(state, bad[i]))
                        return EXIT_ITEMS;
        return EXIT_OK;
}

/* The operation that an approved call began, whose row is what that call answered; NULL: none. */
static const char *started_by(Command *c, const json_t *operation) {
        const json_t *items = json_object_get(operation, "items"), *answer = json_object_get(json_array_get(items, 0), "after");

        if (json_array_size(items) != 1 || !json_is_object(answer) || !answer_is_operation(answer))
                return NULL;
        return arena_strdup(c->arena, json_string_value(json_object_get(answer, "id")));
}

/* *json is replaced by what it ended as. */
static int wait_for(Command *c, const char *id, const char **json, bool *ret_seen) {
        int r = operation_wait(c, id, json);
        *ret_seen = r == 0;
        if (r != EXIT_NOT_AUTHORIZED)
                return r;
        warn("operation %s goes on, but you have no right to see what becomes of it: that needs operation.list and operation.show", id);
        return 0;
}

int operation_follow(Command *c, const char *json) {
        bool seen = false;

        json_t *row = answer_parse(json);
        if (!row)
                return EXIT_FAILED;
        const char *id = arena_strdup(c->arena, json_string_value(json_object_get(row, "id")));
        answer_warn(row);
        bool waits = answer_is_operation(row) && !command_has(c, "no-wait") && !answer_is_pending(row);
        while (waits && id) {
                json_decref(row);
                int r = wait_for(c, id, &json, &seen);
                if (r != 0)
                        return r;
                row = answer_parse(json);
                if (!row)
                        return EXIT_FAILED;
                id = seen ? started_by(c, row) : NULL;
        }
        int r = answer_print(c, json, row);
        if (r == 0 && seen)
                r = state_exit(json_string_value(json_object_get(row, "state")));
        json_decref(row);
        return r;
}

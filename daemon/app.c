/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <uv.h>

#include "common/crash.h"
#include "common/log.h"
#include "daemon/app.h"
#include "daemon/parts.h"
#include "daemon/process.h"
#include "daemon/quiet.h"
#include "daemon/secrecy.h"
#include "daemon/store/key.h"
#include "daemon/store/restore.h"
#include "daemon/task/backup-task.h"
#include "daemon/task/caller.h"
#include "daemon/watchdog.h"

enum {
        BUS_MESSAGES = 256,                  /* of one turn */
        BUS_TIME = 10 * USEC_MSEC,
        STOP_PATIENCE = 3 * USEC_SEC,        /* for workers to let go */
        STOP_CALLS = 4 * USEC_SEC,           /* for calls on their way */
        STOP_LOOK = USEC_SEC / 4,            /* how often it is looked whether they have ended */
        TICK = 60 * USEC_SEC,
        WATCH = USEC_SEC,
        LEAD = 300,                          /* what waking may take: so much ahead the clock fires */
        RESTORE_PASSES = 4,                  /* how often a restore's start goes through its files, at most */
        QUIET_PAUSE = 20 * USEC_MSEC,        /* between two lots of the quiet hour */
};

typedef struct App {
        Parts parts;
        char **argv;
        Usec ahead;                          /* of the host's clock; 0 but in tests */

        uv_loop_t loop;
        uv_poll_t bus_poll, runner_poll, runner_timer_poll, clock_poll;
        uv_prepare_t prepare;
        uv_timer_t bus_timer;
        uv_signal_t sigterm, sigint, sighup;
        int clock_fd;
        Usec clock_at;                       /* when it fires; 0: it has */
        int bus_mask;                        /* what bus_poll waits for */
        Usec bus_until;                      /* when bus_timer fires; USEC_NONE: it does not */
        Usec stop_since;
        bool stopping;
        bool restart;                        /* stops to start again by itself: a restored database is staged */
        bool quiet, quiet_goes_on;           /* the quiet hour's long step is due; its lots are not over */
        bool quiet_rewritten;
        bool back_up;                        /* the nightly backup is due */
        Nightly nightly;
        Usec strike_due;                     /* what it waits for; USEC_NONE: nothing */
        bool rearm;                          /* what is due next may have changed */
        bool watching;                       /* the clock ticks as often as workers are looked after */
        int status;
} App;

/* ---- the turn ---- */

typedef int (*Drain)(App *a, Usec now);

static void app_stop_loop(App *a, int status) {
        if (a->status == 0)
                a->status = status;
        uv_stop(&a->loop);
}

/* For whatever begins from here on. */
static void renew_settings(App *a) {
        if (!a->parts.reload.next)
                return;
        a->parts.settings = a->parts.reload.now = a->parts.reload.next;
        a->parts.reload.next = NULL;
        runner_use_settings(a->parts.runner, a->parts.settings);
        bus_use_settings(a->parts.bus, a->parts.settings);
        a->rearm = true;
}

/* What happens to the process itself. */
static void after_commit(App *a) {
        size_t n;
        const Effect *effects = turn_effects(a->parts.db, &n);
        for (size_t i = 0; i < n; i++)
                if (effects[i].type == EFFECT_UNLINK) {
                        crash_point("before_unlink");
                        unlink(effects[i].path);
                } else if (effects[i].type == EFFECT_TASK_CANCELED)
                        runner_cancel(a->parts.runner, effects[i].n);
                else if (effects[i].type == EFFECT_ACCEPT_CLOCK)
                        clock_guard_accept(&a->parts.strike.guard);
                else if (effects[i].type == EFFECT_SETTINGS)
                        renew_settings(a);
                else if (effects[i].type == EFFECT_KEY)
                        key_changed(a->parts.db);
                else if (effects[i].type == EFFECT_LOG_LEVEL)
                        log_set_level((LogLevel) effects[i].n);
}

/* The last thing before the commit: what is staged happens, whether the commit is heard of or not. So the database that takes
 * over knows of it, and the one that goes need not. */
static void stage(App *a) {
        size_t n;
        const Effect *effects = turn_effects(a->parts.db, &n);
        for (size_t i = 0; i < n && !turn_is_broken(a->parts.db); i++)
                if (effects[i].type == EFFECT_RESTORE && restore_stage(a->parts.settings->state, effects[i].path) < 0)
                        turn_give_up(a->parts.db);
}

static void stop(App *a, const char *why) {
        log_info("%s", why);
        a->stopping = true;
        a->stop_since = clock_monotonic();
        runner_stop_claiming(a->parts.runner);
        bus_refuse_new(a->parts.bus);
        a->rearm = true;
}

static int turn(App *a, Drain drain, bool claim) {
        Problem failure = {};

        /* The moment it is about: what comes of it may take a while. */
        Usec now = clock_now();
        turn_begin(a->parts.db);
        int r = drain(a, now);
        claim |= turn_has_effect(a->parts.db, EFFECT_TASK_READY);
        a->rearm |= claim || turn_has_effect(a->parts.db, EFFECT_SCHEDULES) || turn_has_effect(a->parts.db, EFFECT_ACCEPT_CLOCK);
        if (claim && !turn_is_broken(a->parts.db)) {
                Usec then = clock_now();
                (void) strike_is_held(&a->parts.strike, then);
                (void) runner_claim(a->parts.runner, then);
        }
        bool staged = !a->restart && turn_has_effect(a->parts.db, EFFECT_RESTORE);
        if (staged)
                stage(a);
        switch (turn_end(a->parts.db)) {
        case TURN_DONE:
                /* To stop is to stop: the next start goes on with what is staged. */
                a->restart |= staged && !a->stopping;
                after_commit(a);
                runner_committed(a->parts.runner, true);
                bus_turn_ended(a->parts.bus, true, &failure);
                if (a->restart && !a->stopping)
                        stop(a, "starting again, with the database that is restored");
                break;
        case TURN_NOT_DONE:
                /* What is not known to be gone would happen at the next start: nobody may be told that it did not. */
                if (staged && restore_unstage(a->parts.settings->state) < 0) {
                        log_error("the disk failed while a restore was taken back: tenantd ends and looks again");
                        _exit(EXIT_DISK);
                }
                turn_failure(a->parts.db, &failure);
                runner_committed(a->parts.runner, false);
                bus_turn_ended(a->parts.bus, false, &failure);
                break;
        case TURN_UNKNOWN:
                /* What is on disk is known only to the next start. No reply may leave. */
                log_error("the disk failed while committing: tenantd ends and looks again");
                _exit(EXIT_DISK);
        }
        /* By turns that ended, and by nothing else. */
        watchdog_feed();
        return r;
}

static int drain_bus(App *a, Usec now) {
        return bus_drain(a->parts.bus, BUS_MESSAGES, BUS_TIME);
}

static int drain_ready(App *a, Usec now) {
        bus_run_ready(a->parts.bus);
        return 0;
}

static int drain_runner(App *a, Usec now) {
        runner_turn(a->parts.runner, now);
        return 0;
}

static void look_for_backup(App *a) {
        if (!turn_is_broken(a->parts.db) && !a->stopping && !a->parts.strike.guard.held && nightly_is_due(&a->nightly, a->parts.db) > 0)
                a->back_up = true;
}

static int drain_clock(App *a, Usec now) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        const Caller system = CALLER_SYSTEM;
        Context c = parts_context(&a->parts, arena, &system);
        c.now = now;
        bool more = false;

        runner_watch(a->parts.runner);
        /* What a lost turn threw back begins anew when the clock says so. */
        runner_turn(a->parts.runner, now);
        if (strike(&a->parts.strike, &c) < 0 && !turn_is_broken(a->parts.db))
                log_error("what is due could not be looked up; it is tried again within a minute");
        if (!a->parts.strike.guard.held && quiet_is_due(&c)) {
                int r = quiet_expire(&c, &more);
                a->quiet = r >= 0 && !more;
                a->rearm |= more;
        }
        a->quiet_goes_on = more;
        look_for_backup(a);
        return 0;
}

/* As admin reload by the daemon itself: with its record, and told to the log. */
static int drain_reload(App *a, Usec now) {
        static const char *const none[] = { NULL };
        static const ChangeRow row = { "admin.reload", admin_reload, none };
        _cleanup_(arena_freep) Arena *arena = arena_new();
        _cleanup_(buffer_done) Buffer answer = {};
        const Caller system = CALLER_SYSTEM;
        const Request request = { .id = "", .query = &(Dict) {}, .fields = &(Dict) {}, .options = &(Dict) {} };
        Context c = parts_context(&a->parts, arena, &system);
        Problem problem = {};

        int r = action_change(&c, &row, &request, &answer, &problem);
        if (r > 0)
                log_error("the configuration stays as it was: %s", problem.text);
        else if (r == 0)
                log_info("the configuration was read again: %s", buffer_string(&answer));
        return r;
}

static int drain_quiet(App *a, Usec now) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        const Caller system = CALLER_SYSTEM;
        Context c = parts_context(&a->parts, arena, &system);
        /* A clock that was set meanwhile: the hour comes again when it is believed. */
        int r = strike_is_held(&a->parts.strike, c.now) ? 0 : quiet_finish(&c, a->quiet_rewritten);
        look_for_backup(a);
        return r;
}

static void arm_clock(App *a) {
        a->watching = !runner_is_idle(a->parts.runner);
        Usec now = clock_now(), at = now + (a->watching ? WATCH : TICK), due = runner_next_due(a->parts.runner);

        if (due != USEC_NONE && due < at)
                at = due;
        a->strike_due = strike_next(&a->parts.strike, a->parts.db);
        if (a->strike_due != USEC_NONE && a->strike_due - LEAD < at)
                at = a->strike_due - LEAD;
        if (a->stopping)
                at = MIN(at, now + STOP_LOOK);
        else if (a->quiet_goes_on)
                at = MIN(at, now + QUIET_PAUSE);
        at = MAX(at, now + 1);
        /* What is set already and comes first is early enough: it looks again. */
        if (a->clock_at > now && a->clock_at <= at)
                return;
        a->clock_at = at;
        const struct itimerspec spec = { .it_value = { (at - a->ahead) / USEC_SEC, (at - a->ahead) % USEC_SEC * 1000 } };
        if (timerfd_settime(a->clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL) < 0)
                log_error("the clock cannot be set: %s", strerror(errno));
}

/* The quiet hour's long step. A disk without room for it is no reason to end: what was erased stays in the file's gaps
 * until the next night. */
static void rewrite(App *a) {
        a->quiet = false;
        watchdog_wait_for(db_figures(a->parts.db).database_bytes);
        int r = quiet_rewrite(a->parts.db, &a->quiet_rewritten);
        watchdog_as_usual();
        if (r == -EAGAIN) {
                log_info("the database is being read: it is rewritten a minute later");
                return;
        }
        if (r < 0 && r != -ENOSPC) {
                app_stop_loop(a, EXIT_DISK);
                return;
        }
        if (r == -ENOSPC)
                log_warning("the database could not be rewritten after an erasure: that needs its size once more on the disk of %s and in the directory "
                            "for temporary files; free some space: it is tried again the next night", a->parts.settings->state);
        (void) turn(a, drain_quiet, false);
}

/* Everything that every source does when its turn is over. */
static void turn_over(App *a, bool idle) {
        if (turn_has_effect(a->parts.db, EFFECT_QUIET_HOUR))
                (void) turn(a, drain_clock, false);
        while (bus_has_ready(a->parts.bus))
                (void) turn(a, drain_ready, false);
        if (a->quiet && !a->stopping)
                rewrite(a);
        if (a->back_up) {
                a->back_up = false;
                nightly_start(&a->nightly, a->parts.runner, clock_now());
        }
        if (turn_checkpoint(a->parts.db, idle) < 0) {
                log_error("the disk failed while writing back: tenantd ends and looks again");
                _exit(EXIT_DISK);
        }
        if (a->rearm || (!a->watching && !runner_is_idle(a->parts.runner))) {
                a->rearm = false;
                arm_clock(a);
        }
        bool waits = !bus_is_idle(a->parts.bus) || runner_has_finishing(a->parts.runner);
        if (a->stopping && (!waits || clock_monotonic() - a->stop_since > STOP_CALLS))
                app_stop_loop(a, 0);
}

static void bus_turn(App *a) {
        int r = turn(a, drain_bus, false);

        if (r < 0 || bus_is_lost(a->parts.bus)) {
                if (!a->stopping)
                        log_error("the bus is gone: tenantd ends; nothing is lost by it");
                app_stop_loop(a, a->stopping ? 0 : EXIT_BUS);
                return;
        }
        turn_over(a, r == 0);
}

/* ---- the loop's callbacks ---- */

static void on_bus_poll(uv_poll_t *handle, int status, int events) {
        App *a = handle->data;
        if (status < 0)
                a->bus_mask = 0;             /* the library has stopped it */
        bus_turn(a);
}

static void on_bus_timer(uv_timer_t *handle) {
        App *a = handle->data;
        a->bus_until = USEC_NONE;
        bus_turn(a);
}

static void on_runner(uv_poll_t *handle, int status, int events) {
        App *a = handle->data;
        (void) turn(a, drain_runner, true);
        turn_over(a, false);
}

/* It takes a while from the timer to us: the kernel, and then memory that has grown cold. So the timer is set a little ahead,
 * and what is left, a fraction of a millisecond for each moment at which something is due, is waited for here. */
static void wait_for_strike(const App *a) {
        Usec begun = clock_monotonic(), left;

        do
                left = a->strike_due == USEC_NONE ? 0 : a->strike_due - clock_now();
        while (left > 0 && left <= LEAD && clock_monotonic() - begun <= LEAD);
}

static void on_clock(uv_poll_t *handle, int status, int events) {
        App *a = handle->data;
        uint64_t expirations;

        if (read(a->clock_fd, &expirations, sizeof(expirations)) < 0 && errno != ECANCELED && errno != EAGAIN)
                log_error("the clock cannot be read: %s", strerror(errno));
        a->clock_at = 0;
        wait_for_strike(a);
        (void) turn(a, drain_clock, true);
        turn_over(a, true);
}

static void on_signal(uv_signal_t *handle, int signum) {
        App *a = handle->data;

        if (signum == SIGHUP) {
                (void) turn(a, drain_reload, false);
                turn_over(a, false);
                return;
        }
        if (a->stopping) {
                /* To stop is to stop: the next start goes on with what is staged. */
                a->restart = false;
                app_stop_loop(a, 0);
                return;
        }
        sd_notify(0, "STOPPING=1");
        stop(a, "stopping");
        turn_over(a, true);
}

/* The last thing before the loop sleeps: what the bus waits for is asked for anew, each time, and set if it differs. */
static void on_prepare(uv_prepare_t *handle) {
        App *a = handle->data;
        int events = bus_events(a->parts.bus);
        Usec until = bus_timeout(a->parts.bus), now = clock_monotonic();

        if (events < 0 || bus_is_lost(a->parts.bus)) {
                app_stop_loop(a, a->stopping ? 0 : EXIT_BUS);
                return;
        }
        int mask = (events & POLLIN ? UV_READABLE : 0) | (events & POLLOUT ? UV_WRITABLE : 0) | UV_DISCONNECT;
        if (mask != a->bus_mask) {
                uv_poll_start(&a->bus_poll, mask, on_bus_poll);
                a->bus_mask = mask;
        }
        if (until == USEC_NONE) {
                if (a->bus_until != USEC_NONE)
                        uv_timer_stop(&a->bus_timer);
        } else if (until != a->bus_until) {
                uv_update_time(&a->loop);
                uv_timer_start(&a->bus_timer, on_bus_timer, until <= now ? 0 : (uint64_t) ((until - now + 999) / 1000), 0);
        }
        a->bus_until = until;
}

/* ---- building ---- */

static void poll_on(App *a, uv_poll_t *handle, int fd, uv_poll_cb callback) {
        uv_poll_init(&a->loop, handle, fd);
        handle->data = a;
        if (callback)
                uv_poll_start(handle, UV_READABLE, callback);
}

static void signal_on(App *a, uv_signal_t *handle, int signum) {
        uv_signal_init(&a->loop, handle);
        handle->data = a;
        uv_signal_start(handle, on_signal, signum);
}

static int build_loop(App *a) {
        a->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        if (a->clock_fd < 0 || uv_loop_init(&a->loop) < 0) {
                log_error("the loop cannot be made: %s", strerror(errno));
                return EXIT_BUS;
        }
        a->bus_until = USEC_NONE;
        poll_on(a, &a->bus_poll, bus_fd(a->parts.bus), NULL);
        poll_on(a, &a->runner_poll, runner_fd(a->parts.runner), on_runner);
        poll_on(a, &a->runner_timer_poll, runner_timer_fd(a->parts.runner), on_runner);
        poll_on(a, &a->clock_poll, a->clock_fd, on_clock);
        uv_timer_init(&a->loop, &a->bus_timer);
        a->bus_timer.data = a;
        uv_prepare_init(&a->loop, &a->prepare);
        a->prepare.data = a;
        uv_prepare_start(&a->prepare, on_prepare);
        signal_on(a, &a->sigterm, SIGTERM);
        signal_on(a, &a->sigint, SIGINT);
        signal_on(a, &a->sighup, SIGHUP);
        return 0;
}

/* The last turn: what is on its way begins anew at the next start, and an end in order is no death of its making. */
static void leave_queue(App *a) {
        turn_begin(a->parts.db);
        int r = runner_leave(a->parts.runner);
        if (turn_end(a->parts.db) != TURN_DONE || r < 0)
                log_warning("what is running could not be put back into the queue: the next start does it");
}

static void close_handle(uv_handle_t *handle, void *userdata) {
        if (!uv_is_closing(handle))
                uv_close(handle, NULL);
}

static void close_loop(App *a) {
        uv_walk(&a->loop, close_handle, NULL);
        uv_run(&a->loop, UV_RUN_DEFAULT);
        uv_loop_close(&a->loop);
        close(a->clock_fd);
}

/* The same program, arguments, environment and process: for whoever started it, be it systemd or a shell, nothing has ended. A
 * wish to stop that comes meanwhile is pending until the new loop can grant it. */
static void start_again(App *a) {
        crash_point("before_exec");
        execv("/proc/self/exe", a->argv);
        log_error("tenantd cannot start itself again: %s; start it, and it goes on with the restored database", strerror(errno));
        _exit(EXIT_BUS);
}

/* The workers first: what they hold belongs to calls, and those to the bus. One that does not let go (it waits for a
 * foreign descriptor, say) is left where it is: nothing it could touch is freed, the process just ends. */
static void close_parts(App *a) {
        if (!runner_free(a->parts.runner, STOP_PATIENCE)) {
                bus_flush(a->parts.bus);
                log_info("a worker did not let go: it ends with the process");
                if (a->restart)
                        start_again(a);
                _exit(a->status);
        }
        bus_free(a->parts.bus);
        db_close(a->parts.db);
        arena_free(a->parts.arena);
}

static int open_all(App *a, const AppOptions *options) {
        int status = parts_open(&a->parts, options->state, options->config);

        if (status == 0)
                status = parts_recover(&a->parts);
        if (status == 0) {
                after_commit(a);
                parts_clear_leftovers(&a->parts);
                status = parts_open_bus(&a->parts, options->bus);
        }
        return status == 0 ? build_loop(a) : status;
}

int app_run(const AppOptions *options) {
        App a = { .parts.arena = arena_new(), .argv = options->argv, .ahead = process_clock_ahead() };

        clock_shift_for_tests(a.ahead);

        secrecy_begin();
        process_hold_signals(SIG_BLOCK);
        process_guard_descriptors();
        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN);
        a.strike_due = USEC_NONE;
        a.status = open_all(&a, options);
        if (a.status == 0) {
                (void) turn(&a, drain_clock, true);
                turn_over(&a, true);
                log_info("tenantd %s is up: state %s, bus %s", PACKAGE_VERSION, options->state, options->bus);
                sd_notify(0, "READY=1");
                watchdog_as_usual();
                process_hold_signals(SIG_UNBLOCK);
                uv_run(&a.loop, UV_RUN_DEFAULT);
                process_hold_signals(SIG_BLOCK);
                /* A wish to stop that the loop has heard of, but not told us. */
                if (a.restart)
                        uv_run(&a.loop, UV_RUN_NOWAIT);
                close_loop(&a);
                if (a.status == 0 || a.status == EXIT_BUS)
                        leave_queue(&a);
        }
        int status = a.status;
        bool restart = a.restart && (status == 0 || status == EXIT_BUS);
        if (restart)
                watchdog_wait_for(RESTORE_PASSES * restore_bytes(a.parts.settings->state));
        close_parts(&a);
        if (restart)
                start_again(&a);
        return status;
}

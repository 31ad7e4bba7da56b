/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/random.h"
#include "daemon/store/operation-store.h"
#include "daemon/store/setting-store.h"
#include "daemon/task/crew.h"
#include "daemon/task/runner.h"

enum {
        DEATHS_MAX = 20,
        ATTEMPTS_MAX = 20,
        AT_ONCE = 3,
        SETTLES_A_TURN = 256,
        WAL_MAX = 256 << 20,
        SNAPSHOT_MAX = 10 * USEC_SEC,
        LOST_PAUSE = USEC_SEC,
        SLICES_A_TURN = 10 * USEC_MSEC,      /* while somebody waits for the loop */
        SLICES_ALONE = 50 * USEC_MSEC,       /* of work, while nobody does: a commit costs as much as many items */
        SLICES_LONGEST = 200 * USEC_MSEC,    /* however little of that the host leaves to us */
};

struct Runner {
        RunnerConfig config;
        Crew *crew;
        bool stopped, alone, deadly;

        Work **running;                      /* tasks and calls that are somewhere on the way */
        size_t n_running, running_size, n_sweeps, n_tasks;
        WorkList claimed;                    /* start after the commit */
        WorkList slices;                     /* go on in the next turn */
        WorkList steps;                      /* wake after the commit */
        WorkList ended;                      /* free after the commit */
        WorkList lost;                       /* their turn was lost: begun anew at lost_until (monotonic) */
        Usec lost_until, claim_after;        /* monotonic */
};

/* ---- life ---- */

int runner_new(const RunnerConfig *config, Runner **ret) {
        Runner *r = memory_new(sizeof(*r));

        r->config = *config;
        int k = crew_new(config->db, config->state, config->vfs, config->workers, &r->crew);
        if (k < 0) {
                free(r);
                return k;
        }
        *ret = r;
        return 0;
}

static void work_free(Work *w) {
        if (w->kind->done)
                w->kind->done(w);
        arena_free(w->arena);
}

bool runner_free(Runner *r, Usec patience) {
        if (!r)
                return true;
        for (size_t i = 0; i < r->n_running; i++)
                atomic_store(&r->running[i]->cancel, true);
        if (!crew_free(r->crew, patience))
                return false;
        for (size_t i = 0; i < r->n_running; i++)
                work_free(r->running[i]);
        free(r->running);
        free(r);
        return true;
}

int runner_fd(const Runner *r) {
        return crew_fd(r->crew);
}

int runner_timer_fd(const Runner *r) {
        return crew_timer_fd(r->crew);
}

bool runner_is_idle(const Runner *r) {
        return r->n_running == 0;
}

/* Whether any task that killed the daemon often waits, due or not. */
static int deadly_look(Runner *r) {
        Usec due;
        int k = task_next_due(r->config.db, &(TaskChoice) { .alone = true }, &due);
        r->deadly = k >= 0 && due != USEC_NONE;
        return k;
}

int runner_recover(Runner *r, Usec now) {
        int64_t count = 0;
        int k = task_recover(r->config.db, DEATHS_MAX, now, &count);
        if (k >= 0)
                k = operation_abandon(r->config.db, now);
        if (count > 0)
                log_info("%lld tasks were running when the daemon ended: they are queued again", (long long) count);
        return k < 0 ? k : deadly_look(r);
}

int runner_leave(Runner *r) {
        return task_release(r->config.db);
}

/* ---- starting ---- */

static bool is_sweep(const Work *w) {
        return str_equal(w->task.lane, "sweeps");
}

static void running_add(Runner *r, Work *w) {
        if (r->n_running == r->running_size) {
                r->running_size = MAX((size_t) 64, r->running_size * 2);
                r->running = memory_grow(r->running, r->running_size * sizeof(*r->running));
        }
        r->running[r->n_running++] = w;
        if (w->task.n) {
                r->n_tasks++;
                r->n_sweeps += is_sweep(w);
        }
}

static void running_remove(Runner *r, Work *w) {
        for (size_t i = 0; i < r->n_running; i++)
                if (r->running[i] == w) {
                        r->running[i] = r->running[--r->n_running];
                        break;
                }
        if (w->task.n) {
                r->n_tasks--;
                r->n_sweeps -= is_sweep(w);
        }
        if (r->n_running == 0)
                r->alone = false;
}

static Work *work_new(Runner *r, const TaskKind *kind) {
        Arena *a = arena_new();
        Work *w = arena_alloc(a, sizeof(*w));

        w->arena = a;
        w->kind = kind;
        w->settings = r->config.settings;
        w->rules = r->config.rules;
        w->host = r->config.host;
        w->find_change = r->config.find_change;
        return w;
}

/* To a worker, or straight to its first slice. */
static void dispatch(Runner *r, Work *w) {
        if (w->kind->work) {
                crew_give(r->crew, w);
                return;
        }
        list_add(&r->slices, w);
        crew_call(r->crew);
}

Work *runner_call_new(Runner *r, const TaskKind *kind, const Caller *caller) {
        Work *w = work_new(r, kind);
        w->caller = *caller;         /* the call, which it belongs to, owns what that points to */
        return w;
}

void runner_call_start(Runner *r, Work *work) {
        running_add(r, work);
        dispatch(r, work);
}

static const TaskKind *kind_find(Runner *r, const char *name) {
        for (size_t i = 0; r->config.kinds[i]; i++)
                if (str_equal(r->config.kinds[i]->kind, name))
                        return r->config.kinds[i];
        return NULL;
}

/* How many tasks run at once. One worker is left for calls, where there are enough: whoever asks for a long list must not
 * wait for the exports of others. */
static size_t capacity(const Runner *r) {
        size_t workers = crew_size(r->crew);
        return workers > 2 ? workers - 1 : MAX(workers, (size_t) 1);
}

static bool is_paused(Runner *r) {
        return setting_is(r->config.db, "queue-paused", "1") > 0;
}

/* The last free worker is for people. */
static const char *lane_to_claim(const Runner *r) {
        return r->n_sweeps + 1 >= capacity(r) && capacity(r) > 1 ? "people" : NULL;
}

static bool has_room(const Runner *r) {
        return !r->stopped && !r->alone && r->n_tasks < capacity(r);
}

static bool clock_is_held(const Runner *r) {
        return r->config.clock_is_held && r->config.clock_is_held(r->config.userdata);
}

/* Whose rights a task has. */
static Caller task_caller(Work *w) {
        int64_t uid = w->task.owner;
        return (Caller) {
                .uid = uid, .user = uid == 0 ? "root" : arena_printf(w->arena, "%lld", (long long) uid), .granted = w->task.granted,
                .all = uid == 0 || uid == (int64_t) getuid(),
        };
}

/* 1: one more was claimed. */
static int claim_one(Runner *r, Usec now) {
        Work *w = work_new(r, NULL);
        bool held = clock_is_held(r);
        int k = 0;

        if (r->deadly && r->n_running == 0) {
                k = task_claim(r->config.db, w->arena, &(TaskChoice) { .alone = true, .no_erasure = held }, now, &w->task);
                if (k > 0)
                        r->alone = true;
                else if (k == 0)
                        k = deadly_look(r);
        }
        if (k == 0)
                k = task_claim(r->config.db, w->arena, &(TaskChoice) { lane_to_claim(r), .no_erasure = held }, now, &w->task);
        if (k <= 0) {
                arena_free(w->arena);
                return k;
        }
        w->kind = kind_find(r, w->task.kind);
        w->caller = task_caller(w);
        if (!w->kind) {
                log_error("a task of the kind %s is in the queue, which this tenantd does not know", w->task.kind);
                k = task_finish(r->config.db, &w->task, "dead", "this tenantd does not know tasks of this kind", now);
                arena_free(w->arena);
                return k < 0 ? k : 1;
        }
        running_add(r, w);
        list_add(&r->claimed, w);
        return 1;
}

int runner_claim(Runner *r, Usec now) {
        int k = 1;

        if (!has_room(r) || clock_monotonic() < r->claim_after || is_paused(r))
                return 0;
        while (k > 0 && has_room(r))
                k = claim_one(r, now);
        return k;
}

/* ---- settling ---- */

static Usec backoff(int64_t attempt) {
        Usec base = USEC_SEC << MIN(MAX(attempt - 1, (int64_t) 0), (int64_t) 11);
        return base / 2 + (Usec) random_below((uint64_t) base);
}

static int settle_fault(Runner *r, Work *w, int fault, Usec now) {
        int64_t most = w->kind->attempts_max ?: ATTEMPTS_MAX;
        char text[200];

        /* An interrupted read, or a helper that died, is begun again at once; what keeps dying is treated like any fault. */
        if ((fault == -ETIME || fault == -EPIPE) && w->task.attempt <= AT_ONCE)
                return task_again(r->config.db, &w->task, now, w->saved ?: w->task.saved, NULL);
        snprintf(text, sizeof(text), "%s", strerror(-fault));
        if (w->task.attempt >= most) {
                int k = task_finish(r->config.db, &w->task, "dead", text, now);
                return k < 0 ? k : operation_abandon(r->config.db, now);
        }
        return task_again(r->config.db, &w->task, now + backoff(w->task.attempt), w->saved ?: w->task.saved, text);
}

/* What the row says now: 1 as it was claimed, 0 no longer (its result is dropped). */
static int still_ours(Runner *r, const Work *w, Arena *a, Task *ret) {
        int k = task_load(r->config.db, a, w->task.n, ret);
        if (k <= 0)
                return k;
        return str_equal(ret->state, "running") && ret->attempt == w->task.attempt;
}

static int settle_task(Runner *r, Work *w, Context *c) {
        Task row = {};
        int k = still_ours(r, w, c->arena, &row);
        if (k <= 0)
                return k < 0 ? k : SETTLE_DONE;
        if (row.cancel && !row.operation)
                return task_finish(r->config.db, &w->task, "canceled", NULL, c->now);
        if (w->result < 0)
                return w->result;
        int s = w->kind->settle ? w->kind->settle(w, c) : SETTLE_DONE;
        if (s == SETTLE_DONE)
                k = task_finish(r->config.db, &w->task, w->problem.kind ? "failed" : "done", w->problem.kind ? w->problem.text : NULL, c->now);
        else if (s == SETTLE_LATER)
                k = task_later(r->config.db, &w->task, w->again_at, w->saved);
        else
                return s;
        return k < 0 ? k : s;
}

static void end_work(Runner *r, Work *w) {
        running_remove(r, w);
        list_add(&r->ended, w);
}

static void settle_one(Runner *r, Work *w, Usec now) {
        Db *db = r->config.db;
        _cleanup_(arena_freep) Arena *a = arena_new();
        Context c = {
                .db = db, .arena = a, .caller = &w->caller, .now = now, .settings = w->settings, .rules = w->rules, .host = w->host,
        };

        if (w->task.n == 0) {
                /* A call's: its settle answers it in any case, also in a turn that is lost. */
                if (w->kind->settle(w, &c) == SETTLE_SLICE)
                        list_add(&r->slices, w);
                else
                        end_work(r, w);
                return;
        }
        int s = savepoint_begin(db);
        if (s >= 0) {
                s = settle_task(r, w, &c);
                if (s >= 0) {
                        int k = savepoint_release(db);
                        s = k < 0 ? k : s;
                } else {
                        savepoint_rollback(db);
                        if (!turn_is_broken(db) && settle_fault(r, w, s, now) >= 0)
                                s = SETTLE_DONE;
                }
        }
        w->settled = true;
        if (s == SETTLE_DONE || s == SETTLE_LATER)
                end_work(r, w);
        else
                list_add(&r->slices, w);
}

static void lost_begin_again(Runner *r);

static bool goes_on(Runner *r, Usec begun, Usec worked) {
        Usec spent = clock_monotonic() - begun;
        if (clock_worked() - worked > SLICES_ALONE || spent > SLICES_LONGEST || turn_is_broken(r->config.db))
                return false;
        return spent < SLICES_A_TURN || (r->config.somebody_waits && !r->config.somebody_waits(r->config.userdata));
}

/* One slice of each, and again while there is time. What is not done goes on in the next turn. */
static void run_slices(Runner *r, WorkList *slices, Usec now) {
        if (!slices->first)
                return;
        Usec begun = clock_monotonic(), worked = clock_worked();
        WorkList later = {};
        Work *w;

        while ((w = list_take(slices))) {
                if (turn_is_broken(r->config.db) && w->task.n) {
                        list_add(&later, w);
                        continue;
                }
                settle_one(r, w, now);
                if (!slices->first && goes_on(r, begun, worked)) {
                        *slices = r->slices;
                        r->slices.first = NULL;
                } else if (slices->first && clock_monotonic() - begun > SLICES_ALONE) {
                        break;
                }
        }
        /* The longest waiting first. */
        while ((w = list_take(slices)))
                list_add(&later, w);
        while ((w = list_take(&r->slices)))
                list_add(&later, w);
        r->slices = later;
}

/* What a worker asked for. It may go on with the work's arena meanwhile: what the loop needs, it has from its own. */
static int run_step(Runner *r, Work *w, Usec now) {
        Db *db = r->config.db;
        _cleanup_(arena_freep) Arena *a = arena_new();
        Context c = {
                .db = db, .arena = a, .caller = &w->caller, .now = now, .settings = w->settings, .rules = w->rules, .host = w->host,
        };

        if (turn_is_broken(db))
                return -EIO;
        int k = savepoint_begin(db);
        if (k < 0)
                return k;
        k = task_is_running(db, &w->task);
        if (k == 0)
                k = -ECANCELED;
        if (k > 0)
                k = w->step(w, &c);
        if (k < 0) {
                savepoint_rollback(db);
                return k;
        }
        int released = savepoint_release(db);
        return released < 0 ? released : k;
}

void runner_turn(Runner *r, Usec now) {
        WorkList results = crew_results(r->crew), slices = r->slices;
        Work *w;
        size_t n = 0;

        r->slices.first = NULL;
        lost_begin_again(r);
        while ((w = list_take(&results))) {
                if (w->event == EVENT_STEP) {
                        w->result = run_step(r, w, now);
                        list_add(&r->steps, w);
                } else if (n++ < SETTLES_A_TURN && !turn_is_broken(r->config.db)) {
                        settle_one(r, w, now);
                } else {
                        list_add(&r->slices, w);
                }
        }
        run_slices(r, &slices, now);
        if (r->slices.first)
                crew_call(r->crew);
}

/* What a slice did in a lost turn is not on disk, but its memory has moved on: it begins anew, as after a crash. */
static void slices_committed(Runner *r, bool done) {
        WorkList slices = r->slices;
        Work *w;

        r->slices.first = NULL;
        while ((w = list_take(&slices))) {
                bool again = !done && w->settled && w->task.n;
                w->settled = false;
                list_add(again ? &r->lost : &r->slices, w);
        }
        if (!done && r->lost.first)
                r->lost_until = clock_monotonic() + LOST_PAUSE;
}

/* In place of the lost one, and in memory of its own: a full disk may last for days. */
static int begin_again(Runner *r, Work *lost) {
        Work *w = work_new(r, lost->kind);
        int k = still_ours(r, lost, w->arena, &w->task);

        if (k < 0) {
                arena_free(w->arena);
                return k;
        }
        if (k > 0) {
                w->caller = task_caller(w);
                running_add(r, w);
                dispatch(r, w);
        } else {
                arena_free(w->arena);
        }
        running_remove(r, lost);
        work_free(lost);
        return 0;
}

static void lost_begin_again(Runner *r) {
        WorkList lost = r->lost;
        Work *w;

        if (!lost.first || clock_monotonic() < r->lost_until)
                return;
        r->lost.first = NULL;
        while ((w = list_take(&lost)))
                if (begin_again(r, w) < 0) {
                        list_add(&r->lost, w);
                        r->lost_until = clock_monotonic() + LOST_PAUSE;
                }
}

void runner_committed(Runner *r, bool done) {
        Work *w;

        while ((w = list_take(&r->claimed)))
                if (done) {
                        dispatch(r, w);
                } else {
                        running_remove(r, w);
                        work_free(w);
                        r->claim_after = clock_monotonic() + LOST_PAUSE;
                }
        crew_wake(r->crew, &r->steps, done, turn_commit_takes(r->config.db));
        while ((w = list_take(&r->ended)))
                if (done || w->task.n == 0) {
                        work_free(w);
                } else {
                        running_add(r, w);
                        list_add(&r->lost, w);
                }
        slices_committed(r, done);
}

static Usec earlier(Usec a, Usec b) {
        return a == USEC_NONE ? b : b == USEC_NONE ? a : MIN(a, b);
}

/* On the wall clock, and not before now. */
static Usec wall(Usec monotonic) {
        return clock_now() + MAX(monotonic - clock_monotonic(), (Usec) 0);
}

/* Only of what runner_claim() would take: the loop would wake for the rest without end. */
Usec runner_next_due(Runner *r) {
        Usec due = USEC_NONE, deadly = USEC_NONE;
        bool held = clock_is_held(r);

        if (r->stopped)
                return USEC_NONE;
        if (has_room(r) && !is_paused(r)) {
                (void) task_next_due(r->config.db, &(TaskChoice) { lane_to_claim(r), .no_erasure = held }, &due);
                if (r->deadly && r->n_running == 0)
                        (void) task_next_due(r->config.db, &(TaskChoice) { .alone = true, .no_erasure = held }, &deadly);
                due = earlier(due, deadly);
                if (due != USEC_NONE && clock_monotonic() < r->claim_after)
                        due = MAX(due, wall(r->claim_after));
        }
        return r->lost.first ? earlier(due, wall(r->lost_until)) : due;
}

/* ---- stopping ---- */

void runner_use_settings(Runner *r, const Settings *settings) {
        r->config.settings = settings;
}

void runner_cancel(Runner *r, int64_t task) {
        for (size_t i = 0; i < r->n_running; i++)
                if (r->running[i]->task.n == task)
                        atomic_store(&r->running[i]->cancel, true);
}

void runner_stop_claiming(Runner *r) {
        r->stopped = true;
        for (size_t i = 0; i < r->n_running; i++)
                atomic_store(&r->running[i]->stop, true);
}

bool runner_has_finishing(const Runner *r) {
        for (size_t i = 0; i < r->n_running; i++)
                if (r->running[i]->kind->finishes)
                        return true;
        return false;
}

void runner_watch(Runner *r) {
        Usec now = clock_monotonic(), oldest_since = INT64_MAX;
        bool crowded = db_figures(r->config.db).wal_bytes > WAL_MAX;
        Work *oldest = NULL;

        for (size_t i = 0; i < r->n_running; i++) {
                Work *w = r->running[i];
                Usec since = atomic_load(&w->snapshot_since);
                /* Nobody repeats a call's: it may take its time, while there is room. */
                if (since > 0 && since < oldest_since && (w->task.n || crowded)) {
                        oldest_since = since;
                        oldest = w;
                }
        }
        if (!oldest)
                return;
        if (now - oldest_since > SNAPSHOT_MAX || crowded) {
                log_warning("a reader held its snapshot for %lld s: it is interrupted", (long long) ((now - oldest_since) / USEC_SEC));
                atomic_store(&oldest->cancel, true);
        }
}

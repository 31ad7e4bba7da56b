/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "common/crash.h"
#include "common/files.h"
#include "common/log.h"
#include "daemon/store/key.h"
#include "daemon/task/caller.h"
#include "daemon/task/crew.h"

enum { GATHER_LEAST = 100, GATHER_MOST = 2 * USEC_MSEC };

typedef struct Worker {
        pthread_t thread;
        Crew *crew;
        pthread_cond_t stepped;              /* its work's step is on disk */
} Worker;

struct Crew {
        const Db *writer;                    /* the loop's: its key alone is read */
        const char *state, *vfs;
        Worker workers[WORKERS_MAX];
        size_t n_workers;
        int event_fd, timer_fd;

        /* Under the mutex: */
        pthread_mutex_t mutex;
        pthread_cond_t wake, left;
        WorkList waiting, results;
        bool leave;
        size_t alive;
        size_t n_gathering, n_gathered;      /* works whose steps share a turn; of them with a step among the results */
        Usec gather;                         /* how long these wait for each other */
        bool timer;                          /* it is set for that */
};

void crew_call(Crew *c) {
        uint64_t one = 1;
        (void) !write(c->event_fd, &one, sizeof(one));
}

static void set_timer(Crew *c, Usec after) {
        const struct itimerspec spec = { .it_value = { after / USEC_SEC, after % USEC_SEC * 1000 } };
        (void) timerfd_settime(c->timer_fd, 0, &spec, NULL);
        c->timer = after > 0;
}

/* ---- the workers' side ---- */

/* Without rules: those are the loop's, and a worker judges nothing. */
Context work_context(Work *work) {
        return (Context) {
                .db = work->reader, .arena = work->arena, .caller = &work->caller, .now = clock_now(), .settings = work->settings, .host = work->host,
        };
}

int work_snapshot_begin(Work *work) {
        int r = db_snapshot_begin(work->reader);
        if (r >= 0)
                atomic_store(&work->snapshot_since, clock_monotonic());
        return r;
}

void work_snapshot_end(Work *work) {
        db_snapshot_end(work->reader);
        atomic_store(&work->snapshot_since, 0);
}

static __thread Worker *this_worker;

/* Steps that are to share a turn: the last one calls the loop, or a timer does that was set for the first one, after as long as
 * the commit takes that is saved by it. Whatever else wakes the loop takes them, too. */
static void gather(Crew *c) {
        c->n_gathered++;
        if (c->n_gathered >= c->n_gathering)
                crew_call(c);
        else if (c->n_gathered == 1)
                set_timer(c, c->gather);
}

int work_post(Work *work, WorkStep step) {
        Crew *c = this_worker ? this_worker->crew : NULL;

        /* One that finishes what it has begun tells what came of it in any case. */
        if (!c || (atomic_load(&work->cancel) && !work->kind->finishes))
                return -ECANCELED;
        pthread_mutex_lock(&c->mutex);
        if (c->leave) {
                pthread_mutex_unlock(&c->mutex);
                return -ECANCELED;
        }
        work->event = EVENT_STEP;
        work->step = step;
        work->worker = this_worker;
        list_add(&c->results, work);
        if (work->kind->gathers)
                gather(c);
        else
                crew_call(c);
        pthread_mutex_unlock(&c->mutex);
        return 0;
}

int work_wait(Work *work) {
        Crew *c = this_worker->crew;

        pthread_mutex_lock(&c->mutex);
        while (work->event == EVENT_STEP && !c->leave)
                pthread_cond_wait(&this_worker->stepped, &c->mutex);
        int result = work->event == EVENT_STEP ? -ECANCELED : work->result;
        pthread_mutex_unlock(&c->mutex);
        return result;
}

int work_turn(Work *work, WorkStep step) {
        int r = work_post(work, step);
        return r < 0 ? r : work_wait(work);
}

static int save_step(Work *work, Context *c) {
        int r = task_save(c->db, work->task.n, work->saved);
        return MIN(r, 0);
}

int work_save(Work *work, const char *saved) {
        work->saved = saved;
        return work_turn(work, save_step);
}

static void do_work(Work *w, Db *reader) {
        w->reader = reader;
        crash_point("after_claim");
        db_limit_reads(reader, 0, (const bool volatile *) &w->cancel);
        w->result = w->task.n > 0 && !w->caller.all ? caller_look_up(&w->caller, w->settings->admin_gid, w->arena) : 0;
        if (w->result < 0)
                log_warning("whose task this is could not be looked up: %s", strerror(-w->result));
        else
                w->result = w->kind->work(w);
        if (atomic_load(&w->snapshot_since))
                work_snapshot_end(w);
        db_limit_reads(reader, 0, NULL);
        w->reader = NULL;
        w->event = EVENT_DONE;
}

/* Connections are made when first needed: most workers of a small host never work. The key may be another one each time. */
static int ready_reader(const Crew *c, Db **reader) {
        int r = *reader ? 0 : db_open_reader(c->state, c->vfs, reader);
        if (r >= 0)
                key_lend(*reader, c->writer);
        return r;
}

static void *worker(void *userdata) {
        _cleanup_(db_closep) Db *reader = NULL;
        Crew *c;

        this_worker = userdata;
        c = this_worker->crew;
        pthread_mutex_lock(&c->mutex);
        for (;;) {
                while (!c->waiting.first && !c->leave)
                        pthread_cond_wait(&c->wake, &c->mutex);
                if (c->leave)
                        break;
                Work *w = list_take(&c->waiting);
                c->n_gathering += w->kind->gathers;
                pthread_mutex_unlock(&c->mutex);
                if (ready_reader(c, &reader) < 0)
                        w->result = -EIO, w->event = EVENT_DONE;
                else
                        do_work(w, reader);
                pthread_mutex_lock(&c->mutex);
                c->n_gathering -= w->kind->gathers;
                list_add(&c->results, w);
                crew_call(c);
        }
        c->alive--;
        pthread_cond_signal(&c->left);
        pthread_mutex_unlock(&c->mutex);
        return NULL;
}

/* ---- the loop's side ---- */

static void start_workers(Crew *c, size_t workers, const pthread_condattr_t *monotonic) {
        sigset_t all, before;

        /* Only the loop thread takes signals. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        for (size_t i = 0; i < MIN(workers, (size_t) WORKERS_MAX); i++) {
                c->workers[i].crew = c;
                pthread_cond_init(&c->workers[i].stepped, monotonic);
                int k = pthread_create(&c->workers[i].thread, NULL, worker, &c->workers[i]);
                if (k != 0) {
                        log_error("a worker thread cannot be started: %s", strerror(k));
                        break;
                }
                c->n_workers++;
                c->alive++;
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int crew_new(const Db *writer, const char *state, const char *vfs, size_t workers, Crew **ret) {
        Crew *c = memory_new(sizeof(*c));
        pthread_condattr_t monotonic;

        *c = (Crew) { .writer = writer, .state = state, .vfs = vfs, .gather = GATHER_LEAST, .event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                      .timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK) };
        if (c->event_fd < 0 || c->timer_fd < 0) {
                int r = -errno;
                closep(&c->event_fd);
                closep(&c->timer_fd);
                free(c);
                return r;
        }
        pthread_mutex_init(&c->mutex, NULL);
        pthread_cond_init(&c->wake, NULL);
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&c->left, &monotonic);
        start_workers(c, workers, &monotonic);
        pthread_condattr_destroy(&monotonic);
        if (workers > 0 && c->n_workers == 0) {
                (void) crew_free(c, 0);
                return -EAGAIN;
        }
        *ret = c;
        return 0;
}

bool crew_free(Crew *c, Usec patience) {
        Usec end = clock_monotonic() + patience;
        const struct timespec until = { end / USEC_SEC, end % USEC_SEC * 1000 };
        int k = 0;

        pthread_mutex_lock(&c->mutex);
        c->leave = true;
        pthread_cond_broadcast(&c->wake);
        for (size_t i = 0; i < c->n_workers; i++)
                pthread_cond_signal(&c->workers[i].stepped);
        while (c->alive > 0 && k == 0)
                k = pthread_cond_timedwait(&c->left, &c->mutex, &until);
        size_t alive = c->alive;
        pthread_mutex_unlock(&c->mutex);
        if (alive > 0)
                return false;
        for (size_t i = 0; i < c->n_workers; i++)
                pthread_join(c->workers[i].thread, NULL);
        close(c->event_fd);
        close(c->timer_fd);
        free(c);
        return true;
}

size_t crew_size(const Crew *c) {
        return c->n_workers;
}

int crew_fd(const Crew *c) {
        return c->event_fd;
}

int crew_timer_fd(const Crew *c) {
        return c->timer_fd;
}

static void do_inline(Crew *c, Work *w) {
        Db *reader = NULL;

        if (ready_reader(c, &reader) < 0)
                w->result = -EIO;
        else
                do_work(w, reader);
        db_close(reader);
        list_add(&c->results, w);
        crew_call(c);
}

void crew_give(Crew *c, Work *w) {
        if (c->n_workers == 0) {
                do_inline(c, w);
                return;
        }
        pthread_mutex_lock(&c->mutex);
        if (w->task.n == 0 && c->waiting.first) {
                w->next = c->waiting.first;
                c->waiting.first = w;
        } else {
                list_add(&c->waiting, w);
        }
        pthread_cond_signal(&c->wake);
        pthread_mutex_unlock(&c->mutex);
}

WorkList crew_results(Crew *c) {
        uint64_t count;

        (void) !read(c->event_fd, &count, sizeof(count));
        pthread_mutex_lock(&c->mutex);
        WorkList taken = c->results;
        c->results.first = NULL;
        c->n_gathered = 0;
        if (c->timer)
                set_timer(c, 0);
        pthread_mutex_unlock(&c->mutex);
        return taken;
}

/* Each by its own name, and when the lock is free: nobody wakes in vain, or only to wait again. */
void crew_wake(Crew *c, WorkList *steps, bool done, Usec gather) {
        Worker *wake[WORKERS_MAX];
        size_t n = 0;
        Work *w;

        if (!steps->first)
                return;
        pthread_mutex_lock(&c->mutex);
        c->gather = MIN(MAX(gather, (Usec) GATHER_LEAST), (Usec) GATHER_MOST);
        while ((w = list_take(steps))) {
                if (!done)
                        w->result = -EIO;
                w->event = EVENT_DONE;
                wake[n++] = w->worker;
        }
        pthread_mutex_unlock(&c->mutex);
        for (size_t i = 0; i < n; i++)
                pthread_cond_signal(&wake[i]->stepped);
}

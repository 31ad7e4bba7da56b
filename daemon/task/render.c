/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "common/buffer.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/text.h"
#include "daemon/task/render.h"

enum {
        DOCUMENT_FD = 3,             /* where the program expects it */
        ANSWER_MAX = 256 * 1024,
        LOOK_MSEC = 50,              /* how often the cancel flag is looked at */
        FD_SAFE = 10,                /* descriptors are lifted above those that the program is given */
        EXIT_REFUSED = 1,
};

extern char **environ;

typedef struct Helper {
        pid_t pid;                   /* 0: not running */
        int pidfd;
        int answer_fd;
        int status;                  /* of waitpid() */
        Buffer answer;
} Helper;

/* Only what the program needs: none of the daemon's secrets' paths, no loader's tricks. */
static char **environment_new(void) {
        static const char *const kept[] = { "TENANTD_CRASH=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS=" };
        size_t n = 0;

        char **list = memory_new((ELEMENTSOF(kept) + 3) * sizeof(char *));
        list[n++] = (char *) "LC_ALL=C";
        list[n++] = (char *) "TZ=UTC0";
        for (char **e = environ; e && *e; e++)
                for (size_t i = 0; i < ELEMENTSOF(kept); i++)
                        if (str_starts(*e, kept[i]) && n < ELEMENTSOF(kept) + 2)
                                list[n++] = *e;
        return list;
}

/* The daemon blocks signals in its workers and ignores SIGPIPE; the program begins as any other. */
static int attributes_set(posix_spawnattr_t *a) {
        sigset_t all, none;

        sigfillset(&all);
        sigemptyset(&none);
        int r = posix_spawnattr_setflags(a, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(a, &all);
        if (r == 0)
                r = posix_spawnattr_setsigmask(a, &none);
        return -r;
}

static int descriptors_set(posix_spawn_file_actions_t *a, const int fds[3]) {
        static const int places[3] = { STDIN_FILENO, STDOUT_FILENO, DOCUMENT_FD };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(places) && r == 0; i++)
                r = posix_spawn_file_actions_adddup2(a, fds[i], places[i]);
        if (r == 0)
                r = posix_spawn_file_actions_addclosefrom_np(a, DOCUMENT_FD + 1);
        return -r;
}

static const char *const mode_names[] = { [RENDER_XLSX] = "xlsx", [RENDER_PDF] = "pdf", [RENDER_IMAGE] = "image" };

static int spawn(const RenderRequest *q, const int fds[3], pid_t *ret) {
        char *const argv[] = {
                (char *) "tenantd-render",
                (char *) mode_names[q->mode],
                (char *) (q->mode != RENDER_IMAGE ? q->folder : NULL),
                NULL,
        };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;

        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        int r = descriptors_set(&actions, fds);
        if (r == 0)
                r = attributes_set(&attributes);
        if (r == 0) {
                _cleanup_(freep) char **environment = environment_new();
                r = -posix_spawn(ret, q->program, &actions, &attributes, argv, environment);
        }
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        return r;
}

static void helper_reap(Helper *h) {
        while (h->pid > 0 && waitpid(h->pid, &h->status, 0) < 0 && errno == EINTR)
                ;
        h->pid = 0;
}

static void helper_done(Helper *h) {
        if (h->pid > 0) {
                kill(h->pid, SIGKILL);
                helper_reap(h);
        }
        closep(&h->pidfd);
        closep(&h->answer_fd);
        buffer_done(&h->answer);
}

static int helper_start(Helper *h, const RenderRequest *q) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        h->answer_fd = ends[0];
        _cleanup_(closep) int answer = ends[1];
        if (fcntl(h->answer_fd, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        _cleanup_(closep) int in = fcntl(q->in_fd, F_DUPFD_CLOEXEC, FD_SAFE);
        _cleanup_(closep) int to = fcntl(answer, F_DUPFD_CLOEXEC, FD_SAFE);
        _cleanup_(closep) int out = fcntl(q->out_fd, F_DUPFD_CLOEXEC, FD_SAFE);
        if (in < 0 || to < 0 || out < 0)
                return -errno;
        int r = spawn(q, (int[]){ in, to, out }, &h->pid);
        if (r < 0) {
                h->pid = 0;
                return r;
        }
        h->pidfd = pidfd_open(h->pid, 0);
        return h->pidfd < 0 ? -errno : 0;
}

/* Takes what the pipe holds now. */
static int answer_take(Helper *h) {
        for (;;) {
                char *to = buffer_reserve(&h->answer, 4096);
                ssize_t k = read(h->answer_fd, to, 4096);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0 && errno == EAGAIN)
                        return 0;
                if (k < 0)
                        return -errno;
                if (k == 0) {
                        closep(&h->answer_fd);
                        h->answer_fd = -1;
                        return 0;
                }
                h->answer.size += (size_t) k;
                h->answer.data[h->answer.size] = 0;
                if (h->answer.size > ANSWER_MAX)
                        return -EPROTO;
        }
}

/* Until the program has ended, or must. */
static int helper_wait(Helper *h, const RenderRequest *q) {
        Usec deadline = q->limit > 0 ? clock_monotonic() + q->limit : INT64_MAX;

        for (;;) {
                struct pollfd p[2] = { { .fd = h->pidfd, .events = POLLIN }, { .fd = h->answer_fd, .events = POLLIN } };
                if (q->cancel && atomic_load(q->cancel))
                        return -ECANCELED;
                if (clock_monotonic() >= deadline)
                        return -ETIMEDOUT;
                if (poll(p, ELEMENTSOF(p), LOOK_MSEC) < 0 && errno != EINTR)
                        return -errno;
                if (h->answer_fd >= 0) {
                        int r = answer_take(h);
                        if (r < 0)
                                return r;
                }
                if (p[0].revents) {
                        helper_reap(h);
                        return h->answer_fd >= 0 ? answer_take(h) : 0;
                }
        }
}

static int refuse(const RenderRequest *q, json_t *error, Problem *problem) {
        static const char *const bad_pictures[] = { "too-big", "wrong-type", "bad-image", NULL };
        static const char *const bad_tables[] = { "too-many-rows", "too-many-columns", "too-many-sections", "row-too-long", NULL };
        const char *code = json_string_value(json_object_get(error, "code"));
        const char *text = json_string_value(json_object_get(error, "text"));

        if (!code || !text)
                return -EPROTO;
        if (q->mode == RENDER_IMAGE && names_find(bad_pictures, code) >= 0)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, code, "symbol", "%s", text);
        if (q->mode != RENDER_IMAGE && names_find(bad_tables, code) >= 0)
                return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, code, NULL, "%s", text);
        log_error("tenantd-render: %s: %s", code, text);
        /* Our own mistake, which every further attempt would only repeat. */
        if (str_equal(code, "bad-input"))
                return problem_set(problem, PROBLEM_FAILED, code, NULL, "the rows cannot be read: %s", text);
        if (names_find(bad_pictures, code) >= 0)
                return problem_set(problem, PROBLEM_FAILED, "bad-input", NULL, "a logo or symbol cannot be read: %s", text);
        if (str_equal(code, "no-fonts"))
                return problem_set(problem, PROBLEM_FAILED, code, NULL, "no pdf can be written here: %s", text);
        return str_equal(code, "no-space") ? -ENOSPC : -EIO;
}

static int result_read(const RenderRequest *q, json_t *answer, RenderResult *ret) {
        RenderResult r = {
                .rows = json_integer_value(json_object_get(answer, "rows")),
                .pages = json_integer_value(json_object_get(answer, "pages")),
                .width = (int) json_integer_value(json_object_get(answer, "width")),
                .height = (int) json_integer_value(json_object_get(answer, "height")),
        };
        const char *type = json_string_value(json_object_get(answer, "type"));
        json_t *warnings = json_object_get(answer, "warnings");

        if (q->mode != RENDER_IMAGE ? !json_is_integer(json_object_get(answer, "rows")) || !json_is_array(warnings)
                                    : !type || r.width <= 0 || r.height <= 0)
                return -EPROTO;
        r.warnings = warnings ? json_dumps(warnings, JSON_COMPACT) : NULL;
        r.type = memory_strdup(type);
        *ret = r;
        return 0;
}

static int answer_read(const Helper *h, const RenderRequest *q, RenderResult *ret, Problem *problem) {
        json_error_t error;
        int r;

        if (WIFSIGNALED(h->status)) {
                log_warning("tenantd-render was ended by signal %d (%s)", WTERMSIG(h->status),
                            sigdescr_np(WTERMSIG(h->status)));
                return WTERMSIG(h->status) == SIGXCPU ? -ETIMEDOUT : -EPIPE;
        }
        int code = WEXITSTATUS(h->status);
        if (code != 0 && code != EXIT_REFUSED) {
                log_warning("tenantd-render ended with exit status %d", code);
                return -EPIPE;
        }
        json_t *answer = json_loadb(buffer_string(&h->answer), h->answer.size, JSON_REJECT_DUPLICATES, &error);
        json_t *refused = json_object_get(answer, "error");
        if (!json_is_object(answer) || (code == EXIT_REFUSED) != (refused != NULL))
                r = -EPROTO;
        else
                r = refused ? refuse(q, refused, problem) : result_read(q, answer, ret);
        if (r == -EPROTO)
                log_error("tenantd-render gave no answer that makes sense");
        json_decref(answer);
        return r;
}

int render_run(const RenderRequest *request, RenderResult *ret, Problem *problem) {
        Helper h = { .pidfd = -1, .answer_fd = -1 };

        int r = helper_start(&h, request);
        if (r == 0)
                r = helper_wait(&h, request);
        if (r == 0)
                r = answer_read(&h, request, ret, problem);
        helper_done(&h);
        return r;
}

void render_result_done(RenderResult *r) {
        free(r->warnings);
        free(r->type);
        *r = (RenderResult) {};
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "common/buffer.h"
#include "common/log.h"
#include "daemon/task/render.h"

enum { ANSWER_MAX = 1 << 20, POLL_EVERY = 50 };      /* bytes of its answer; ms between looks at the cancel flag */

void render_result_done(RenderResult *r) {
        free(r->warnings);
        free(r->type);
        *r = (RenderResult) {};
}

/* Everything is handed over by descriptor: 0 the input, 1 the answer, 3 the document; the rest is closed on exec. */
static int start(const RenderRequest *q, int answer_fd, pid_t *ret_pid) {
        const char *const xlsx[] = { "tenantd-render", "xlsx", q->folder ?: "/var/tmp", NULL };
        const char *const image[] = { "tenantd-render", "image", NULL };
        const char *const environment[] = { "LC_ALL=C.UTF-8", "TZ=UTC", NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none, all;

        /* dup2 onto itself keeps close-on-exec, so the document's descriptor must not be 3 already. */
        _cleanup_(closep) int document = fcntl(q->out_fd, F_DUPFD_CLOEXEC, 10);
        if (document < 0)
                return -errno;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, q->in_fd, 0);
        posix_spawn_file_actions_adddup2(&actions, answer_fd, 1);
        posix_spawn_file_actions_adddup2(&actions, document, 3);
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        int k = posix_spawn(ret_pid, q->program, &actions, &attributes, (char *const *) (q->mode == RENDER_XLSX ? xlsx : image),
                            (char *const *) environment);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        return -k;
}

/* Reads its answer to the end. The helper holds the other end, so the end comes when it ends. */
static int read_answer(const RenderRequest *q, int fd, Buffer *answer) {
        Usec until = clock_monotonic() + q->limit;

        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                if (q->cancel && atomic_load(q->cancel))
                        return -ECANCELED;
                if (clock_monotonic() > until)
                        return -ETIMEDOUT;
                int ready = poll(&p, 1, POLL_EVERY);
                if (ready < 0 && errno != EINTR)
                        return -errno;
                if (ready <= 0)
                        continue;
                ssize_t k = read(fd, buffer_reserve(answer, 4096), 4096);
                if (k == 0)
                        return 0;
                if (k < 0 && errno != EINTR)
                        return -errno;
                if (k > 0)
                        answer->size += (size_t) k;
                if (answer->size > ANSWER_MAX)
                        return -EFBIG;
        }
}

static int take_answer(const Buffer *text, RenderResult *ret, Problem *problem) {
        json_t *root = json_loadb(text->data ?: "", text->size, JSON_REJECT_DUPLICATES, NULL), *error = json_object_get(root, "error");
        int r = 0;

        if (json_is_object(error)) {
                const char *code = json_string_value(json_object_get(error, "code")), *what = json_string_value(json_object_get(error, "text"));
                r = str_equal(code, "fault") ? -EIO : problem_set(problem, PROBLEM_INVALID_ARGUMENT, code ?: "bad-input", NULL, "%s", what ?: "the input was refused");
                if (r < 0)
                        log_error("tenantd-render: %s", what ?: "fault");
        } else if (json_is_object(root)) {
                json_t *warnings = json_object_get(root, "warnings");
                ret->rows = json_integer_value(json_object_get(root, "rows"));
                ret->width = (int) json_integer_value(json_object_get(root, "width"));
                ret->height = (int) json_integer_value(json_object_get(root, "height"));
                ret->warnings = warnings ? json_dumps(warnings, JSON_COMPACT) : NULL;
                ret->type = memory_strdup(json_string_value(json_object_get(root, "type")));
        } else {
                r = -EPIPE;
        }
        json_decref(root);
        return r;
}

int render_run(const RenderRequest *request, RenderResult *ret, Problem *problem) {
        int ends[2], status = 0, r;
        Buffer answer = {};
        pid_t pid;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        r = start(request, ends[1], &pid);
        close(ends[1]);
        if (r < 0) {
                close(ends[0]);
                log_error("%s cannot be started: %s", request->program, strerror(-r));
                return r;
        }
        r = read_answer(request, ends[0], &answer);
        close(ends[0]);
        if (r < 0)
                kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (r == 0)
                r = WIFEXITED(status) && WEXITSTATUS(status) <= 1 ? take_answer(&answer, ret, problem) : -EPIPE;
        if (r == -EPIPE)
                log_warning("tenantd-render died (status %d)", status);
        buffer_done(&answer);
        return r;
}

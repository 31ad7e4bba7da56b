/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the daemon starts, waits for and ends tenantd-render: with the real one, and with scripts in its place. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "common/buffer.h"
#include "common/files.h"
#include "daemon/task/render.h"

static const char table[] = "{\"sheet\":\"s\",\"columns\":[{\"name\":\"a\",\"type\":\"text\"}]}\n[\"one\"]\n[\"two\"]\n";

typedef struct Setup {
        char folder[32], program[64];
        int in_fd, out_fd;
        RenderRequest request;
        RenderResult result;
        Problem problem;
} Setup;

static void setup(Setup *s, const char *input, const char *script) {
        *s = (Setup) { .folder = "/tmp/render-XXXXXX" };
        assert_non_null(mkdtemp(s->folder));
        assert_int_equal(memfd_sealed("in", input, strlen(input), &s->in_fd), 0);
        s->out_fd = memfd_create("out", MFD_CLOEXEC);
        assert_true(s->out_fd >= 0);
        snprintf(s->program, sizeof(s->program), "%s/helper", s->folder);
        if (script) {
                Buffer text = {};
                buffer_printf(&text, "#!/bin/sh\n%s\n", script);
                assert_int_equal(file_write(s->program, text.data, text.size, 0700), 0);
                buffer_done(&text);
        }
        s->request = (RenderRequest) {
                .program = script ? s->program : RENDER_PROGRAM, .mode = RENDER_XLSX, .folder = s->folder,
                .in_fd = s->in_fd, .out_fd = s->out_fd, .limit = 5 * USEC_MINUTE,
        };
}

static void teardown(Setup *s) {
        render_result_done(&s->result);
        close(s->in_fd);
        close(s->out_fd);
        unlink(s->program);
        assert_int_equal(rmdir(s->folder), 0);       /* the helper left nothing in its folder */
}

static int run(Setup *s) {
        return render_run(&s->request, &s->result, &s->problem);
}

static int run_script(const char *script) {
        Setup s;
        setup(&s, table, script);
        int r = run(&s);
        teardown(&s);
        return r;
}

static void test_a_table_becomes_a_workbook(void **state) {
        struct stat st;
        char magic[4];
        Setup s;

        setup(&s, table, NULL);
        /* A first attempt left more than the document will have. */
        assert_int_equal(ftruncate(s.out_fd, 1 << 20), 0);
        assert_int_equal(run(&s), 0);
        assert_int_equal(s.result.rows, 2);
        assert_string_equal(s.result.warnings, "[]");
        assert_int_equal(pread(s.out_fd, magic, 4, 0), 4);
        assert_memory_equal(magic, "PK\3\4", 4);
        assert_int_equal(fstat(s.out_fd, &st), 0);
        assert_true(st.st_size < 1 << 20);
        teardown(&s);
}

static void test_a_table_becomes_a_pdf(void **state) {
        char magic[5];
        Setup s;

        setup(&s, table, NULL);
        s.request.mode = RENDER_PDF;
        assert_int_equal(run(&s), 0);
        assert_int_equal(s.result.rows, 2);
        assert_int_equal(s.result.pages, 1);
        assert_string_equal(s.result.warnings, "[]");
        assert_int_equal(pread(s.out_fd, magic, 5, 0), 5);
        assert_memory_equal(magic, "%PDF-", 5);
        teardown(&s);
}

static void test_a_logo_that_is_none_is_our_own_mistake(void **state) {
        Setup s;
        setup(&s, "{\"sheet\":\"s\",\"columns\":[{\"name\":\"a\",\"type\":\"text\"}],"
                  "\"document\":{\"logo\":\"R0lG\"}}\n", NULL);
        s.request.mode = RENDER_PDF;
        assert_int_equal(run(&s), 1);
        assert_int_equal(s.problem.kind, PROBLEM_FAILED);
        assert_string_equal(s.problem.code, "bad-input");
        teardown(&s);
}

static void test_rows_that_are_none_are_not_tried_again(void **state) {
        Setup s;
        setup(&s, "{\"sheet\":\"s\",\"columns\":[{\"name\":\"a\",\"type\":\"text\"}]}\n[1,2]\n", NULL);
        assert_int_equal(run(&s), 1);
        assert_int_equal(s.problem.kind, PROBLEM_FAILED);
        assert_string_equal(s.problem.code, "bad-input");
        teardown(&s);
}

static void test_a_bad_picture_is_a_refusal(void **state) {
        Setup s;
        setup(&s, "GIF89a", NULL);
        s.request.mode = RENDER_IMAGE;
        assert_int_equal(run(&s), 1);
        assert_int_equal(s.problem.kind, PROBLEM_INVALID_ARGUMENT);
        assert_string_equal(s.problem.code, "wrong-type");
        teardown(&s);
}

static void test_a_folder_that_is_gone_is_a_fault(void **state) {
        Setup s;
        setup(&s, table, NULL);
        s.request.folder = "/nonexistent";
        assert_true(run(&s) < 0);
        teardown(&s);
}

static void test_a_missing_program_is_told(void **state) {
        Setup s;
        setup(&s, table, NULL);
        s.request.program = "/nonexistent/tenantd-render";
        assert_int_equal(run(&s), -ENOENT);
        teardown(&s);
}

static void test_a_death_is_told_apart(void **state) {
        assert_int_equal(run_script("kill -KILL $$"), -EPIPE);
        assert_int_equal(run_script("kill -SEGV $$"), -EPIPE);
        assert_int_equal(run_script("kill -SYS $$"), -EPIPE);
        assert_int_equal(run_script("exit 71"), -EPIPE);
        /* It had answered, but did not live to end well. */
        assert_int_equal(run_script("echo '{\"rows\":2,\"bytes\":9,\"warnings\":[]}'; kill -KILL $$"), -EPIPE);
        assert_int_equal(run_script("kill -XCPU $$"), -ETIMEDOUT);
}

static void test_a_full_disk_is_told(void **state) {
        assert_int_equal(run_script("echo '{\"error\":{\"code\":\"no-space\",\"text\":\"the disk is full\"}}'; exit 1"), -ENOSPC);
}

static void test_answers_that_make_no_sense_are_faults(void **state) {
        static const char *const scripts[] = {
                "exit 0", "exit 1", "echo nonsense", "echo '[]'", "echo '{}'", "echo '{\"rows\":1}'", "echo '{\"rows\":\"1\",\"warnings\":[]}'",
                "echo '{\"error\":{\"code\":\"too-many-rows\",\"text\":\"x\"}}'",       /* with exit status 0 */
                "echo '{\"error\":{}}'; exit 1", "echo '{\"error\":1}'; exit 1", "echo '{\"rows\":1,\"warnings\":[]}'; exit 1",
                "yes", "printf '\\377'",
        };

        for (size_t i = 0; i < ELEMENTSOF(scripts); i++) {
                int r = run_script(scripts[i]);
                if (r >= 0 || r == -EPIPE)
                        fail_msg("%s: %d", scripts[i], r);
        }
}

static bool gone(pid_t pid) {
        return kill(pid, 0) < 0 && errno == ESRCH;
}

/* 0: it has not told yet. */
static pid_t told_pid(const Setup *s) {
        char text[32] = "";
        assert_true(pread(s->out_fd, text, sizeof(text) - 1, 0) >= 0);
        return (pid_t) atol(text);
}

static void test_the_time_limit_ends_it(void **state) {
        pid_t pid = 0;

        /* On a busy host a shell may take longer to begin. */
        for (Usec limit = USEC_SEC; pid == 0; limit *= 4) {
                Setup s;
                setup(&s, table, "echo $$ >&3; exec sleep 1000");
                s.request.limit = limit;
                assert_int_equal(run(&s), -ETIMEDOUT);
                pid = told_pid(&s);
                assert_true(pid == 0 || gone(pid));
                assert_true(pid != 0 || limit < USEC_MINUTE);
                teardown(&s);
        }
}

/* Closing the answer is not the end of it. */
static void test_the_time_limit_ends_it_without_an_answer_too(void **state) {
        Setup s;
        setup(&s, table, "exec >&-; exec sleep 1000");
        s.request.limit = USEC_SEC / 2;
        assert_int_equal(run(&s), -ETIMEDOUT);
        teardown(&s);
}

static void *cancel_when_it_runs(void *argument) {
        Setup *s = argument;
        struct stat st;
        do
                sched_yield();
        while (fstat(s->out_fd, &st) == 0 && st.st_size == 0);
        atomic_store((atomic_bool *) s->request.cancel, true);
        return NULL;
}

static void test_cancel_ends_it(void **state) {
        atomic_bool cancel = false;
        pthread_t thread;
        Setup s;

        setup(&s, table, "echo $$ >&3; exec sleep 1000");
        s.request.cancel = &cancel;
        assert_int_equal(pthread_create(&thread, NULL, cancel_when_it_runs, &s), 0);
        assert_int_equal(run(&s), -ECANCELED);
        pthread_join(thread, NULL);
        pid_t pid = told_pid(&s);
        assert_true(pid > 0 && gone(pid));
        teardown(&s);
}

/* Its three descriptors and standard error, and nothing of the daemon's environment and signals. */
static void test_it_gets_nothing_that_it_does_not_need(void **state) {
        char told[4096] = "";
        sigset_t blocked, before;
        Setup s;

        setenv("LD_PRELOAD_OF_TEST", "secret", 1);
        signal(SIGPIPE, SIG_IGN);
        sigfillset(&blocked);
        pthread_sigmask(SIG_SETMASK, &blocked, &before);
        int left_open = fcntl(STDERR_FILENO, F_DUPFD, 50);   /* without O_CLOEXEC, on purpose */
        assert_int_equal(left_open, 50);
        /* The shell reads its own status: while it starts another program it holds every signal back. */
        setup(&s, table, "[ -e /proc/$$/fd/50 ] && echo leaked >&3; [ -e /proc/$$/fd/0 ] && echo input >&3; env >&3;"
                         "while IFS= read -r line; do echo \"$line\"; done </proc/$$/status >&3");
        (void) run(&s);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        signal(SIGPIPE, SIG_DFL);
        close(left_open);
        assert_true(pread(s.out_fd, told, sizeof(told) - 1, 0) > 0);
        assert_null(strstr(told, "leaked"));
        assert_non_null(strstr(told, "input"));
        assert_null(strstr(told, "secret"));
        assert_non_null(strstr(told, "SigBlk:\t0000000000000000"));
        /* glibc keeps the two real-time signals that are its own. */
        const char *ignored = strstr(told, "SigIgn:\t");
        assert_non_null(ignored);
        assert_int_equal(strtoull(ignored + strlen("SigIgn:\t"), NULL, 16) & 0x7fffffff, 0);
        teardown(&s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_table_becomes_a_workbook),
                cmocka_unit_test(test_a_table_becomes_a_pdf),
                cmocka_unit_test(test_a_logo_that_is_none_is_our_own_mistake),
                cmocka_unit_test(test_rows_that_are_none_are_not_tried_again),
                cmocka_unit_test(test_a_bad_picture_is_a_refusal),
                cmocka_unit_test(test_a_folder_that_is_gone_is_a_fault),
                cmocka_unit_test(test_a_missing_program_is_told),
                cmocka_unit_test(test_a_death_is_told_apart),
                cmocka_unit_test(test_a_full_disk_is_told),
                cmocka_unit_test(test_answers_that_make_no_sense_are_faults),
                cmocka_unit_test(test_the_time_limit_ends_it),
                cmocka_unit_test(test_the_time_limit_ends_it_without_an_answer_too),
                cmocka_unit_test(test_cancel_ends_it),
                cmocka_unit_test(test_it_gets_nothing_that_it_does_not_need),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

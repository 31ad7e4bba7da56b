/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/files.h"
#include "common/random.h"
#include "daemon/store/setting-store.h"
#include "tests/store/scratch.h"

int scratch_setup_empty(void **state) {
        Scratch *s = memory_new(sizeof(*s));

        shim_register();
        shim_heal();
        /* In memory where that is there: what a disk may lose is the shim's to say, and syncs cost nothing. */
        strcpy(s->directory, access("/dev/shm", W_OK) == 0 ? "/dev/shm/tenantd-store-XXXXXX" : "/var/tmp/tenantd-store-XXXXXX");
        assert_non_null(mkdtemp(s->directory));
        s->arena = arena_new();
        *state = s;
        return 0;
}

int scratch_setup(void **state) {
        int r = scratch_setup_empty(state);
        scratch_open(*state);
        return r;
}

int scratch_teardown(void **state) {
        Scratch *s = *state;
        char command[200];

        shim_heal();
        scratch_close(s);
        arena_free(s->arena);
        snprintf(command, sizeof(command), "rm -rf '%s'", s->directory);
        assert_int_equal(system(command), 0);
        free(s);
        return 0;
}

void scratch_open(Scratch *s) {
        Problem problem = {};
        int status = 0, r = db_open_writer(s->directory, SHIM_VFS, &s->db, &status, &problem);
        if (r != 0)
                fail_msg("the database was not opened: %d, exit %d, %s", r, status, problem.text);
}

void scratch_close(Scratch *s) {
        db_close(s->db);
        s->db = NULL;
}

void scratch_reopen(Scratch *s) {
        scratch_close(s);
        scratch_open(s);
}

char *scratch_path(Scratch *s, const char *name) {
        return arena_printf(s->arena, "%s/%s", s->directory, name);
}

void scratch_put(Db *db, const char *name, const char *value) {
        assert_true(setting_put(db, name, value) >= 0);
}

bool scratch_has(Db *db, const char *name) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *value = NULL;
        int r = setting_get(db, a, name, &value);
        assert_true(r >= 0);
        return r > 0;
}

int64_t scratch_int(Db *db, const char *sql) {
        int64_t v = 0;
        assert_true(row_int(db, &v, sql, "") >= 0);
        return v;
}

Buffer scratch_bytes(const char *path) {
        Buffer b = {};
        int r = file_read(path, INT32_MAX, &b);
        if (r < 0)
                fail_msg("%s: %s", path, strerror(-r));
        return b;
}

void scratch_copy(const char *from, const char *to) {
        Buffer b = scratch_bytes(from);
        FILE *f = fopen(to, "we");
        assert_non_null(f);
        assert_int_equal(fwrite(buffer_string(&b), 1, b.size, f), b.size);
        assert_int_equal(fclose(f), 0);
        buffer_done(&b);
}

int scratch_wait(int pid) {
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

int scratch_fork(int (*child)(void *userdata), void *userdata) {
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(child(userdata));
        return scratch_wait(pid);
}

uint64_t scratch_seed(void) {
        const char *given = getenv("TEST_SEED");
        uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t) clock_now();
        printf("# TEST_SEED=%llu\n", (unsigned long long) seed);
        random_seed_for_tests(seed);
        return seed;
}

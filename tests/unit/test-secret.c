/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/buffer.h"

/* Memory that holds secrets: what a core dump gets of it, and what stays behind. */

/* The flags of the mapping that holds p, as the kernel lists them. */
static bool has_flag(const void *p, const char *flag) {
        unsigned long begin = 0, end = 0, at = (unsigned long) (uintptr_t) p;
        char line[4096];
        bool found = false;

        FILE *f = fopen("/proc/self/smaps", "re");
        assert_non_null(f);
        while (fgets(line, sizeof(line), f)) {
                unsigned long from, to;
                if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
                        begin = from, end = to;
                else if (begin <= at && at < end && strncmp(line, "VmFlags:", 8) == 0)
                        found = strstr(line, flag);
        }
        fclose(f);
        return found;
}

static bool is_mapped(const void *p) {
        unsigned char there;
        void *page = (void *) ((uintptr_t) p & ~((uintptr_t) sysconf(_SC_PAGESIZE) - 1));
        return mincore(page, 1, &there) == 0 || errno != ENOMEM;
}

static void test_a_core_dump_gets_nothing_of_it(void **state) {
        _cleanup_(buffer_done) Buffer plain = {}, secret = BUFFER_SECRET;

        buffer_add_string(&plain, "seen");
        buffer_add_string(&secret, "hidden");
        assert_false(has_flag(plain.data, " dd"));
        assert_true(has_flag(secret.data, " dd"));
}

static void test_growing_leaves_no_copy_behind(void **state) {
        _cleanup_(buffer_done) Buffer secret = BUFFER_SECRET;
        const char *before[64];
        size_t n = 0;

        for (size_t i = 0; i < 100000; i++) {
                if (n == 0 || before[n - 1] != secret.data)
                        before[n++] = secret.data;
                buffer_printf(&secret, "%zu ", i);
        }
        assert_true(n > 5);
        assert_memory_equal(secret.data, "0 1 2 3 4 ", 10);
        assert_true(has_flag(secret.data, " dd"));
        /* Where it was is nothing now, or the pages of a later one. */
        for (size_t i = 1; i + 1 < n; i++)
                assert_true(!is_mapped(before[i]) || memcmp(before[i], "0 1 2 3 4 ", 10) != 0 || before[i] == secret.data);
}

static void test_clearing_and_freeing_wipe(void **state) {
        Buffer secret = BUFFER_SECRET;

        buffer_add_string(&secret, "hidden");
        char *data = secret.data;
        buffer_clear(&secret);
        assert_memory_equal(data, "\0\0\0\0\0\0", 6);
        buffer_add_string(&secret, "again");
        assert_ptr_equal(data, secret.data);
        buffer_done(&secret);
        assert_false(is_mapped(data));
        /* It stays one for secrets. */
        buffer_add_string(&secret, "hidden");
        assert_true(has_flag(secret.data, " dd"));
        buffer_done(&secret);
}

static void test_an_arena_that_keeps_a_secret(void **state) {
        Arena *a = arena_new();

        const char *before = arena_strdup(a, "seen");
        arena_keep_secret(a);
        const char *after = arena_strdup(a, "hidden"), *big = arena_alloc(a, 100000);
        assert_false(has_flag(before, " dd"));
        assert_true(has_flag(after, " dd"));
        assert_true(has_flag(big, " dd"));
        assert_string_equal(before, "seen");
        arena_free(a);
        assert_false(is_mapped(after));
        assert_false(is_mapped(big));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_core_dump_gets_nothing_of_it),
                cmocka_unit_test(test_growing_leaves_no_copy_behind),
                cmocka_unit_test(test_clearing_and_freeing_wipe),
                cmocka_unit_test(test_an_arena_that_keeps_a_secret),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

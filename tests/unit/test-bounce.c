/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/files.h"
#include "daemon/model/bounce.h"

static int read_file(Arena *a, const char *name, Bounce *ret, Problem *problem) {
        _cleanup_(buffer_done) Buffer b = {};

        assert_int_equal(file_read(arena_printf(a, "%s/%s", BOUNCES, name), BOUNCE_BYTES_MAX, &b), 0);
        return bounce_read(a, buffer_string(&b), b.size, ret, problem);
}

static void assert_bounce(const char *name, const char *id, const char *status, const char *diagnostic, bool hard) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem problem = {};
        Bounce bounce = {};

        assert_int_equal(read_file(a, name, &bounce, &problem), 0);
        assert_string_equal(bounce.message_id, id);
        assert_string_equal(bounce.recipients[0].final, "ada@contoso.example");
        assert_string_equal(bounce.recipients[0].original, "Ada@contoso.example");
        assert_string_equal(bounce.recipients[0].status, status);
        assert_string_equal(bounce.recipients[0].diagnostic, diagnostic);
        assert_int_equal(bounce_is_hard(&bounce.recipients[0]), hard);
}

static const char unknown[] = "550 5.1.1 <ada@contoso.example>: Recipient address rejected: User unknown";

static void test_addresses_that_do_not_exist(void **state) {
        static const char *const same[] = { "failed", "crlf", "mbox", "headers-only", "base64", "quoted" };

        for (size_t i = 0; i < ELEMENTSOF(same); i++)
                assert_bounce(same[i], "0123@msp.example", "5.1.1", unknown, true);
}

static void test_other_notifications(void **state) {
        assert_bounce("delayed", "0123@msp.example", "4.4.1",
                      "550 4.4.1 <ada@contoso.example>: Recipient address rejected: User unknown", false);
        assert_bounce("full", "0123@msp.example", "5.2.2",
                      "550 5.2.2 <ada@contoso.example>: Recipient address rejected: mailbox full", false);
}

/* Notifications that were cut, or that say more than one thing, or lie. */
static void test_odd_notifications(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem problem = {};
        Bounce bounce;

        assert_bounce("cut", "", "5.1.1", unknown, true);
        assert_bounce("evil-id", "", "5.1.1", unknown, true);
        assert_bounce("controls", "0123@msp.example", "5.1.1",
                      "550 5.1.1 <ada@contoso.example>: Recipient address rejected: \\x1b[31m\\x00\\u{202e}User", true);
        assert_int_equal(read_file(a, "two", &bounce, &problem), 0);
        assert_int_equal(bounce.n_recipients, 2);
        assert_string_equal(bounce.recipients[1].final, "bob@contoso.example");
        assert_string_equal(bounce.recipients[1].action, "failed");
        assert_string_equal(bounce.recipients[1].status, "5.0.0");
        assert_true(bounce_is_hard(&bounce.recipients[1]));
        assert_int_equal(read_file(a, "many", &bounce, &problem), 0);
        assert_int_equal(bounce.n_recipients, BOUNCE_RECIPIENTS_MAX);
}

static void test_what_is_none(void **state) {
        static const char *const none[] = { "no-status", "plain", "empty", "no-boundary", "open-quote" };
        _cleanup_(arena_freep) Arena *a = arena_new();
        _cleanup_(freep) char *big = memory_new(BOUNCE_BYTES_MAX + 1);
        Problem problem = {};
        Bounce bounce;

        for (size_t i = 0; i < ELEMENTSOF(none); i++) {
                assert_int_equal(read_file(a, none[i], &bounce, &problem), 1);
                assert_string_equal(problem.code, "no-bounce");
        }
        assert_int_equal(bounce_read(a, big, BOUNCE_BYTES_MAX + 1, &bounce, &problem), 1);
        assert_string_equal(problem.code, "too-big");
}

static void test_which_are_hard(void **state) {
        static const struct {
                const char *action, *status, *diagnostic;
                bool hard;
        } cases[] = {
                { "failed", "5.1.1", "", true }, { "failed", "5.1.10", "", true }, { "failed", "5.0.0", "550-5.1.1 The email account", true },
                { "failed", "5.0.0", "550 #5.1.0 Address rejected.", true }, { "failed", "5.7.1", "(5.1.2)", true },
                { "delayed", "5.1.1", "", false }, { "", "5.1.1", "", false }, { "failed", "4.1.1", "", false },
                { "failed", "5.2.1", "", false }, { "failed", "", "", false }, { "failed", "5.7.1", "from 5.1.2.3 blocked", false },
                { "failed", "5.7.1", "from 10.5.1.2 blocked", false }, { "failed", "5.7.1", "15.1.1", false },
                { "failed", "5.1.", "5.1.x 5.1.1234", false }, { "failed", "5.1", "", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const BounceRecipient r = { .action = cases[i].action, .status = cases[i].status, .diagnostic = cases[i].diagnostic };
                assert_int_equal(bounce_is_hard(&r), cases[i].hard);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_addresses_that_do_not_exist), cmocka_unit_test(test_other_notifications),
                cmocka_unit_test(test_odd_notifications), cmocka_unit_test(test_what_is_none), cmocka_unit_test(test_which_are_hard),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Included first in every C test by its compiler flags: CMOCKA_TEST_FILTER=PATTERN runs only the tests so named, with
 * * and ? as wildcards. That is how ./dev test WORD finds them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void filter_tests(void) {
        const char *pattern = getenv("CMOCKA_TEST_FILTER");

        if (pattern && *pattern)
                cmocka_set_test_filter(pattern);
}

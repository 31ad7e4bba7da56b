/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Places where a test lets the program die: TENANTD_CRASH=NAME or NAME:N (at the N-th time) kills it there by
 * SIGKILL. In builds without --enable-test-hooks nothing of this is compiled. */

#ifdef TEST_HOOKS
void crash_point(const char *name);
#else
static inline void crash_point(const char *name) {
        (void) name;
}
#endif

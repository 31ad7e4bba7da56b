/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* In builds with --enable-test-hooks `tenantd-render probe NAME` (probe-pdf: that of pages) enters the sandbox and tries what NAME says, so
 * that a test sees the walls from inside. Otherwise there is nothing here. */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "common/macro.h"

#ifdef TEST_HOOKS
static inline bool hooks_wanted(int argc, char **argv) {
        return argc == 3 && (str_equal(argv[1], "probe") || str_equal(argv[1], "probe-pdf"));
}
int hooks_run(const char *kind, const char *name);             /* exit code: 0 it worked, 3 it failed with EPERM, 4 otherwise */
#else
static inline bool hooks_wanted(int argc, char **argv) {
        return false;
}
static inline int hooks_run(const char *kind, const char *name) {
        return 2;
}
#endif

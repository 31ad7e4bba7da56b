/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/crash.h"

#ifdef TEST_HOOKS
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void crash_point(const char *name) {
        static _Atomic long count;
        static _Atomic(const char *) asked;
        const char *wanted = asked;

        if (!wanted)
                asked = wanted = getenv("TENANTD_CRASH") ?: "";
        size_t n = *wanted ? strlen(name) : 0;
        if (n == 0 || strncmp(wanted, name, n) != 0 || (wanted[n] && wanted[n] != ':'))
                return;
        if (atomic_fetch_add(&count, 1) + 1 >= (wanted[n] ? atol(wanted + n + 1) : 1))
                kill(getpid(), SIGKILL);
}
#endif

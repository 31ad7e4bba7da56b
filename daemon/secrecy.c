/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "common/log.h"
#include "daemon/secrecy.h"

/* Both, since neither is enough: a pattern that pipes to a program does not look at the limit, and a child that runs another
 * program begins dumpable again. What root takes of a live process by force (gcore) lacks the pages of memory_secret_new(). */
void secrecy_begin(void) {
        const struct rlimit none = { 0, 0 };

        if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                log_warning("core dumps cannot be switched off: %s", strerror(errno));
}

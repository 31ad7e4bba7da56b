/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/process.h"

void process_guard_descriptors(void) {
        struct rlimit limit;
        int fd;

        do
                fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        while (fd >= 0 && fd <= 2);
        if (fd > 2)
                close(fd);
        /* What callers send is open until their call is over, and the database, should they send that, for longer. */
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
                limit.rlim_cur = limit.rlim_max;
                (void) setrlimit(RLIMIT_NOFILE, &limit);
        }
}

void process_hold_signals(int how) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        sigprocmask(how, &set, NULL);
}

Usec process_clock_ahead(void) {
#ifdef TEST_HOOKS
        const char *ahead = getenv("TENANTD_CLOCK_AHEAD");
        return ahead ? atoll(ahead) * USEC_SEC : 0;
#else
        return 0;
#endif
}

int state_prepare(const char *state) {
        static const char *const folders[] = { "", "/reports", "/spool", "/backups", "/outbox-mail", "/bounces", "/bounces/unmatched" };
        char path[PATH_MAX];

        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                snprintf(path, sizeof(path), "%s%s", state, folders[i]);
                if (mkdir(path, 0700) < 0 && errno != EEXIST) {
                        log_error("the state directory %s cannot be used: %s: create it, or make it writable for this user", path, strerror(errno));
                        return 73;
                }
        }
        return 0;
}

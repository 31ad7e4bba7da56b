/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How late a bare timerfd wakes: the least that anything can be late on this machine.
 *
 *   yard-timer START COUNT         waits for COUNT instants, a second apart, the first at START (microseconds since 1970);
 *                                  prints by how many µs it was late, one a line */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/bench/bench.h"

int main(int argc, char **argv) {
        if (argc != 3)
                return 2;
        Usec at = atoll(argv[1]);
        int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC);

        for (int i = atoi(argv[2]); i > 0; i--, at += USEC_SEC) {
                const struct itimerspec spec = { .it_value = { at / USEC_SEC, at % USEC_SEC * 1000 } };
                uint64_t times;
                if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0 || read(fd, &times, sizeof(times)) != sizeof(times))
                        bench_die("timerfd", strerror(errno));
                printf("%lld\n", (long long) (clock_now() - at));
        }
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdatomic.h>
#include <time.h>

#include "common/clock.h"

static _Atomic Usec shift;

static Usec read_clock(clockid_t id) {
        struct timespec ts;
        clock_gettime(id, &ts);
        return (Usec) ts.tv_sec * USEC_SEC + ts.tv_nsec / 1000;
}

Usec clock_now(void) {
        return read_clock(CLOCK_REALTIME) + atomic_load_explicit(&shift, memory_order_relaxed);
}

Usec clock_monotonic(void) {
        return read_clock(CLOCK_MONOTONIC);
}

Usec clock_boot(void) {
        return read_clock(CLOCK_BOOTTIME);
}

Usec clock_worked(void) {
        return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void clock_shift_for_tests(Usec by) {
        atomic_fetch_add(&shift, by);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <systemd/sd-daemon.h>

#include "common/clock.h"
#include "daemon/watchdog.h"

#define FEED USEC_SEC

enum { SPEED = 4 };                          /* bytes a microsecond: slower is no disk */

void watchdog_feed(void) {
        static Usec fed;
        Usec now = clock_monotonic();
        if (now - fed < FEED)
                return;
        fed = now;
        sd_notify(0, "WATCHDOG=1");
}

static void wait_for(int64_t more) {
        uint64_t usual = 0;
        if (sd_watchdog_enabled(0, &usual) > 0)
                sd_notifyf(0, "WATCHDOG_USEC=%llu\nWATCHDOG=1", (unsigned long long) usual + (unsigned long long) more);
}

void watchdog_wait_for(int64_t bytes) {
        wait_for(bytes / SPEED);
}

void watchdog_as_usual(void) {
        wait_for(0);
}

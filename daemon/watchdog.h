/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What systemd is told of how long the loop may be silent. Only the loop's thread calls these; without a watchdog nothing happens. */

#include <stdint.h>

void watchdog_feed(void);                    /* a turn has ended; told at most once a second */
/* No turn ends while so many bytes are read and written, however slow the disk: it waits longer until watchdog_as_usual(). */
void watchdog_wait_for(int64_t bytes);
void watchdog_as_usual(void);

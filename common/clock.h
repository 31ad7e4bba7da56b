/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one clock. Everything that asks for the time asks here; nothing in this program depends on TZ. */

#include "common/macro.h"

typedef int64_t Usec;                                            /* microseconds; wall: since 1970-01-01T00:00:00Z */

#define USEC_MSEC ((Usec) 1000)
#define USEC_SEC ((Usec) 1000000)
#define USEC_MINUTE (60 * USEC_SEC)
#define USEC_HOUR (60 * USEC_MINUTE)
#define USEC_DAY (24 * USEC_HOUR)
#define USEC_NONE INT64_MIN                                      /* "not known" for a time in a struct */

Usec clock_now(void);                                            /* wall clock */
Usec clock_boot(void);                                           /* monotonic, and goes on through a suspend */
Usec clock_monotonic(void);                                      /* never goes back; its zero means nothing */

Usec clock_worked(void);                                         /* how long this thread has had a processor */

/* A test moves the wall clock: what clock_now() answers is the real one plus this. Monotonic time is not moved. */
void clock_shift_for_tests(Usec by);

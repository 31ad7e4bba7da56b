/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The nightly backup: wanted when the quiet hour is over (or a database was restored), made on a worker, and tried again
 * every hour until it was. It is no task of the queue: a queue that is paused is backed up, too. */

#include "daemon/task/runner.h"

/* The loop's; in memory alone. */
typedef struct Nightly {
        bool running;
        Usec again;                          /* monotonic: not before; 0: at once */
} Nightly;

int nightly_want(Db *db);                    /* in a turn */
int nightly_is_due(Nightly *n, Db *db);      /* 1: nightly_start() it */
void nightly_start(Nightly *n, Runner *r, Usec now);    /* of a clock that is believed: copies are named, and old ones deleted, by it */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sums for charts, read from what services report. customer 0: of all. For a worker's connection. */

#include "daemon/store/db.h"

typedef struct Figure {
        const char *label;                   /* a day 2026-12-01, a month 2026-12, a state */
        const char *series;                  /* a status; NULL where there is one series */
        int64_t a, b;                        /* counts; or bytes with us and BYOS */
        bool has_a, has_b;                   /* unknown is never zero */
} Figure;

typedef int (*FigureSink)(void *userdata, const Figure *f);      /* < 0 ends it */

int figure_jobs(Db *db, int64_t customer, Usec since, FigureSink sink, void *userdata);          /* by day (UTC), status: a = how many */
/* By month: the sum of the last sample of each service and module in it: a = bytes with us, b = BYOS. */
int figure_storage(Db *db, int64_t customer, const char *since, FigureSink sink, void *userdata);
int figure_subscriptions(Db *db, int64_t customer, FigureSink sink, void *userdata);             /* by state: a = how many */

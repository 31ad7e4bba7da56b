/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sections with a chart: their rows are sums, drawn and shown. customer 0: of all. members: see report-file.h. */

#include "daemon/task/report-file.h"

int figures_jobs(ReportFile *f, int64_t customer, Usec now, const char *sheet, const char *members);      /* the last 30 days, stacked by status */
int figures_storage(ReportFile *f, int64_t customer, Usec now, const char *sheet, const char *members);   /* the last 12 months, ours and BYOS */
int figures_subscriptions(ReportFile *f, int64_t customer, const char *sheet, const char *members);       /* by state */

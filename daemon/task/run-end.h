/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What becomes of a schedule's run when its reports are there: one turn with the reports and their mails. */

#include "daemon/action/action.h"
#include "daemon/store/report-store.h"

/* Keeps the report; of a run (report->run) that is still its task's: for its schedule's recipients, too. Sets report->n. */
int run_keep_report(Context *c, Report *report);
/* Of the task's run, if its owner lost the right to it (*problem): skipped, its schedule paused, with the reason. */
int run_refused(Context *c, int64_t run, int64_t task, const Problem *problem);
/* Of the task's run: done, or late if its day is over. run 0: nothing to do. */
int run_end(Context *c, int64_t run, int64_t task, int64_t report);

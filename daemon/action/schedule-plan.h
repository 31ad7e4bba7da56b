/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From a schedule's row to its calendar, and to the task of one run. */

#include "daemon/action/zone-file.h"
#include "daemon/model/plan.h"
#include "daemon/store/schedule-store.h"

int schedule_plan(const Schedule *s, Plan *ret, Problem *problem);
PlanPoint schedule_settled(const Schedule *s);
/* Nothing before now is due. What was settled later, by a clock that was wrong, no longer counts: the key of a run lets none
 * be made twice. */
void schedule_resume_here(Schedule *s, Usec now);
/* next_due, and state ended if there is none. */
void schedule_look_ahead(Schedule *s, const Plan *plan, const Zone *zone);
/* Makes the run's task; *ret_task: its internal key. 1: what it refers to is gone or not allowed any more. */
int schedule_task(Context *c, const Schedule *s, int64_t run, int64_t *ret_task, Problem *problem);

/* Runs that have not begun end here, with their tasks. */
int schedule_skip_queued(Context *c, const Schedule *s, const char *reason);
/* The schedules of one customer: paused when it is disconnected, and those resumed when it is reconnected. */
int schedules_end_with_customer(Context *c, int64_t customer);
int schedules_come_back(Context *c, int64_t customer);

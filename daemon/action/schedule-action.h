/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Schedules: when which export or report is due, and for whom. */

#include "daemon/action/action.h"

extern const char *const schedule_create_options[], *const schedule_count_options[];

int schedule_create(Context *c, const Request *request, Buffer *answer, Problem *problem);
int schedule_edit(Context *c, const Request *request, Buffer *answer, Problem *problem);     /* ids: exactly one */
int schedule_pause(Context *c, const Request *request, Buffer *answer, Problem *problem);
int schedule_resume(Context *c, const Request *request, Buffer *answer, Problem *problem);
int schedule_run(Context *c, const Request *request, Buffer *answer, Problem *problem);      /* now, beside the regular ones */
int schedule_delete_action(Context *c, const Request *request, Buffer *answer, Problem *problem);
int schedule_show(Context *c, const Request *request, Buffer *answer, Problem *problem);
int schedule_preview(Context *c, const Request *request, Buffer *answer, Problem *problem);  /* option count: rows */
int schedule_runs(Context *c, const Request *request, Buffer *answer, Problem *problem);

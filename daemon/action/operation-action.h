/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/action/action.h"

int operation_show(Context *c, const Request *request, Buffer *answer, Problem *problem);        /* the row with its items */
int operation_get(Context *c, const Request *request, Buffer *answer, Problem *problem);         /* the row alone */
int operation_approve(Context *c, const Request *request, Buffer *answer, Problem *problem);     /* of somebody else's call */
int operation_cancel_action(Context *c, const Request *request, Buffer *answer, Problem *problem);
int operation_retry(Context *c, const Request *request, Buffer *answer, Problem *problem);       /* the failed part, as a new one */
int operation_revert(Context *c, const Request *request, Buffer *answer, Problem *problem);      /* each ok item's before, as a new one */

int task_cancel_action(Context *c, const Request *request, Buffer *answer, Problem *problem);
int task_retry_action(Context *c, const Request *request, Buffer *answer, Problem *problem);
int task_show(Context *c, const Request *request, Buffer *answer, Problem *problem);
/* id "" : the whole queue, durably; nothing is claimed until it is resumed. */
int task_pause(Context *c, const Request *request, Buffer *answer, Problem *problem);
int task_resume(Context *c, const Request *request, Buffer *answer, Problem *problem);

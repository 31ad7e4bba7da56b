/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/action/action.h"

int admin_status(Context *c, const Request *request, Buffer *answer, Problem *problem);
int admin_log_level(Context *c, const Request *request, Buffer *answer, Problem *problem);       /* options: level; none: tells it */
/* The worker wrote the copy; what is left is to say so. request->picture: {"bytes":…} */
int admin_backup(Context *c, const Request *request, Buffer *answer, Problem *problem);
int admin_accept_clock(Context *c, const Request *request, Buffer *answer, Problem *problem);
#ifdef TEST_HOOKS
int admin_quiet_hour(Context *c, const Request *request, Buffer *answer, Problem *problem);     /* begins it now */
int task_enqueue(Context *c, const Request *request, Buffer *answer, Problem *problem);          /* ids: kinds; answers ids */
#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The outbox as operators see it. */

#include "daemon/action/action.h"

extern const char *const test_mail_options[];

int message_show(Context *c, const Request *request, Buffer *answer, Problem *problem);
int message_replay_action(Context *c, const Request *request, Buffer *answer, Problem *problem);     /* of a dead one */
int admin_test_mail(Context *c, const Request *request, Buffer *answer, Problem *problem);           /* option address */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/action/action.h"

/* fields: name, verbs, selector, exclude; create also from: the role that gives what is not said. */
int role_create(Context *c, const Request *request, Buffer *answer, Problem *problem);
int role_edit(Context *c, const Request *request, Buffer *answer, Problem *problem);
int role_delete_action(Context *c, const Request *request, Buffer *answer, Problem *problem);
int role_show(Context *c, const Request *request, Buffer *answer, Problem *problem);
/* options: who, end; revoke: who */
int role_grant(Context *c, const Request *request, Buffer *answer, Problem *problem);
int role_revoke(Context *c, const Request *request, Buffer *answer, Problem *problem);

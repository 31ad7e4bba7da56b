/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/action/action.h"

/* fields: name, selector */
int group_create(Context *c, const Request *request, Buffer *answer, Problem *problem);
int group_edit(Context *c, const Request *request, Buffer *answer, Problem *problem);
int group_delete_action(Context *c, const Request *request, Buffer *answer, Problem *problem);
int group_show(Context *c, const Request *request, Buffer *answer, Problem *problem);
/* Of a list's rows: puts the number of customers into "customers", where the list left the group's key. */
int group_count(Context *c, Buffer *rows);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/action/action.h"

int view_save(Context *c, const Request *request, Buffer *answer, Problem *problem);     /* fields: name selector columns sort */
int view_edit(Context *c, const Request *request, Buffer *answer, Problem *problem);     /* ids: exactly one */
int view_delete_action(Context *c, const Request *request, Buffer *answer, Problem *problem);
int view_show(Context *c, const Request *request, Buffer *answer, Problem *problem);     /* by id or name */

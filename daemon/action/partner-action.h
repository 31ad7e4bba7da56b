/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/action/action.h"

int partner_show(Context *c, const Request *request, Buffer *answer, Problem *problem);
int partner_set(Context *c, const Request *request, Buffer *answer, Problem *problem);   /* fields stand in options */
extern const char *const partner_options[];

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/action/action.h"

/* {"customer":{…},"panels":{…},"missing":{…}}; options: sample. */
int customer_dashboard(Context *c, const Request *request, Buffer *answer, Problem *problem);
/* The object that show prints. */
int customer_show(Context *c, const Request *request, Buffer *answer, Problem *problem);
/* The bytes of the symbol. */
int customer_symbol(Context *c, const Request *request, Buffer *answer, Problem *problem);

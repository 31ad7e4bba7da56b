/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reports: asking for one now, and what was made. */

#include "daemon/action/action.h"

/* Checks the fields and makes the task; *ret_task: whose end the caller waits for. */
int report_export(Context *c, const Request *request, Buffer *answer, Problem *problem);
int audit_export(Context *c, const Request *request, Buffer *answer, Problem *problem);
int operation_export(Context *c, const Request *request, Buffer *answer, Problem *problem);

int report_show(Context *c, const Request *request, Buffer *answer, Problem *problem);
/* The path of its file, relative to the state directory, as the answer. */
int report_file(Context *c, const Request *request, Buffer *answer, Problem *problem);

extern const char *const report_generate_options[], *const report_send_options[];

/* id: the customer. Options template, to (as), to_customer, language, format. Answers the id that the report will have, and
 * its task's. */
int report_generate(Context *c, const Request *request, Buffer *answer, Problem *problem);
int report_send(Context *c, const Request *request, Buffer *answer, Problem *problem);       /* options to (as), to_customer */

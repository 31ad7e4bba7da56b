/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Report templates: what goes into a report, and for which customers. Schedules refer to the live template. */

#include "daemon/action/action.h"

extern const char *const report_sections[];          /* facts subscriptions jobs storage incidents subscription-states */
extern const char *const report_template_preview_options[], *const report_template_delete_options[];

int report_template_create(Context *c, const Request *request, Buffer *answer, Problem *problem);
int report_template_edit(Context *c, const Request *request, Buffer *answer, Problem *problem);      /* ids: exactly one */
int report_template_delete_action(Context *c, const Request *request, Buffer *answer, Problem *problem);
int report_template_show(Context *c, const Request *request, Buffer *answer, Problem *problem);      /* by id or name */
/* Which sections it would have, for whom. Option customer. */
int report_template_preview(Context *c, const Request *request, Buffer *answer, Problem *problem);
/* At the first start: the template `monthly`. */
int report_template_ship(Context *c);

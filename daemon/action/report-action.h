/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reports: asking for one now, and what was made. */

#include "daemon/action/list-action.h"

/* What an export task works by; kept as its arguments. */
typedef struct ExportOrder {
        const char *kind;                    /* customers operation audit */
        const char *format;                  /* xlsx csv json */
        const char *file_name;
        bool no_bom;
        Dict query;                          /* fields of list_export_query() */
} ExportOrder;

/* Checks the fields and makes the task; *ret_task: whose end the caller waits for. */
int report_export(Context *c, const Request *request, Buffer *answer, Problem *problem);
int audit_export(Context *c, const Request *request, Buffer *answer, Problem *problem);
int operation_export(Context *c, const Request *request, Buffer *answer, Problem *problem);
int export_order_read(Arena *a, const char *arguments, ExportOrder *ret);
const Dataset *export_dataset(const char *kind);                 /* NULL: no such report */

int report_show(Context *c, const Request *request, Buffer *answer, Problem *problem);
/* The path of its file, relative to the state directory, as the answer. */
int report_file(Context *c, const Request *request, Buffer *answer, Problem *problem);

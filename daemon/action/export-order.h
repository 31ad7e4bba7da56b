/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What an export task works by: checked where it is asked for, kept as the task's arguments. */

#include "daemon/action/list-action.h"

typedef struct ExportOrder {
        const char *kind;                    /* customers jobs storage subscriptions audit operation */
        const char *format;                  /* xlsx csv json pdf */
        const char *file_name;               /* NULL: KIND-DATE.FORMAT */
        bool no_bom;
        int64_t customer;                    /* its alone; 0: of all */
        int64_t run;                         /* of a schedule; 0: none */
        Dict query;                          /* fields of list_export_query() */
} ExportOrder;

extern const char *const export_kinds[];
extern const char *const export_formats[];
extern const char *const export_query_keys[];                    /* what of an export's fields is about its rows */

const Dataset *export_dataset(const char *kind);                 /* NULL: no such export */
const char *export_verb(const char *kind);                       /* the right that it needs, by whatever verb it was asked for */
/* Fields: kind format file_name no_bom all_columns operation customer service details, and export_query_keys. Whatever
 * the task would stumble on is refused here. */
int export_order_check(Context *c, const Dict *fields, ExportOrder *ret, Problem *problem);
const char *export_order_json(Arena *a, const ExportOrder *o);
int export_order_read(Arena *a, const char *arguments, ExportOrder *ret);
/* Its query, with what is only known when it runs (jobs: those of the last 30 days if nothing else was said). */
int export_order_query(Context *c, const ExportOrder *o, Query **ret, Problem *problem);
const char *export_file_name(Arena *a, const char *kind, const char *format, Usec now);

int file_name_check(Context *c, const char **name, Problem *problem);

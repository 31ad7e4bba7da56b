/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Report templates: what goes into a report. */

#include "daemon/store/turn.h"

typedef struct ReportTemplate {
        int64_t n;
        Id id;
        int64_t revision;
        const char *name, *name_key;
        const char *sections, *customers;    /* JSON arrays: words; ids */
        const char *selector, *language;     /* NULL: none; the recipient's */
        const char *format;
        int64_t owner;
        Usec created;
} ReportTemplate;

int report_template_find(Db *db, Arena *a, const char *reference, ReportTemplate *ret);      /* by id or exact name; 1 found, 0 not */
int report_template_load(Db *db, Arena *a, int64_t n, ReportTemplate *ret);
int report_template_insert(Db *db, ReportTemplate *t);
int report_template_update(Db *db, ReportTemplate *t);           /* revision plus one */
int report_template_delete(Db *db, int64_t n);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a task of the kind generate works by: a report template, and for whom. */

#include "daemon/action/action.h"
#include "daemon/store/report-template-store.h"

/* A run's mails are put into the outbox in the turn that keeps its reports: all of them, or none. */
enum { TEMPLATE_CUSTOMERS_MAX = 500, RUN_MAILS_MAX = 5000 };

typedef struct GenerateOrder {
        int64_t template;                    /* internal key, which may be another one's when it was deleted */
        const char *template_id;             /* so of a task: which one is meant; NULL: an older tenantd wrote it */
        int64_t customer;                    /* its alone; 0: the template's customers, one report each */
        const char *report;                  /* of one customer: the id that its report gets; NULL: a new one */
        const char *format, *file_name, *language;       /* NULL: the template's; TEMPLATE-DATE.FORMAT; the customer's */
        const char *const *recipients;       /* checked addresses */
        size_t n_recipients;
        bool to_customer;                    /* to the recipients of its service reports, too */
        int64_t run;                         /* of a schedule, whose recipients get it; 0: none */
        size_t n_subscribed;                 /* how many those are, when it is ordered */
} GenerateOrder;

/* 1: there is no such template or customer, or no customer at all. */
int generate_arguments(Context *c, const GenerateOrder *o, const char **ret, Problem *problem);
int generate_order_read(Arena *a, const char *arguments, GenerateOrder *ret);
/* Whom the reports are about: internal keys. 1: nobody is left. */
int generate_customers(Context *c, const GenerateOrder *o, const ReportTemplate *t, int64_t **ret, size_t *ret_n, Problem *problem);

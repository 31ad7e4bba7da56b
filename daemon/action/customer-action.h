/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What can be done to customers, one at a time. The verbs that take several go through bulk.h, which runs these. */

#include "daemon/action/bulk.h"

int customer_onboard(Context *c, const Request *request, Buffer *answer, Problem *problem);

/* Looks at one line of an import and says what onboarding or editing would do. reason: the item's, or NULL. */
typedef struct CustomerLine {
        const Dict *fields;                  /* what the line gives: wire keys */
        bool update;                         /* a differing customer is edited */
} CustomerLine;
int customer_import_line(Context *c, const CustomerLine *line, ItemResult *ret, Problem *problem);

/* The calls: one customer now, more by an operation. */
int customer_edit(Context *c, const Request *request, Buffer *answer, Problem *problem);
int customer_mode(Context *c, const Request *request, Buffer *answer, Problem *problem);
int customer_pin_action(Context *c, const Request *request, Buffer *answer, Problem *problem);
int customer_unpin_action(Context *c, const Request *request, Buffer *answer, Problem *problem);
int customer_hide_expired(Context *c, const Request *request, Buffer *answer, Problem *problem);
int customer_show_expired(Context *c, const Request *request, Buffer *answer, Problem *problem);

/* customer.edit .mode .pin .unpin .hide-expired .show-expired */
extern const BulkVerb customer_bulk_verbs[];

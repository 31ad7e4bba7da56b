/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who gets a report, and who does not: an address that belongs to a customer gets one only if that customer's service
 * reports are on and the address was verified for it. Decided when the report is there, and again when it leaves. Under a scope an
 * address that is only of customers outside it gets none, and what they allow is not told. */

#include "daemon/action/action.h"
#include "daemon/store/message-store.h"
#include "daemon/store/report-store.h"

enum { WAITING_DAYS = 30 };

/* recipients: checked addresses. One row and, where it may leave, one mail for each. event: report or schedule. again: also
 * to those who are recipients of it already. */
int deliver_report(Context *c, const Report *report, const char *event, const char *const *recipients, size_t n, bool again);
/* Waiting reports of this customer and address: they go out, or (switched off meanwhile) fail. */
int deliver_waiting(Context *c, int64_t customer, const char *address_key);

/* Just before it is sent. 0 it may leave; 1 with a Problem: it may not, and why. Messages without a report may. */
int deliver_check(Context *c, const OutMessage *m, Problem *problem);
/* What came of a message: the recipient's state. reason NULL: it was sent. */
int deliver_ended(Context *c, const OutMessage *m, const char *state, const char *reason);

/* Mails a code and a link for (customer, address). 1: LimitExceeded, too many were sent. */
int deliver_code(Context *c, int64_t customer, const char *address, Problem *problem);

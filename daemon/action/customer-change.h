/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one way in which a customer's row changes, whatever asked for it: an edit, a line of an import, an item that is taken back. */

#include "daemon/action/bulk.h"

/* What a part of tenantd that is not there yet would bring, and an account that somebody else has, are refused. */
int customer_references_exist(const Customer *old, const Customer *new, Problem *problem);
int customer_account_free(Context *c, const Customer *customer, Problem *problem);

/* From one management mode to another; and, for what is no customer.mode, whether the caller may do that, and alone. */
int customer_mode_allowed(const Customer *old, const Customer *new, Problem *problem);
int customer_may_set_mode(Context *c, const Customer *old, const Customer *new, Problem *problem);

/* Checks new and writes what differs, with all that a change brings with it elsewhere. The mode was judged before. */
int customer_commit(Context *c, const Request *request, const Customer *old, Customer *new, ItemResult *ret, Problem *problem);

void customer_trail(Context *c, const Customer *customer, const char *before, const char *after);
void customer_changed(Context *c, Id id);
void customer_result(ItemResult *ret, const Customer *customer, const Context *c);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The end of a customer: disconnect, the grace in which reconnect undoes it, and erasure. */

#include "daemon/action/action.h"

int customer_disconnect(Context *c, const Request *request, Buffer *answer, Problem *problem);
int customer_reconnect(Context *c, const Request *request, Buffer *answer, Problem *problem);

/* One slice of the erasure of a customer whose grace is over; *ret_done: nothing is left to do. Reconnected meanwhile: done at
 * once. *ret_due: to be asked again then, for it is not over, or a mail of the customer's is under way; USEC_NONE otherwise. */
int customer_erase_slice(Context *c, int64_t customer, bool *ret_done, Usec *ret_due);

extern const char *const disconnect_options[];

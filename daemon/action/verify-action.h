/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Proof that an address belongs to who gets reports there, and addresses that nothing goes to any more. */

#include "daemon/action/action.h"

extern const char *const report_verify_options[], *const report_bounce_options[];

/* id: the customer. Options address, and code; without one a new code is sent. */
int report_verify(Context *c, const Request *request, Buffer *answer, Problem *problem);
int report_bounce(Context *c, const Request *request, Buffer *answer, Problem *problem);     /* id: the address; option clear */

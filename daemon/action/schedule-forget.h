/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Addresses of a customer that is being erased, where they stand among the recipients of schedules. */

#include "daemon/action/action.h"

/* In the turn that erases it, while its row is there. An address stays that is also another customer's or the partner's. A
 * schedule without recipients afterwards is paused and says why. */
int schedules_forget_customer(Context *c, int64_t customer);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The clock strikes: runs of the schedules that are due. */

#include "daemon/model/catch-up.h"
#include "daemon/action/action.h"

/* In a turn of the clock: some hundred runs at most; *ret_more: there is more due. held_since: clock_guard_held_since(). */
int schedules_due(Context *c, Usec held_since, bool *ret_more);

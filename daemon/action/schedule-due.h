/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The clock strikes: runs of the schedules that are due. */

#include "daemon/model/catch-up.h"
#include "daemon/action/action.h"

/* In a turn of the clock: some hundred runs at most; *ret_more: there is more due. */
int schedules_due(Context *c, const CatchUpMoment *moment, bool *ret_more);

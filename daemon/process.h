/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the process itself needs before anything of it is built. */

#include "common/clock.h"

/* Nothing of ours may ever get descriptor 0, 1 or 2: a stray print would land in it. And as many of them as the host allows. */
void process_guard_descriptors(void);
/* how: SIG_BLOCK or SIG_UNBLOCK. From the first moment a wish to stop waits until the loop can grant it. */
void process_hold_signals(int how);
/* A test sees tomorrow by TENANTD_CLOCK_AHEAD, in seconds; its timers go by the host's clock all the same. */
Usec process_clock_ahead(void);
/* Makes the folders of the state directory. 0, or the exit status; the reason is logged. */
int state_prepare(const char *state);

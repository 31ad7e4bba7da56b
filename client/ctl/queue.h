/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Why it takes so long: the daemon's queue may be paused. Said once, on stderr, to whom the daemon tells it (admin.status). */

#include "client/ctl/call.h"

/* A warning that was shown: if it said so, it is not said again. */
void queue_heard(const char *warning);
/* For whoever has waited a while: asks, and says it. */
void queue_say_paused(Command *c);
/* The same for a call that has no answer yet, see Call.late. */
Pending *queue_ask(Command *c);
void queue_tell(Command *c, sd_bus_message *status);

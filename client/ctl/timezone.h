/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Times in text stand in the partner's zone (JSON stays UTC). tenantctl has one thread, so glibc's own zone is set once. */

#include "client/ctl/call.h"

/* Asks for the zone beside the call that follows; nothing with --json or --utc. Needs a connection. */
Pending *timezone_ask(Command *c);
void timezone_use(Command *c, Pending *p);
/* Appends an RFC 3339 time as people read it; false: it is none, and nothing was appended. */
bool timezone_put(Buffer *b, const char *rfc3339);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* polkit's own agent for terminals, pkttyagent: it asks for a password when polkit wants one before it lets a call through.
 * It is started when a call was refused that a password might let through, and not before: most calls need none. */

#include "client/ctl/command.h"

/* Whether a password may be asked for at all: not with --no-ask-password. */
bool agent_may_ask(const Command *c);
/* Whether that needs pkttyagent here: on the system bus, for somebody at a terminal who is not root. */
bool agent_is_needed(const Command *c);
bool agent_is_open(void);
/* Starts it and waits until it is registered. That it is missing or fails is no failure: a desktop may have an agent of
 * its own, and if there is none, polkit says no. */
void agent_open(void);
void agent_close(void);                      /* nothing if it does not run */

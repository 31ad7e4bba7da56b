/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Waiting for operations. */

#include "client/ctl/call.h"

/* Waits until the operation has ended and gives what Describe says then (in the arena). Waits out restarts of the daemon.
 * SIGINT ends the waiting with EXIT_INTERRUPTED, after it was said how to go on; the operation goes on too.
 * EXIT_NOT_AUTHORIZED, and nothing was said: the caller may not look at it. */
int operation_wait(Command *c, const char *id, const char **ret_json);

/* The answer of a call that may have started one: waits unless --no-wait or it needs an approval, prints, and returns
 * EXIT_ITEMS if items failed. */
int operation_follow(Command *c, const char *json);

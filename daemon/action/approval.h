/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calls that a second person has to approve (admin.two_person): an operation keeps the call as it was, and a task ends it: 24
 * hours later as not approved, or at once when somebody else approved it. */

#include "daemon/action/action.h"
#include "daemon/store/operation-store.h"

#define APPROVAL_PENDING "pending-approval"
enum { APPROVAL_HOURS = 24 };

/* Its time is over. */
bool approval_is_late(const Operation *o, Usec now);
/* It is a call that waits for a second person, or did. */
bool approval_was(const Operation *o);

/* What would refuse the call refuses it now; else the operation's row is the answer. */
int approval_hold(Context *c, const ChangeRow *row, const Request *request, Buffer *answer, Problem *problem);
/* It is over, whatever came of it: the item takes the place of what the second person was shown. */
int approval_end(Context *c, Operation *o, const char *state, OperationItem *item);
/* The call as it was kept; its dicts are in the arena. -EBADMSG: it is none. */
int approval_read(Arena *a, const char *arguments, Request *ret);

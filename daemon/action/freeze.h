/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A call that is kept for later is to mean then what it means now. */

#include "daemon/action/action.h"
#include "daemon/store/operation-store.h"

/* After a trial of the call that was taken back: puts ids in the place of names, also of those in its fields and options, and
 * the object's revision (0: of none) where none was given, so that it is a Conflict if the object is another by then. *item gets
 * the customer that it is about, if there is one. */
int freeze(Context *c, const char *verb, Request *request, int64_t revision, OperationItem *item);

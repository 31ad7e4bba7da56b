/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How an operation of many items begins, whatever it does to them; and what begins later is told. */

#include "daemon/action/action.h"
#include "daemon/store/operation-store.h"

/* Puts o (its kind, total and arguments; the rest is the caller's and now) and the task of this kind that does it into the store, and
 * answers o's row, with what its caller should know: warning (may be NULL), and that the queue is paused. */
int operation_start(Context *c, Operation *o, const char *task_kind, const char *warning, Buffer *answer);

/* Puts into the answer, a whole object, what the caller of something that a task does should know: warning (may be NULL), and that
 * the queue is paused. */
int answer_queue_warnings(Context *c, const char *warning, Buffer *answer);

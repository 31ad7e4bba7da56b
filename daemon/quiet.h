/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The quiet hour: once a day, in the partner's zone, what is past its time is thrown away, and if somebody was erased
 * the database is rewritten, so that no byte of them is left in it. Then it is backed up (task/backup-task). */

#include "daemon/action/action.h"

/* In a turn: whether today's is due. */
bool quiet_is_due(Context *c);
/* In a turn: one lot of what is past its time. *ret_more: there may be more. */
int quiet_expire(Context *c, bool *ret_more);
/* Between turns. 0: done or nothing to do; -EAGAIN: readers are in the way, try again; < 0: a fault. *ret_rewritten: say
 * so with quiet_finish(). */
int quiet_rewrite(Db *db, bool *ret_rewritten);
/* In a turn: today's is done. */
int quiet_finish(Context *c, bool rewritten);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which life of the database this is: 1, and one more with every restore. */

#include "daemon/store/turn.h"

/* *ret_restored: when it was asked for; USEC_NONE: never. */
int epoch_read(Db *db, Arena *a, int64_t *ret, Usec *ret_restored);
int epoch_begin(Db *db, int64_t epoch, Usec restored);

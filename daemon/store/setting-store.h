/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Single durable facts of the daemon itself: "queue-paused", "quiet-done" … */

#include "daemon/store/turn.h"

int setting_get(Db *db, Arena *a, const char *name, const char **ret);   /* 1 found, 0 not */
int setting_is(Db *db, const char *name, const char *value);             /* 1: it is there and has this value */
int setting_put(Db *db, const char *name, const char *value);
int setting_delete(Db *db, const char *name);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the host says about users and groups. These ask the name services, which may take their time: for workers and for
 * the start, never for the loop. */

#include "daemon/action/action.h"

enum { CALLER_GIDS_MAX = 1024 };

/* The name and groups of caller->uid, in the arena; a uid without a user keeps its number and has none. Members of admin_gid may do
 * everything. < 0: the name service failed, and says nothing of the user. */
int caller_look_up(Caller *caller, int64_t admin_gid, Arena *a);

/* The number of a user (kind 'u') or group ('g') by its name, or by the number as text. 1 found, 0 not, < 0 a fault. */
int host_number(char kind, const char *name, int64_t *ret);
/* The name of a user, or NULL. In the arena. */
const char *host_user(Arena *a, int64_t uid);

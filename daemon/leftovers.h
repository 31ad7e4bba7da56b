/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a death left behind in the folders of the state directory: files that no row refers to. */

#include "daemon/store/db.h"

/* At start, before anything runs. < 0: the database cannot be read. */
int leftovers_remove(Db *db, const char *state);

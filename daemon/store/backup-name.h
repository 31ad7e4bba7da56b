/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the copies of the database that we keep are called: KIND-2026-12-01T02-30-00Z.db, in UTC.
 * kind: nightly; before-schema-2; replaced. */

#include "common/clock.h"

enum { BACKUP_NAME_SIZE = 80 };

char *backup_name(const char *kind, Usec now, char ret[BACKUP_NAME_SIZE]);
/* Which kind a name is of ("before-schema-" without its number), and when it was made: only what backup_name() would call so, and
 * the WAL of one that was replaced. NULL: it is none of ours. */
const char *backup_name_read(const char *name, Usec *ret);

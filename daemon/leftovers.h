/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a death left behind in the folders of the state directory: files that no row refers to. And what a restore did: the files
 * of reports that only the replaced database knows wait in reports/unknown, for whoever goes back to that one. */

#include "daemon/store/db.h"

/* At start, before anything runs. < 0: the database cannot be read. */
int leftovers_remove(Db *db, const char *state);
/* Of a database that was just put in place, before leftovers_remove(). */
int leftovers_sort_reports(Db *db, const char *state);
void leftovers_expire_unknown(const char *state, Usec before);

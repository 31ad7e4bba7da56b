/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a death left behind in the folders of the state directory: files that no row refers to. What was never whole, or came in for
 * a call, is removed. Files of reports are not: the database that knows them may be the one that was just replaced or moved away. They
 * wait in reports/unknown, for whoever goes back to it, as long as a report is kept. */

#include "daemon/store/db.h"

/* At start, before anything runs. < 0: the database cannot be read, or the files not moved. */
int leftovers_sort_reports(Db *db, const char *state);
int leftovers_remove(Db *db, const char *state);
/* In the quiet hour: what is older than that, of reports/unknown and of mails whose message is gone. */
int leftovers_expire_reports(Db *db, const char *state, Usec before);
int leftovers_expire_mail(Db *db, const char *state, Usec before);

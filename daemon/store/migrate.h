/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The steps from one schema to the next. A step that was released is never edited again: what is wrong with it is put
 * right by the next one. A new database is made by the first schema and all steps, in one transaction. */

#include "daemon/store/turn.h"

/* The one that this program works with. Test builds: one more, if TENANTD_SCHEMA says so. */
int schema_version(void);
/* In a transaction: all steps from that version on. user_version is the caller's to write, last. */
int migrate_apply(Db *db, int from);

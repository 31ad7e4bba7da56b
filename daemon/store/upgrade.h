/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An older database becomes one of this program's schema: a verified copy of it into the backup directory first, then all
 * steps in one transaction, the version last. Whatever happens meanwhile, it is the old one or the new one. */

#include "daemon/store/backup.h"

/* Of the writer, before its first turn. order.kind is set here. Refusals as those of db_open_writer(). */
int upgrade(Db *db, BackupOrder order, int *ret_exit, Problem *problem);
/* The same without a copy: of a file that is one. */
int upgrade_copy(Db *db, int from);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Copies of the database: how one is made, and when those that we keep go. */

#include "daemon/store/backup-name.h"
#include "daemon/store/db.h"

enum { BACKUPS_KEPT = 14, BACKUPS_KEPT_ANYHOW = 3 };

/* Writes a copy into a new file (0600) by VACUUM INTO and checks it. Runs on a connection of its own: for a worker, or
 * before the loop. cancel (may be NULL): -ETIME when it becomes true. What fails leaves no file. */
int db_backup(const char *state, const char *vfs, const char *path, const bool volatile *cancel, Problem *problem);

/* A copy that is kept in folder, which must be there; whole and on disk when it has its name. */
typedef struct BackupOrder {
        const char *state, *vfs, *folder, *kind;
        Usec now;
        const bool volatile *cancel;
} BackupOrder;
int backup_keep(const BackupOrder *order, char ret_name[BACKUP_NAME_SIZE], int64_t *ret_bytes, Problem *problem);
void backup_discard(const BackupOrder *order, const char *name);  /* one that backup_keep() made is not needed after all */

/* Deletes what is old: of nightly copies all but the newest BACKUPS_KEPT, all of them after as many days (but of nightly ones not the
 * newest BACKUPS_KEPT_ANYHOW), and what a death left half written. Touches nothing that is not called as above. The number of files deleted, or < 0. */
int backup_prune(const char *folder, Usec now);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A judged backup takes the database's place, in three steps, each of which a death may come before or after:
 *   1. restore_note(), on a worker: who asked goes into the copy itself.
 *   2. restore_stage(), as the last thing before the turn of the call commits: it is STATE/restore.db, and happens.
 *   3. restore_place(), at the next start, before the database is opened: the old one becomes a backup, the new one gets its name.
 * What the note says is done by restore-action's first turn. */

#include "daemon/store/backup.h"

int restore_note(const char *path, const char *note);            /* of a file that backup_judge() has passed; on disk afterwards */
int restore_stage(const char *state, const char *path);          /* path becomes STATE/restore.db */
int restore_unstage(const char *state);                          /* the turn failed after all; < 0: it may happen all the same */

int64_t restore_bytes(const char *state);                        /* how much the start will have to go through */

/* Nothing to do: 0, and ret_kept is empty. ret_kept: where the replaced database is now. Refusals as db_open_writer()'s. */
enum { RESTORE_PATH_SIZE = 4300 };
int restore_place(const BackupOrder *order, char ret_kept[RESTORE_PATH_SIZE], int *ret_exit, Problem *problem);

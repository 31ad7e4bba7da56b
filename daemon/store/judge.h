/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whether a file is a backup that can take the database's place: whose it is, whether it is whole, whether its audit
 * holds, which key it needs. An older one is brought to this program's schema; so the file must be a copy of one's own. */

#include "common/id.h"
#include "daemon/store/db.h"

typedef struct BackupFacts {
        int64_t bytes;
        int schema;                          /* as it came */
        int64_t epoch;
        int64_t customers, records;          /* of the audit */
        Usec newest;                         /* audit record; USEC_NONE: there is none */
        /* Customers that it brings back and that were erased here meanwhile: how many, and their ids. */
        int64_t erased;
        Id *erased_ids;                      /* owned */
        int64_t newest_erasure;              /* here, when they were looked for: the n of its record, 0: there is none */
} BackupFacts;

void backup_facts_done(BackupFacts *facts);

enum { BACKUP_HEADER_SIZE = 100 };
/* From its first bytes: whether to read on, and how long it is. Refused: not-a-backup, foreign-backup, newer-backup. */
int backup_header(const void *bytes, size_t n, int64_t *ret_bytes, Problem *problem);

/* Also refused: backup-damaged, foreign-backup, backup-chain-broken, other-key. with: the database it would replace, which has the
 * key it must be of, or knows it still (see key_lend_marked()).
 * Leaves a file without a journal beside it. Reads everything: for a worker. */
int backup_judge(const char *path, Db *with, const bool volatile *cancel, BackupFacts *ret, Problem *problem);
/* {"bytes":…,"schema":…,…}, in the arena */
const char *backup_facts_json(Arena *a, const BackupFacts *facts);
/* SQLite's own check of every page: *ret_wrong is NULL, or what is wrong first. */
int pages_check(Db *db, Arena *a, const char **ret_wrong);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "common/crash.h"
#include "common/log.h"
#include "daemon/store/db-private.h"
#include "daemon/store/migrate.h"
#include "daemon/store/upgrade.h"

int upgrade_copy(Db *db, int from) {
        char version[60];

        int r = db_exec(db, "BEGIN IMMEDIATE");
        if (r >= 0)
                r = migrate_apply(db, from);
        snprintf(version, sizeof(version), "PRAGMA user_version=%d", schema_version());
        if (r >= 0)
                r = db_exec(db, version);
        crash_point("before_version");
        if (r >= 0)
                r = db_exec(db, "COMMIT");
        crash_point("after_version");
        if (r >= 0) {
                db->schema = schema_version();
                return 0;
        }
        if (!sqlite3_get_autocommit(db->sqlite))
                (void) db_exec(db, "ROLLBACK");
        return r;
}

static int copy_first(Db *db, BackupOrder *order, char name[BACKUP_NAME_SIZE], Problem *problem) {
        char kind[40];
        int64_t bytes = 0;

        snprintf(kind, sizeof(kind), "before-schema-%d", schema_version());
        order->kind = kind;
        int r = backup_keep(order, name, &bytes, problem);
        if (r < 0)
                r = problem_set(problem, PROBLEM_FAILED, "backup-failed", NULL, "no copy of it can be written to %.300s: %s", order->folder, strerror(-r));
        if (r == 0)
                return 0;
        Problem why = *problem;
        return problem_set(problem, why.kind, why.code, NULL, "%s must be brought from schema %d to %d, and was left as it is: %s", db->path, db->schema,
                           schema_version(), why.text);
}

int upgrade(Db *db, BackupOrder order, int *ret_exit, Problem *problem) {
        char name[BACKUP_NAME_SIZE];
        int from = db->schema, fault;

        if (from >= schema_version())
                return 0;
        *ret_exit = 74;
        int r = copy_first(db, &order, name, problem);
        if (r != 0)
                return r;
        crash_point("before_steps");
        /* All of it is one transaction: it need not fit into memory. */
        (void) db_exec(db, "PRAGMA cache_spill=ON");
        r = upgrade_copy(db, from);
        fault = db->fault_code;
        (void) db_exec(db, "PRAGMA cache_spill=OFF");
        if (r < 0) {
                /* It stays what it was, and every start to come tries again: the copies would fill the disk. */
                backup_discard(&order, name);
                *ret_exit = (fault & 0xff) == SQLITE_FULL || (fault & 0xff) == SQLITE_IOERR ? 74 : 78;
                return problem_set(problem, PROBLEM_FAILED, "not-migrated", NULL,
                                   "%s could not be brought from schema %d to %d (%s) and was left as it is: install the older tenantd again, or free some "
                                   "space", db->path, from, schema_version(), sqlite3_errstr(fault));
        }
        /* The file itself shall tell its version, not only its WAL: an older program looks there. */
        (void) sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        log_info("the database was brought from schema %d to %d; a copy of it before that is %s/%s", from, schema_version(), order.folder, name);
        return 0;
}

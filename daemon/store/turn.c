/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/crash.h"
#include "common/log.h"
#include "daemon/store/db-private.h"

enum {
        CHECKPOINT_IDLE = 1000, CHECKPOINT_ALWAYS = 4000,            /* pages */
        ROOM_LEAST = 16, ROOM_ADDED = 64,                            /* pages of the WAL's file */
        WAL_PAGE = 4096 + 24, WAL_HEADER = 32,                       /* bytes */
};

void effects_clear(Db *db) {
        for (size_t i = 0; i < db->n_effects; i++)
                free(db->effects[i].path);
        db->n_effects = 0;
}

void turn_begin(Db *db) {
        assert(!db->open);
        effects_clear(db);
        statements_trim(db);
        db->broken = db->begun = false;
        db->depth = 0;
        db->before_commit = NULL;
        db->open = true;
}

bool turn_is_open(const Db *db) {
        return db->open;
}

bool turn_is_broken(const Db *db) {
        return db_is_broken(db);
}

void turn_give_up(Db *db) {
        assert(db->open);
        db->broken = true;
}

/* What a commit can fail with before its last page is written. After anything else (I/O errors, but also memory that
 * ended while the WAL's index grew) it may be in the file, and the next process would find it. */
static bool surely_not_done(int rc) {
        int primary = rc & 0xff;
        return primary == SQLITE_FULL || primary == SQLITE_BUSY || primary == SQLITE_READONLY || primary == SQLITE_CONSTRAINT;
}

static int commit_transaction(Db *db) {
        _statement_ s = db_statement(db, "COMMIT");
        Usec before = clock_monotonic();
        int pages = db->wal_pages, rc = s ? sqlite3_step(s) : SQLITE_BUSY;

        if (pages != db->wal_pages)
                db->commit_takes += (clock_monotonic() - before - db->commit_takes) / 8;
        db->full = (rc & 0xff) == SQLITE_FULL;
        return rc;
}

/* A turn that only read has nothing to commit; a test may let it die here all the same. */
static TurnEnd commit(Db *db, bool begun) {
        crash_point("before_commit");
        int rc = begun ? commit_transaction(db) : SQLITE_DONE;
        if (rc == SQLITE_DONE) {
                crash_point("after_commit");
                return TURN_DONE;
        }
        db->fault_code = rc;
        log_error("database: commit: %s", sqlite3_errmsg(db->sqlite));
        return surely_not_done(rc) ? TURN_NOT_DONE : TURN_UNKNOWN;
}

TurnEnd turn_end(Db *db) {
        assert(db->open);
        assert(db->depth == 0);
        if (!turn_is_broken(db) && db->before_commit && db->before_commit(db) < 0)
                db->broken = true;
        bool broken = turn_is_broken(db), begun = db->begun;
        db->open = db->begun = false;
        TurnEnd end = broken ? TURN_NOT_DONE : commit(db, begun);
        if (end != TURN_NOT_DONE)
                return end;
        if (!sqlite3_get_autocommit(db->sqlite))
                (void) row_run(db, "ROLLBACK", "");
        effects_clear(db);
        db->broken = false;
        return TURN_NOT_DONE;
}

Usec turn_commit_takes(const Db *db) {
        return db->commit_takes;
}

void turn_failure(const Db *db, Problem *ret) {
        switch (db->fault_code & 0xff) {
        case SQLITE_FULL:
                problem_set(ret, PROBLEM_UNAVAILABLE, "disk-full", NULL,
                            "nothing was changed: the disk of the state directory is full; free some space and try again");
                break;
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
                problem_set(ret, PROBLEM_READ_ONLY, "read-only", NULL,
                            "nothing was changed: the state directory cannot be written; make it writable and try again");
                break;
        default:
                problem_set(ret, PROBLEM_FAILED, "storage-failed", NULL,
                            "nothing was changed: the database failed; the log of tenantd says why");
        }
}

static const char *const savepoint_sql[][3] = {
        { "SAVEPOINT s0", "RELEASE s0", "ROLLBACK TO s0" },
        { "SAVEPOINT s1", "RELEASE s1", "ROLLBACK TO s1" },
        { "SAVEPOINT s2", "RELEASE s2", "ROLLBACK TO s2" },
        { "SAVEPOINT s3", "RELEASE s3", "ROLLBACK TO s3" },
};

int savepoint_begin(Db *db) {
        assert(db->open && db->depth < ELEMENTSOF(savepoint_sql));
        transaction_begin(db);
        if (turn_is_broken(db))
                return -EIO;
        /* An action begins, or an item of one: a turn may hold many, and each may ask what was never asked before. */
        statements_trim(db);
        int r = row_run(db, savepoint_sql[db->depth][0], "");
        if (r < 0)
                return r;
        db->marks[db->depth++] = db->n_effects;
        return 0;
}

int savepoint_release(Db *db) {
        assert(db->depth > 0);
        db->depth--;
        if (turn_is_broken(db)) {
                db->broken = true;
                return -EIO;
        }
        return row_run(db, savepoint_sql[db->depth][1], "");
}

void savepoint_rollback(Db *db) {
        assert(db->depth > 0);
        db->depth--;
        while (db->n_effects > db->marks[db->depth])
                free(db->effects[--db->n_effects].path);
        if (turn_is_broken(db)) {
                db->broken = true;
                return;
        }
        if (row_run(db, savepoint_sql[db->depth][2], "") < 0 || row_run(db, savepoint_sql[db->depth][1], "") < 0)
                db->broken = true;
}

void turn_effect(Db *db, Effect effect) {
        if (db->n_effects == db->effects_size) {
                db->effects_size = MAX((size_t) 64, db->effects_size * 2);
                db->effects = memory_grow(db->effects, db->effects_size * sizeof(*db->effects));
        }
        db->effects[db->n_effects++] = effect;
}

const Effect *turn_effects(const Db *db, size_t *ret_n) {
        *ret_n = db->n_effects;
        return db->effects;
}

bool turn_has_effect(const Db *db, EffectType type) {
        for (size_t i = 0; i < db->n_effects; i++)
                if (db->effects[i].type == type)
                        return true;
        return false;
}

/* A WAL that was written back is used again from its begin: there may be room in it where the disk has none. */
static bool full_is_worth_a_try(const Db *db) {
        return db->full && db->wal_pages > 0 && clock_monotonic() - db->full_tried > USEC_SEC;
}

/* A commit that makes the file longer has its new length to write besides, and takes twice as long. So the WAL is given
 * zeros ahead of what will be written, many pages at once; to SQLite they are no frames. Room that cannot be had is no
 * fault: the commits say what is wrong. */
static void wal_make_room(Db *db) {
        static const char zeros[ROOM_LEAST * WAL_PAGE];              /* SQLite's own VFS writes less than 128 KiB at once */
        sqlite3_file *file = NULL;
        sqlite3_int64 size = 0;

        if (db->full || db->wal_pages + ROOM_LEAST <= db->wal_room)
                return;
        db->wal_room = db->wal_pages + ROOM_ADDED;
        if (sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) != SQLITE_OK || !file || !file->pMethods ||
            file->pMethods->xFileSize(file, &size) != SQLITE_OK)
                return;
        sqlite3_int64 wanted = WAL_HEADER + (sqlite3_int64) db->wal_room * WAL_PAGE;
        if (size > wanted)
                db->wal_room = (int) MIN((size - WAL_HEADER) / WAL_PAGE, (sqlite3_int64) INT32_MAX);
        for (int n = 0; size > 0 && size < wanted; size += n) {
                n = (int) MIN(wanted - size, (sqlite3_int64) sizeof(zeros));
                if (file->pMethods->xWrite(file, zeros, n, size) != SQLITE_OK)
                        break;
        }
        (void) file->pMethods->xFileSize(file, &size);               /* now, that no commit fails of it: see wal-vfs.h */
}

int turn_checkpoint(Db *db, bool idle) {
        int written = 0, total = 0;

        assert(!db->open);
        wal_make_room(db);
        int pending = db->wal_pages - db->wal_written_back;
        if (full_is_worth_a_try(db))
                db->full_tried = clock_monotonic();
        else if (pending < CHECKPOINT_IDLE || (!idle && pending < CHECKPOINT_ALWAYS))
                return 0;
        int rc = sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, &total, &written);
        if (rc == SQLITE_OK || rc == SQLITE_BUSY) {
                /* What a reader's snapshot held back is tried again after as many new pages. */
                db->wal_written_back = db->wal_pages;
                return 0;
        }
        if ((rc & 0xff) == SQLITE_FULL) {
                db->wal_written_back = db->wal_pages;
                log_warning("database: the WAL cannot be written back, the disk is full; free some space");
                return 0;
        }
        return row_fault(db, rc, "checkpoint");
}

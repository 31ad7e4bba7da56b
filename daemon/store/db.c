/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/crash.h"
#include "common/files.h"
#include "common/log.h"
#include "daemon/store/db-private.h"
#include "daemon/store/query.h"
#include "daemon/store/schema.h"

enum { PATIENCE = 4 };

static int progress(void *userdata) {
        Db *db = userdata;
        if (db->read_cancel && *db->read_cancel)
                return 1;
        return db->read_deadline > 0 && (clock_worked() > db->read_work || clock_monotonic() > db->read_deadline);
}

void db_limit_reads(Db *db, Usec budget, const bool volatile *cancel) {
        /* A read begins here, or a worker's piece of work: neither has a savepoint. */
        statements_trim(db);
        db->read_cancel = cancel;
        /* What counts is how much is to be done: on a busy host a small read is not a long one, and to repeat it on a worker would
         * only make the host busier. Of waiting (for the disk, mostly) a few times as much. */
        db->read_work = budget > 0 ? clock_worked() + budget : 0;
        db->read_deadline = budget > 0 ? clock_monotonic() + PATIENCE * budget : 0;
        if (budget > 0 || cancel)
                sqlite3_progress_handler(db->sqlite, 1000, progress, db);
        else
                sqlite3_progress_handler(db->sqlite, 0, NULL, NULL);
}

static int wal_hook(void *userdata, sqlite3 *sqlite, const char *name, int pages) {
        Db *db = userdata;
        /* Begun anew, maybe in a file that was cut. */
        if (pages < db->wal_pages)
                db->wal_written_back = db->wal_room = 0;
        db->wal_pages = pages;
        return SQLITE_OK;
}

static int exec(Db *db, const char *sql) {
        int rc = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);
        return rc == SQLITE_OK ? 0 : row_fault(db, rc, sql);
}

static const char common_pragmas[] =
        "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA foreign_keys=ON;"
        "PRAGMA temp_store=FILE; PRAGMA secure_delete=OFF;";

static Db *db_new(const char *state, const char *vfs) {
        Db *db = memory_new(sizeof(*db));
        db->vfs = memory_strdup(vfs ?: "unix-excl");
        db->path = memory_new(strlen(state) + 32);
        sprintf(db->path, "%s/tenantd.db", state);
        db->lock_fd = -1;
        return db;
}

/* Every action has a savepoint, and what it changed is kept aside until its RELEASE: in memory, however many pages an
 * edit touches. From 64 KiB on SQLite would make a file of it, for every single line of an import. */
static void configure_sqlite(void) {
        sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
        /* Nobody asks how much memory it has, and counting takes a lock for every piece. */
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int db_connect(Db *db, int flags) {
        static pthread_once_t configured = PTHREAD_ONCE_INIT;

        pthread_once(&configured, configure_sqlite);
        int rc = sqlite3_open_v2(db->path, &db->sqlite, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, db->vfs);
        if (rc != SQLITE_OK)
                return rc;
        sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
        sqlite3_busy_timeout(db->sqlite, 0);
        return query_register(db->sqlite) < 0 ? SQLITE_ERROR : SQLITE_OK;
}

void db_close(Db *db) {
        if (!db)
                return;
        statements_free(db);
        if (db->sqlite && sqlite3_close(db->sqlite) != SQLITE_OK)
                log_error("closing the database: %s", sqlite3_errmsg(db->sqlite));
        if (db->lock_fd >= 0)
                close(db->lock_fd);
        effects_clear(db);
        free(db->effects);
        sha256_free(db->sha);
        one_queries_free(db->ones);
        if (db->key)
                key_done(db->key);
        free(db->key);
        free(db->path);
        free(db->vfs);
        free(db);
}

/* ---- what may be wrong with a file, said before SQLite touches it ---- */

static uint32_t big_endian(const uint8_t *p) {
        return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static int damaged(const char *path, const char *how, Problem *problem) {
        return problem_set(problem, PROBLEM_FAILED, "damaged-database", NULL,
                           "%s is %s: restore it from a backup, or move it away to begin anew", path, how);
}

/* *ret_new: there is no such file yet. */
static int header_check(const char *path, bool *ret_new, int *ret_exit, Problem *problem) {
        uint8_t header[100];
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        *ret_new = fd < 0 && errno == ENOENT;
        if (*ret_new)
                return 0;
        ssize_t k = fd < 0 ? -1 : read(fd, header, sizeof(header));
        *ret_exit = errno == EACCES || errno == EPERM ? 73 : 74;
        if (k < 0 && errno != ELOOP && errno != EISDIR)
                return problem_set(problem, PROBLEM_FAILED, "cannot-open", NULL, "%s cannot be opened: %s", path, strerror(errno));
        *ret_exit = 78;
        if (k < 0)
                return problem_set(problem, PROBLEM_FAILED, "not-a-file", NULL, "%s is no regular file: move it away, or put the database itself there", path);
        if (k == 0)
                return damaged(path, "empty", problem);
        if (k != (ssize_t) sizeof(header) || memcmp(header, "SQLite format 3", 16) != 0)
                return damaged(path, "no database", problem);
        if (big_endian(header + 68) != SCHEMA_APPLICATION_ID)
                return problem_set(problem, PROBLEM_FAILED, "foreign-database", NULL,
                                   "%s belongs to another program: it was left untouched; move it away or name another state directory", path);
        uint32_t version = big_endian(header + 60);
        if (version == 0)
                return damaged(path, "no database of any tenantd", problem);
        if (version > SCHEMA_VERSION)
                return problem_set(problem, PROBLEM_FAILED, "newer-database", NULL,
                                   "%s has schema %u, this tenantd knows up to %d: it was left untouched; install the newer tenantd again",
                                   path, version, SCHEMA_VERSION);
        return 0;
}

static int lock_take(Db *db, const char *state, int *ret_exit, Problem *problem) {
        char path[4200];
        snprintf(path, sizeof(path), "%s/lock", state);
        db->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (db->lock_fd < 0) {
                *ret_exit = errno == EROFS || errno == EACCES || errno == ENOENT || errno == ENOTDIR ? 73 : 74;
                return problem_set(problem, PROBLEM_FAILED, "state-unusable", NULL,
                                   "the state directory %s cannot be used: %s: create it, or make it writable for this user", state,
                                   strerror(errno));
        }
        if (flock(db->lock_fd, LOCK_EX | LOCK_NB) < 0) {
                *ret_exit = 73;
                return problem_set(problem, PROBLEM_FAILED, "already-running", NULL,
                                   "another tenantd uses %s: stop it first, or name another state directory", state);
        }
        return 0;
}

/* A new database is made beside its name and gets the name when it is whole and on disk. So a file of that name is
 * one of ours or somebody else's, but never one that we began and did not finish. */
static int create_beside(Db *db) {
        char pragmas[120];
        snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;", SCHEMA_APPLICATION_ID, SCHEMA_VERSION);
        int rc = db_connect(db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
        int r = rc == SQLITE_OK ? exec(db, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; BEGIN IMMEDIATE") : row_fault(db, rc, "creating");
        if (r >= 0)
                r = exec(db, schema_sql);
        return r < 0 ? r : exec(db, pragmas);
}

static int create(const char *path, const char *state, const char *vfs, int *ret_rc) {
        static const char *const leftovers[] = { "", "-journal", "-wal" };
        _cleanup_(db_closep) Db *db = db_new(state, vfs);
        char beside[4200], name[4210];

        snprintf(beside, sizeof(beside), "%s.new", path);
        free(db->path);
        db->path = memory_strdup(beside);
        for (size_t i = 0; i < ELEMENTSOF(leftovers); i++) {
                snprintf(name, sizeof(name), "%s%s", beside, leftovers[i]);
                unlink(name);
        }
        int r = create_beside(db);
        if (r < 0) {
                *ret_rc = db->fault_code;
                return r;
        }
        db_close(TAKE_PTR(db));
        /* Of a database that was moved away: they would be taken for this one's. */
        for (size_t i = 1; i < ELEMENTSOF(leftovers); i++) {
                snprintf(name, sizeof(name), "%s%s", path, leftovers[i]);
                unlink(name);
        }
        _cleanup_(closep) int fd = open(beside, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        r = fd < 0 ? -errno : file_finish(fd, beside, path);
        *ret_rc = r == -ENOSPC ? SQLITE_FULL : SQLITE_IOERR;
        return r;
}

static int open_refuse(Db *db, int rc, int *ret_exit, Problem *problem) {
        switch (rc & 0xff) {
        case SQLITE_NOTADB:
        case SQLITE_CORRUPT:
                *ret_exit = 78;
                return damaged(db->path, "damaged", problem);
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                *ret_exit = 73;
                return problem_set(problem, PROBLEM_FAILED, "already-running", NULL,
                                   "another program has %s open: end it first", db->path);
        default:
                *ret_exit = (rc & 0xff) == SQLITE_READONLY || (rc & 0xff) == SQLITE_CANTOPEN ? 73 : 74;
                return problem_set(problem, PROBLEM_FAILED, "cannot-open", NULL,
                                   "%s cannot be opened (%s): check the directory's owner, free space and file system", db->path,
                                   sqlite3_errstr(rc));
        }
}

static int writer_prepare(Db *db) {
        int64_t tables = 0;
        int r = exec(db, common_pragmas);
        /* The first read: whether the file has its length and its schema can be read, before anything is written. */
        if (r >= 0)
                r = row_int(db, &tables, "SELECT count(*) FROM sqlite_schema", "");
        if (r >= 0 && tables == 0)
                r = row_fault(db, SQLITE_CORRUPT, "a database without tables");
        if (r >= 0)
                r = exec(db, "PRAGMA locking_mode=NORMAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                             "PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=67108864; PRAGMA cache_spill=OFF;"
                             "PRAGMA cache_size=-16000;");
        if (r < 0)
                return r;
        sqlite3_wal_hook(db->sqlite, wal_hook, db);
        /* SQLite opens what it may not write for reading only, and would tell at the first change. */
        if (sqlite3_db_readonly(db->sqlite, "main"))
                return row_fault(db, SQLITE_READONLY, "opening for writing");
        return 0;
}

int db_open_writer(const char *state, const char *vfs, Db **ret, int *ret_exit, Problem *problem) {
        _cleanup_(db_closep) Db *db = db_new(state, vfs);
        bool new = false;
        int rc = SQLITE_OK;

        *ret_exit = 74;
        int r = lock_take(db, state, ret_exit, problem);
        if (r == 0)
                r = header_check(db->path, &new, ret_exit, problem);
        if (r != 0)
                return r;
        mode_t mask = umask(0077);
        if (new)
                r = create(db->path, state, vfs, &rc);
        if (r >= 0)
                rc = db_connect(db, SQLITE_OPEN_READWRITE);
        db->writer = true;
        if (r >= 0 && rc == SQLITE_OK) {
                r = writer_prepare(db);
                rc = r < 0 ? db->fault_code : SQLITE_OK;
        }
        umask(mask);
        if (rc != SQLITE_OK)
                return open_refuse(db, rc, ret_exit, problem);
        db->broken = false;
        *ret = TAKE_PTR(db);
        return 0;
}

int db_open_reader(const char *state, const char *vfs, Db **ret) {
        _cleanup_(db_closep) Db *db = db_new(state, vfs);
        int rc = db_connect(db, SQLITE_OPEN_READONLY);
        if (rc != SQLITE_OK)
                return row_fault(db, rc, "opening a reader");
        sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        int r = exec(db, common_pragmas);
        if (r >= 0)
                r = exec(db, "PRAGMA query_only=ON; PRAGMA cache_size=-4000;");
        if (r < 0)
                return r;
        *ret = TAKE_PTR(db);
        return 0;
}

int db_snapshot_begin(Db *db) {
        return exec(db, "BEGIN");
}

void db_snapshot_end(Db *db) {
        if (!sqlite3_get_autocommit(db->sqlite))
                (void) exec(db, "ROLLBACK");
}

static int64_t file_bytes(const char *path, const char *suffix) {
        char name[4200];
        struct stat st;
        snprintf(name, sizeof(name), "%s%s", path, suffix);
        return stat(name, &st) < 0 ? 0 : (int64_t) st.st_size;
}

DbFigures db_figures(const Db *db) {
        return (DbFigures) { file_bytes(db->path, ""), file_bytes(db->path, "-wal"), SCHEMA_VERSION };
}

static int backup_write(Db *db, const char *path) {
        int rc = db_connect(db, SQLITE_OPEN_READONLY);
        if (rc != SQLITE_OK)
                return row_fault(db, rc, "opening for a backup");
        sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        return row_run(db, "VACUUM INTO ?", "t", path);
}

static int backup_check(Db *copy, Problem *problem) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *verdict = NULL;

        int rc = db_connect(copy, SQLITE_OPEN_READONLY);
        if (rc != SQLITE_OK)
                return row_fault(copy, rc, "opening the backup");
        _statement_ check = db_statement(copy, "PRAGMA integrity_check(1)");
        if (!check)
                return -EIO;
        int r = row_step(copy, check);
        if (r < 0)
                return r;
        row_read(check, a, "t", &verdict);
        if (!str_equal(verdict, "ok"))
                return problem_set(problem, PROBLEM_FAILED, "backup-damaged", NULL, "the copy failed its check (%s): look at the disk before anything else", verdict);
        return 0;
}

int db_backup(const char *state, const char *vfs, const char *path, Problem *problem) {
        _cleanup_(db_closep) Db *db = db_new(state, vfs);
        _cleanup_(db_closep) Db *copy = db_new(state, "unix");

        if (access(path, F_OK) == 0)
                return -EEXIST;
        free(copy->path);
        copy->path = memory_strdup(path);
        int r = backup_write(db, path);
        if (r == -ENOSPC)
                r = problem_set(problem, PROBLEM_UNAVAILABLE, "disk-full", NULL, "the backup does not fit on its disk: nothing was kept of it");
        if (r == 0)
                r = backup_check(copy, problem);
        if (r != 0)
                unlink(path);
        return r;
}

int db_vacuum(Db *db) {
        assert(!turn_is_open(db));
        statements_free(db);
        /* It would hold the whole database in memory otherwise; and a fault in it leaves the old file as it was. */
        int r = exec(db, "PRAGMA cache_spill=ON");
        if (r >= 0)
                r = exec(db, "VACUUM");
        int k = exec(db, "PRAGMA cache_spill=OFF");
        if (r < 0 || k < 0)
                return r < 0 ? r : k;
        int rc = sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        return rc == SQLITE_OK ? 0 : rc == SQLITE_BUSY ? -EAGAIN : row_fault(db, rc, "checkpoint after VACUUM");
}

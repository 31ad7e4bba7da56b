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
#include "daemon/store/backup-name.h"
#include "daemon/store/db-private.h"
#include "daemon/store/migrate.h"
#include "daemon/store/query.h"
#include "daemon/store/schema.h"
#include "daemon/store/wal-vfs.h"

enum { PATIENCE = 4 };

static int progress(void *userdata) {
        Db *db = userdata;
        if (db->read_cancel && *db->read_cancel)
                return 1;
        if (db->read_deadline == 0)
                return 0;
        /* Most reads never get here: they need not ask the kernel what the thread has worked. */
        if (db->read_work == 0)
                db->read_work = clock_worked() + db->read_budget;
        return clock_worked() > db->read_work || clock_monotonic() > db->read_deadline;
}

void db_limit_reads(Db *db, Usec budget, const bool volatile *cancel) {
        /* A read begins here, or a worker's piece of work: neither has a savepoint. */
        statements_trim(db);
        db->read_cancel = cancel;
        /* What counts is how much is to be done: on a busy host a small read is not a long one, and to repeat it on a worker would
         * only make the host busier. Of waiting (for the disk, mostly) a few times as much. */
        db->read_budget = budget;
        db->read_work = 0;
        db->read_deadline = budget > 0 ? clock_monotonic() + PATIENCE * budget : 0;
        if (!db->read_watched)
                sqlite3_progress_handler(db->sqlite, 1000, progress, db);
        db->read_watched = true;
}

static int wal_hook(void *userdata, sqlite3 *sqlite, const char *name, int pages) {
        Db *db = userdata;
        /* Begun anew, maybe in a file that was cut. */
        if (pages < db->wal_pages)
                db->wal_written_back = db->wal_room = 0;
        db->wal_pages = pages;
        return SQLITE_OK;
}

/* Without recursive triggers a REPLACE would take a row away past the triggers that keep it. */
const char db_pragmas[] =
        "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA foreign_keys=ON; PRAGMA recursive_triggers=ON;"
        "PRAGMA temp_store=FILE; PRAGMA secure_delete=OFF;";

Db *db_new_at(const char *path, const char *vfs) {
        Db *db = memory_new(sizeof(*db));
        db->vfs = memory_strdup(vfs ?: "unix-excl");
        db->path = memory_strdup(path);
        db->lock_fd = -1;
        return db;
}

Db *db_new(const char *state, const char *vfs) {
        char path[4200];
        snprintf(path, sizeof(path), "%s/" DB_FILE, state);
        return db_new_at(path, vfs);
}

/* Every action has a savepoint, and what it changed is kept aside until its RELEASE: in memory, however many pages an
 * edit touches. From 64 KiB on SQLite would make a file of it, for every single line of an import. */
static void configure(void) {
        sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
        /* Nobody asks how much memory it has, and counting takes a lock for every piece. */
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

void db_configure(void) {
        static pthread_once_t configured = PTHREAD_ONCE_INIT;
        pthread_once(&configured, configure);
}

int db_connect(Db *db, int flags) {
        db_configure();
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
        keys_free(db->keys);
        free(db->path);
        free(db->vfs);
        free(db);
}

/* ---- what may be wrong with a file, said before SQLite touches it ---- */

static uint32_t big_endian(const uint8_t *p) {
        return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

DbHeader header_read(const uint8_t bytes[HEADER_SIZE], size_t n) {
        DbHeader h = { .kind = n == 0 ? HEADER_EMPTY : HEADER_NO_DATABASE };

        if (n != HEADER_SIZE || memcmp(bytes, "SQLite format 3", 16) != 0)
                return h;
        uint32_t page = (uint32_t) bytes[16] << 8 | bytes[17];
        h.bytes = (int64_t) (page == 1 ? 65536 : page) * big_endian(bytes + 28);
        h.version = big_endian(bytes + 60);
        h.kind = big_endian(bytes + 68) != SCHEMA_APPLICATION_ID ? HEADER_FOREIGN : h.version == 0 ? HEADER_UNBORN
                 : h.version > (uint32_t) schema_version()       ? HEADER_NEWER : HEADER_OURS;
        return h;
}

static int damaged(const char *path, const char *how, Problem *problem) {
        return problem_set(problem, PROBLEM_FAILED, "damaged-database", NULL,
                           "%s is %s: restore it from a backup, or move it away to begin anew", path, how);
}

static int newer(const char *path, uint32_t version, Problem *problem) {
        return problem_set(problem, PROBLEM_FAILED, "newer-database", NULL,
                           "%s has schema %u, this tenantd knows up to %d: it was left untouched; install the newer tenantd again", path, version,
                           schema_version());
}

/* *ret_new: there is no such file yet. */
static int header_check(const char *path, bool *ret_new, int *ret_exit, Problem *problem) {
        uint8_t header[HEADER_SIZE];
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
        DbHeader h = header_read(header, (size_t) k);
        switch (h.kind) {
        case HEADER_EMPTY:
                return damaged(path, "empty", problem);
        case HEADER_NO_DATABASE:
                return damaged(path, "no database", problem);
        case HEADER_FOREIGN:
                return problem_set(problem, PROBLEM_FAILED, "foreign-database", NULL,
                                   "%s belongs to another program: it was left untouched; move it away or name another state directory", path);
        case HEADER_UNBORN:
                return damaged(path, "no database of any tenantd", problem);
        case HEADER_NEWER:
                return newer(path, h.version, problem);
        case HEADER_OURS:
                break;
        }
        return 0;
}

int db_lock(Db *db, const char *state, int *ret_exit, Problem *problem) {
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
        snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;", SCHEMA_APPLICATION_ID, schema_version());
        int rc = db_connect(db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
        int r = rc == SQLITE_OK ? db_exec(db, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; BEGIN IMMEDIATE") : row_fault(db, rc, "creating");
        if (r >= 0)
                r = db_exec(db, schema_sql);
        /* A new database is the first one and every step since: so it is what one that grew up is. */
        if (r >= 0)
                r = migrate_apply(db, SCHEMA_FIRST);
        return r < 0 ? r : db_exec(db, pragmas);
}

/* Of a database that was moved away, or lost: they would be taken for this one's. In a WAL may be its last commits. */
static int set_aside(const char *path, const char *state) {
        char name[4210], aside[4300], kept[BACKUP_NAME_SIZE];
        struct stat st;

        snprintf(name, sizeof(name), "%s/key", state);
        if (access(name, F_OK) == 0)
                log_warning("%s is not there, but a key is: a new database begins with that key; if there was one before, stop tenantd and put it back, or restore a backup", path);
        snprintf(name, sizeof(name), "%s-journal", path);
        unlink(name);
        snprintf(name, sizeof(name), "%s-wal", path);
        if (lstat(name, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        snprintf(aside, sizeof(aside), "%s/%s-wal", state, backup_name("replaced", clock_now(), kept));
        if (rename(name, aside) < 0)
                return -errno;
        log_warning("%s was there without its database, whose last changes it may hold: it is kept as %s", name, aside);
        return 0;
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
        r = set_aside(path, state);
        _cleanup_(closep) int fd = open(beside, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (r >= 0)
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

static int64_t file_bytes(const char *path, const char *suffix) {
        char name[4200];
        struct stat st;
        snprintf(name, sizeof(name), "%s%s", path, suffix);
        return stat(name, &st) < 0 ? 0 : (int64_t) st.st_size;
}

static int writer_prepare(Db *db) {
        int64_t tables = 0, version = 0;

        /* What a WAL says of a file that may not be for us is not written back by closing it. */
        sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, db->had_wal, NULL);
        int r = db_exec(db, db_pragmas);
        /* The first read: whether the file has its length and its schema can be read, before anything is written. */
        if (r >= 0)
                r = row_int(db, &tables, "SELECT count(*) FROM sqlite_schema", "");
        if (r >= 0 && tables == 0)
                r = row_fault(db, SQLITE_CORRUPT, "a database without tables");
        /* What a newer one committed may still be in the WAL alone. */
        if (r >= 0)
                r = row_int(db, &version, "PRAGMA user_version", "");
        db->schema = (int) version;
        if (r < 0 || version > schema_version())
                return MIN(r, 0);
        sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
        if (r >= 0)
                r = db_exec(db, "PRAGMA locking_mode=NORMAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
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
        db_configure();
        _cleanup_(db_closep) Db *db = db_new(state, wal_vfs(vfs));
        bool new = false;
        int rc = SQLITE_OK;

        *ret_exit = 74;
        int r = db_lock(db, state, ret_exit, problem);
        if (r == 0)
                r = header_check(db->path, &new, ret_exit, problem);
        if (r != 0)
                return r;
        mode_t mask = umask(0077);
        if (new)
                r = create(db->path, state, vfs, &rc);
        db->had_wal = file_bytes(db->path, "-wal") > 0;
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
        if (db->schema > schema_version()) {
                *ret_exit = 78;
                return newer(db->path, (uint32_t) db->schema, problem);
        }
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
        int r = db_exec(db, db_pragmas);
        if (r >= 0)
                r = db_exec(db, "PRAGMA query_only=ON; PRAGMA cache_size=-4000;");
        if (r < 0)
                return r;
        *ret = TAKE_PTR(db);
        return 0;
}

int db_snapshot_begin(Db *db) {
        return db_exec(db, "BEGIN");
}

void db_snapshot_end(Db *db) {
        if (!sqlite3_get_autocommit(db->sqlite))
                (void) db_exec(db, "ROLLBACK");
}

DbFigures db_figures(const Db *db) {
        return (DbFigures) { file_bytes(db->path, ""), file_bytes(db->path, "-wal"), db->schema };
}

int db_vacuum(Db *db) {
        assert(!turn_is_open(db));
        statements_free(db);
        /* It would hold the whole database in memory otherwise; and a fault in it leaves the old file as it was. */
        int r = db_exec(db, "PRAGMA cache_spill=ON");
        if (r >= 0)
                r = db_exec(db, "VACUUM");
        int k = db_exec(db, "PRAGMA cache_spill=OFF");
        if (r < 0 || k < 0)
                return r < 0 ? r : k;
        int rc = sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        return rc == SQLITE_OK ? 0 : rc == SQLITE_BUSY ? -EAGAIN : row_fault(db, rc, "checkpoint after VACUUM");
}

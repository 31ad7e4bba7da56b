/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The inside of Db, for db.c, turn.c and row.c. */

#include "common/crypt.h"
#include "daemon/store/row.h"

#define DB_FILE "tenantd.db"

enum { STATEMENTS_MAX = 512 };       /* a power of two; the cache is emptied when three quarters are taken */

typedef struct CachedStatement {
        char *sql;
        uint64_t hash;
        sqlite3_stmt *statement;
        bool writes;
} CachedStatement;

typedef struct OneQueries OneQueries;
typedef struct Keys Keys;

struct Db {
        sqlite3 *sqlite;
        char *path, *vfs;
        int lock_fd;
        bool writer;
        bool had_wal;                        /* when it was opened */
        int schema;                          /* of the writer: user_version */

        CachedStatement statements[STATEMENTS_MAX];
        size_t n_statements;

        bool open, begun, broken;            /* the turn; its transaction begins with its first savepoint or write */
        int fault_code;                      /* SQLite's code that broke it, or the last fault's */
        int wal_pages, wal_written_back;     /* pages in the WAL; of them at the last checkpoint */
        int wal_room;                        /* pages its file is known to have room for */
        Usec commit_takes;                   /* a running mean */
        bool full;                           /* the last commit found no room */
        Usec full_tried;                     /* when the WAL was written back for that; monotonic */
        size_t depth;                        /* of savepoints */
        size_t marks[8];                     /* effects at the begin of each */
        int (*before_commit)(Db *db);        /* what the turn that is open does last; NULL: nothing */
        bool seal_told;                      /* that the audit's end is not what was sealed: said once */
        Effect *effects;
        size_t n_effects, effects_size;

        OneQueries *ones;                    /* of query_one(); made when first needed */

        Usec read_budget, read_work, read_deadline;      /* of reads that are limited; the ends: clock_worked(), clock_monotonic() */
        bool read_watched;                   /* SQLite asks progress(), for good: to set it costs as much as a small read's row */
        const bool volatile *read_cancel;
        Sha256 *sha;                         /* of the audit chain; made when first needed */
        Keys *keys;                          /* the writer's, see key.h */
};

int db_exec(Db *db, const char *sql);        /* several statements, for their effect; in row.c */

/* What the first bytes of a file say. */
enum { HEADER_SIZE = 100 };
typedef struct DbHeader {
        enum { HEADER_OURS, HEADER_EMPTY, HEADER_NO_DATABASE, HEADER_FOREIGN, HEADER_UNBORN, HEADER_NEWER } kind;
        uint32_t version;
        int64_t bytes;                       /* how long it should be */
} DbHeader;
DbHeader header_read(const uint8_t bytes[HEADER_SIZE], size_t n);

extern const char db_pragmas[];              /* of every connection */
Db *db_new(const char *state, const char *vfs);                  /* not connected; db_close() */
Db *db_new_at(const char *path, const char *vfs);
/* What holds for all of SQLite. Before whatever else is asked of it, to look for a VFS too: afterwards it takes nothing of this. */
void db_configure(void);
int db_connect(Db *db, int flags);           /* SQLite's code */
/* Keeps a second daemon out until db_close(). Refuses as db_open_writer() does. */
int db_lock(Db *db, const char *state, int *ret_exit, Problem *problem);

/* The turn is, or its transaction is gone. */
static inline bool db_is_broken(const Db *db) {
        return db->broken || (db->begun && sqlite3_get_autocommit(db->sqlite));
}

/* The transaction of the turn that is open, if it has not begun. Where it cannot, the turn is broken. In row.c. */
void transaction_begin(Db *db);

void statements_free(Db *db);
void statements_trim(Db *db);        /* where none is in use: keeps the cache from growing */
void effects_clear(Db *db);
void one_queries_free(OneQueries *o);
void keys_free(Keys *k);

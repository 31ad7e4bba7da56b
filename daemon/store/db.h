/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The database: one writer, which belongs to the loop thread, and one reader per worker thread. All of them use
 * SQLite's VFS "unix-excl" (or a test's shim over it), so a second process is kept out and there is no -shm file;
 * the writer opens first. Only the writer writes, and only it checkpoints. */

#include "common/memory.h"
#include "common/clock.h"
#include "common/problem.h"

typedef struct Db Db;

/* Opens STATE/tenantd.db, or makes it. state must exist. vfs NULL: "unix-excl". Refusals say what is wrong with path
 * and cure, and *ret_exit is the exit status for them: 73 another daemon holds it, 74 I/O, 78 damaged, newer or
 * foreign. A refused file is left untouched. */
int db_open_writer(const char *state, const char *vfs, Db **ret, int *ret_exit, Problem *problem);
int db_open_reader(const char *state, const char *vfs, Db **ret);
void db_close(Db *db);
DEFINE_CLEANUP(Db, db_close)

/* Reads are stopped (-ETIME) after this many microseconds of CPU-bound stepping, or when *cancel becomes true;
 * 0 and NULL: never. Holds until changed. */
void db_limit_reads(Db *db, Usec budget, const bool volatile *cancel);

/* A reader's snapshot: everything read between the two sees one moment. */
int db_snapshot_begin(Db *db);
void db_snapshot_end(Db *db);

typedef struct DbFigures {
        int64_t database_bytes, wal_bytes;
        int schema;
} DbFigures;
DbFigures db_figures(const Db *db);

/* Rewrites the file so that no deleted byte is left in it, and truncates the WAL. Between
 * turns only. -EAGAIN: a reader still needs the old pages. */
int db_vacuum(Db *db);

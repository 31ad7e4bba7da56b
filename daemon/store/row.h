/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Statements and rows, for store/ alone: its other headers show no SQLite.
 *
 * Formats of row_bind and row_run, one letter a value: t text (const char *, NULL is NULL), i int64_t, b bytes
 * (const void *, size_t; NULL is NULL), d Id, u Usec (USEC_NONE is NULL), n NULL (no argument).
 * Of row_read, one letter a column: t (const char **, copied into the arena), i (int64_t *), o (bool *), d (Id *),
 * u (Usec *, NULL gives USEC_NONE), - (skipped). */

#include <sqlite3.h>

#include "daemon/store/turn.h"

sqlite3 *db_handle(Db *db);

/* A statement of this connection, cached by its text. NULL if it does not compile (logged), or in a broken turn. */
sqlite3_stmt *db_statement(Db *db, const char *sql);
static inline void statement_done(sqlite3_stmt **s) {
        if (*s) {
                sqlite3_reset(*s);
                sqlite3_clear_bindings(*s);
        }
}
#define _statement_ _cleanup_(statement_done) sqlite3_stmt *

void row_bind(sqlite3_stmt *s, const char *format, ...);
int row_step(Db *db, sqlite3_stmt *s);                           /* 1 a row, 0 the end, < 0 a fault */
void row_read(sqlite3_stmt *s, Arena *a, const char *format, ...);
int row_run(Db *db, const char *sql, const char *format, ...);   /* bind, step to the end */
int row_fault(Db *db, int rc, const char *what);                 /* -errno of a result code; marks the turn broken where it is */

/* One value of the first row; 0 rows: 0 and *ret untouched. Returns 1 if there was a row. */
int row_int(Db *db, int64_t *ret, const char *sql, const char *format, ...);

/* *ret_more becomes true if a row is found; the one parameter is a time. */
int row_more(Db *db, bool *ret_more, const char *sql, Usec before);

/* A changed-columns UPDATE is built from these; the text is cached like any other. */
typedef struct Set {
        const char *column;                  /* static string */
        char type;                           /* t i u b as above */
        const char *text;
        int64_t integer;
        const void *bytes;
        size_t size;
} Set;
int row_update(Db *db, const char *table, const Set *sets, size_t n_sets, int64_t n);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "common/log.h"
#include "daemon/store/db-private.h"

sqlite3 *db_handle(Db *db) {
        return db->sqlite;
}

int row_fault(Db *db, int rc, const char *what) {
        int primary = rc & 0xff;

        db->fault_code = rc;
        /* A read that took too long, with nothing around it that it could have ended. */
        bool only_read = !db->writer || (db->open && !db->begun);
        if (primary == SQLITE_INTERRUPT && (only_read || sqlite3_get_autocommit(db->sqlite) == 0))
                return -ETIME;
        /* These can end the whole transaction, or leave it in a state that nobody can tell: no statement more in it. */
        if (primary == SQLITE_FULL || primary == SQLITE_IOERR || primary == SQLITE_NOMEM || primary == SQLITE_CORRUPT ||
            primary == SQLITE_INTERRUPT || primary == SQLITE_READONLY || primary == SQLITE_CANTOPEN ||
            (db->begun && db->sqlite && sqlite3_get_autocommit(db->sqlite)))
                db->broken = true;
        log_error("database: %.200s: %s", what, db->sqlite ? sqlite3_errmsg(db->sqlite) : sqlite3_errstr(rc));
        return primary == SQLITE_FULL ? -ENOSPC : primary == SQLITE_READONLY ? -EROFS : -EIO;
}

int db_exec(Db *db, const char *sql) {
        int rc = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);
        return rc == SQLITE_OK ? 0 : row_fault(db, rc, sql);
}

/* Eight bytes at a time: a statement's text is long, and each call looks several up. */
static uint64_t text_hash(const char *s) {
        size_t n = strlen(s);
        uint64_t h = n, part;

        for (; n >= sizeof(part); s += sizeof(part), n -= sizeof(part)) {
                memcpy(&part, s, sizeof(part));
                h = (h ^ part) * UINT64_C(0x9e3779b97f4a7c15);
                h ^= h >> 32;
        }
        part = 0;
        memcpy(&part, s, n);
        h = (h ^ part) * UINT64_C(0x9e3779b97f4a7c15);
        return h ^ h >> 32;
}

void statements_free(Db *db) {
        for (size_t i = 0; i < STATEMENTS_MAX; i++) {
                sqlite3_finalize(db->statements[i].statement);
                free(db->statements[i].sql);
                db->statements[i] = (CachedStatement) {};
        }
        db->n_statements = 0;
}

/* Statements in use are never taken away: the cache is emptied only where a turn, an action or a read begins, and only if
 * none is being stepped. */
static void make_room(Db *db) {
        for (size_t i = 0; i < STATEMENTS_MAX; i++)
                if (db->statements[i].statement && sqlite3_stmt_busy(db->statements[i].statement))
                        return;
        statements_free(db);
}

static CachedStatement *prepare(Db *db, const char *sql, uint64_t hash, size_t i) {
        sqlite3_stmt *s = NULL;

        if (db->n_statements == STATEMENTS_MAX - 1) {
                log_error("database: every cached statement is in use");
                return NULL;
        }
        int rc = sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL);
        if (rc != SQLITE_OK) {
                (void) row_fault(db, rc, sql);
                return NULL;
        }
        db->statements[i] = (CachedStatement) { memory_strdup(sql), hash, s, !sqlite3_stmt_readonly(s) };
        db->n_statements++;
        return &db->statements[i];
}

static CachedStatement *find(Db *db, const char *sql) {
        uint64_t hash = text_hash(sql);
        size_t i = hash % STATEMENTS_MAX;

        for (; db->statements[i].statement; i = (i + 1) % STATEMENTS_MAX)
                if (db->statements[i].hash == hash && strcmp(db->statements[i].sql, sql) == 0)
                        return &db->statements[i];
        return prepare(db, sql, hash, i);
}

/* Nobody else writes, so what is read before is what is read after it; and a turn that only reads needs none. */
void transaction_begin(Db *db) {
        if (!db->open || db->begun || db->broken)
                return;
        bool begun = row_run(db, "BEGIN", "") >= 0;
        db->begun = begun;
        db->broken = !begun;
}

sqlite3_stmt *db_statement(Db *db, const char *sql) {
        /* With its transaction gone, whatever else ran in this turn would commit by itself. */
        if (db->open && db_is_broken(db))
                return NULL;
        CachedStatement *found = find(db, sql);
        if (!found)
                return NULL;
        assert(!sqlite3_stmt_busy(found->statement));
        if (found->writes && db->open && !db->begun) {
                transaction_begin(db);
                if (db->broken)
                        return NULL;
        }
        return found->statement;
}

void statements_trim(Db *db) {
        if (db->n_statements > STATEMENTS_MAX * 3 / 4)
                make_room(db);
}

static void bind_list(sqlite3_stmt *s, const char *format, va_list ap) {
        for (int i = 1; *format; format++, i++)
                switch (*format) {
                case 't': {
                        const char *text = va_arg(ap, const char *);
                        sqlite3_bind_text(s, i, text, -1, SQLITE_STATIC);
                        break;
                }
                case 'i':
                        sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
                        break;
                case 'b': {
                        const void *bytes = va_arg(ap, const void *);
                        size_t size = va_arg(ap, size_t);
                        sqlite3_bind_blob64(s, i, bytes, size, SQLITE_STATIC);
                        break;
                }
                case 'd': {
                        Id id = va_arg(ap, Id);
                        sqlite3_bind_blob(s, i, id.bytes, sizeof(id.bytes), SQLITE_TRANSIENT);
                        break;
                }
                case 'u': {
                        Usec t = va_arg(ap, Usec);
                        if (t != USEC_NONE)
                                sqlite3_bind_int64(s, i, t);
                        break;
                }
                case 'n':
                        break;
                default:
                        assert(false);
                }
}

void row_bind(sqlite3_stmt *s, const char *format, ...) {
        va_list ap;
        va_start(ap, format);
        bind_list(s, format, ap);
        va_end(ap);
}

int row_step(Db *db, sqlite3_stmt *s) {
        int rc = sqlite3_step(s);
        if (rc == SQLITE_ROW)
                return 1;
        if (rc == SQLITE_DONE)
                return 0;
        return row_fault(db, rc, sqlite3_sql(s));
}

void row_read(sqlite3_stmt *s, Arena *a, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        for (int i = 0; format[i]; i++)
                switch (format[i]) {
                case 't': {
                        const char *text = (const char *) sqlite3_column_text(s, i);
                        *va_arg(ap, const char **) = text ? arena_strndup(a, text, (size_t) sqlite3_column_bytes(s, i)) : NULL;
                        break;
                }
                case 'i':
                        *va_arg(ap, int64_t *) = sqlite3_column_int64(s, i);
                        break;
                case 'o':
                        *va_arg(ap, bool *) = sqlite3_column_int64(s, i) != 0;
                        break;
                case 'u':
                        *va_arg(ap, Usec *) = sqlite3_column_type(s, i) == SQLITE_NULL ? USEC_NONE : sqlite3_column_int64(s, i);
                        break;
                case 'd': {
                        Id *id = va_arg(ap, Id *);
                        *id = (Id) {};
                        if (sqlite3_column_bytes(s, i) == (int) sizeof(id->bytes))
                                memcpy(id->bytes, sqlite3_column_blob(s, i), sizeof(id->bytes));
                        break;
                }
                case '-':
                        break;
                default:
                        assert(false);
                }
        va_end(ap);
}

int row_run(Db *db, const char *sql, const char *format, ...) {
        _statement_ s = db_statement(db, sql);
        va_list ap;
        int r;

        if (!s)
                return -EIO;
        va_start(ap, format);
        bind_list(s, format, ap);
        va_end(ap);
        do
                r = row_step(db, s);
        while (r > 0);
        return r;
}

int row_int(Db *db, int64_t *ret, const char *sql, const char *format, ...) {
        _statement_ s = db_statement(db, sql);
        va_list ap;

        if (!s)
                return -EIO;
        va_start(ap, format);
        bind_list(s, format, ap);
        va_end(ap);
        int r = row_step(db, s);
        if (r > 0)
                *ret = sqlite3_column_int64(s, 0);
        return r;
}

int row_more(Db *db, bool *ret_more, const char *sql, Usec before) {
        int64_t ignored;
        int r = row_int(db, &ignored, sql, "u", before);
        *ret_more = *ret_more || r > 0;
        return MIN(r, 0);
}

int row_update(Db *db, const char *table, const Set *sets, size_t n_sets, int64_t n) {
        Buffer sql = {};

        if (n_sets == 0)
                return 0;
        buffer_printf(&sql, "UPDATE %s SET ", table);
        for (size_t i = 0; i < n_sets; i++)
                buffer_printf(&sql, "%s%s=?", i ? "," : "", sets[i].column);
        buffer_add_string(&sql, " WHERE n=?");
        _statement_ s = db_statement(db, buffer_string(&sql));
        buffer_done(&sql);
        if (!s)
                return -EIO;
        for (size_t i = 0; i < n_sets; i++) {
                int k = (int) i + 1;
                if (sets[i].type == 't')
                        sqlite3_bind_text(s, k, sets[i].text, -1, SQLITE_STATIC);
                else if (sets[i].type == 'b')
                        sqlite3_bind_blob64(s, k, sets[i].bytes, sets[i].size, SQLITE_STATIC);
                else if (sets[i].type == 'i' || sets[i].integer != USEC_NONE)
                        sqlite3_bind_int64(s, k, sets[i].integer);
        }
        sqlite3_bind_int64(s, (int) n_sets + 1, n);
        int r = row_step(db, s);
        return MIN(r, 0);
}

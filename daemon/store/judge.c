/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/json.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/db-private.h"
#include "daemon/store/epoch.h"
#include "daemon/store/judge.h"
#include "daemon/store/key.h"
#include "daemon/store/migrate.h"
#include "daemon/store/schema.h"
#include "daemon/store/setting-store.h"
#include "daemon/store/upgrade.h"

#define EPOCH_MAX (INT64_C(1) << 53)

static int foreign(Problem *problem) {
        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "foreign-backup", "file",
                           "the file is a database of another product and not a backup of tenantd: name a file that admin backup or the quiet hour wrote");
}

int backup_header(const void *bytes, size_t n, int64_t *ret_bytes, Problem *problem) {
        DbHeader h = header_read(bytes, n);

        *ret_bytes = h.bytes;
        switch (h.kind) {
        case HEADER_EMPTY:
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "not-a-backup", "file", "the file is empty: name a file that admin backup or the quiet hour wrote");
        case HEADER_NO_DATABASE:
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "not-a-backup", "file",
                                   "the file is no database: name a file that admin backup or the quiet hour wrote, unpacked and decrypted");
        case HEADER_FOREIGN:
        case HEADER_UNBORN:
                return foreign(problem);
        case HEADER_NEWER:
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "newer-backup", "file",
                                   "the backup has schema %u, this tenantd knows up to %d: install the newer tenantd first, and restore it there", h.version,
                                   schema_version());
        case HEADER_OURS:
                break;
        }
        if (h.bytes <= 0)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "backup-damaged", "file", "the file does not say how long it is: take another backup");
        return 0;
}

static int damaged(const char *how, Problem *problem) {
        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "backup-damaged", "file", "the backup is damaged (%.200s): take another one", how);
}

int pages_check(Db *db, Arena *a, const char **ret_wrong) {
        const char *verdict = NULL, *line;

        _statement_ check = db_statement(db, "PRAGMA integrity_check(1)");
        int r = check ? row_step(db, check) : -EIO;
        if (r < 0)
                return r;
        row_read(check, a, "t", &verdict);
        /* Below a headline. */
        line = verdict ? strchr(verdict, '\n') : NULL;
        *ret_wrong = str_equal(verdict, "ok") ? NULL : line ? line + 1 : verdict;
        return 0;
}

/* Everything that was ever made in it, as text: tables, indexes, triggers. Statistics are SQLite's own, and may be there or not; a
 * trigger of that name is not. */
static int schema_text(Db *db, Arena *a, const char **ret) {
        _statement_ s = db_statement(db, "SELECT group_concat(line, char(10)) FROM (SELECT type || ' ' || name || ' ' || tbl_name || ' ' || sql AS line"
                                         " FROM sqlite_schema WHERE sql IS NOT NULL AND NOT (type = 'table' AND name = tbl_name AND name IN ('sqlite_stat1', 'sqlite_stat4')) ORDER BY type, name)");
        int r = s ? row_step(db, s) : -EIO;
        if (r > 0)
                row_read(s, a, "t", ret);
        return MIN(r, 0);
}

/* Whoever can write a file can put a trigger into it; and what lacks a table would be found out one call after another. */
static int schema_check(Db *db, Problem *problem) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        _cleanup_(db_closep) Db *fresh = db_new_at(":memory:", "unix");
        const char *ours = NULL, *its = NULL;

        int rc = db_connect(fresh, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
        int r = rc == SQLITE_OK ? db_exec(fresh, schema_sql) : row_fault(fresh, rc, "a database in memory");
        if (r >= 0)
                r = migrate_apply(fresh, SCHEMA_FIRST);
        if (r >= 0)
                r = schema_text(fresh, a, &ours);
        if (r >= 0)
                r = schema_text(db, a, &its);
        if (r < 0)
                return r;
        return str_equal(ours, its) ? 0 : foreign(problem);
}

/* A backup of before a rotation is good, if the key of then was kept: it is lent what it was sealed with. */
static int key_check(Db *db, const Db *with, Problem *problem) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *mark = NULL;
        Problem bad = {};

        int r = setting_get(db, a, "key-mark", &mark);
        if (r < 0)
                return r;
        r = key_lend_marked(db, with, mark, &bad);
        if (r > 0)
                return 0;
        return problem_set(problem, PROBLEM_REFUSED, "other-key", "file",
                           "the backup was made with key %.20s, and this tenantd has key %s: put that one into its state directory as key.%.20s (mode 0600), or give it as "
                           "the credential key-old, and restore again%s%s", mark, key_present_mark(with, a), mark, bad.kind ? "; " : "", bad.text);
}

static int chain_check(Db *db, BackupFacts *facts, Problem *problem) {
        AuditVerdict v;
        int r = audit_verify(db, &v);
        if (r < 0)
                return r;
        facts->records = v.records;
        if (!v.broken)
                return 0;
        return problem_set(problem, PROBLEM_REFUSED, "backup-chain-broken", "file", "audit record %lld of the backup is not what was written: %s; take another backup",
                           (long long) v.broken, v.why);
}

/* Who was erased stays erased, whatever backup comes back. */
static int erased_read(Db *db, Db *with, BackupFacts *facts) {
        int64_t ignored;
        size_t room = 0;
        int r;

        _statement_ s = db_statement(with, "SELECT n, id FROM erasure ORDER BY n");
        if (!s)
                return -EIO;
        while ((r = row_step(with, s)) > 0) {
                Id id;
                facts->newest_erasure = sqlite3_column_int64(s, 0);
                if (sqlite3_column_bytes(s, 1) != sizeof(id))
                        continue;
                memcpy(&id, sqlite3_column_blob(s, 1), sizeof(id));
                int k = row_int(db, &ignored, "SELECT 1 FROM customer WHERE id = ?", "d", id);
                if (k < 0)
                        return k;
                if (k == 0)
                        continue;
                if ((size_t) facts->erased == room)
                        facts->erased_ids = memory_grow(facts->erased_ids, (room = MAX((size_t) 64, 2 * room)) * sizeof(id));
                facts->erased_ids[facts->erased++] = id;
        }
        return r;
}

static int facts_read(Db *db, BackupFacts *facts, Problem *problem) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Usec ignored;

        int r = epoch_read(db, a, &facts->epoch, &ignored);
        /* The next one is one more, and JSON's numbers end there. */
        if (r >= 0 && (facts->epoch < 1 || facts->epoch > EPOCH_MAX))
                return damaged("its epoch is none", problem);
        if (r >= 0)
                r = row_int(db, &facts->customers, "SELECT count(*) FROM customer", "");
        return r < 0 ? r : audit_newest(db, &facts->newest);
}

static int damage_check(Db *db, Problem *problem) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *wrong;
        int r = pages_check(db, a, &wrong);
        return r < 0 || !wrong ? r : damaged(wrong, problem);
}

static int judge(Db *db, Db *with, BackupFacts *facts, Problem *problem) {
        int64_t version = 0;
        int r = db_exec(db, db_pragmas);

        /* What is left in a WAL that did not come along is lost; what is here shall stand alone. */
        if (r >= 0)
                r = db_exec(db, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL;");
        if (r >= 0)
                r = row_int(db, &version, "PRAGMA user_version", "");
        facts->schema = (int) version;
        if (r >= 0)
                r = key_check(db, with, problem);
        if (r == 0)
                r = damage_check(db, problem);
        if (r == 0 && version < schema_version())
                r = upgrade_copy(db, (int) version);
        if (r == 0)
                r = schema_check(db, problem);
        if (r == 0)
                r = chain_check(db, facts, problem);
        if (r == 0)
                r = facts_read(db, facts, problem);
        return r != 0 ? r : erased_read(db, with, facts);
}

int backup_judge(const char *path, Db *with, const bool volatile *cancel, BackupFacts *ret, Problem *problem) {
        _cleanup_(db_closep) Db *db = db_new_at(path, "unix-excl");
        BackupFacts facts = { .newest = USEC_NONE };
        struct stat st;

        if (stat(path, &st) < 0)
                return -errno;
        facts.bytes = st.st_size;
        int rc = db_connect(db, SQLITE_OPEN_READWRITE);
        db_limit_reads(db, 0, cancel);
        int r = rc == SQLITE_OK ? judge(db, with, &facts, problem) : row_fault(db, rc, "opening a backup");
        int primary = db->fault_code & 0xff;
        if (r < 0 && (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_ERROR || primary == SQLITE_CONSTRAINT))
                r = damaged(sqlite3_errstr(db->fault_code), problem);
        else if (r == -ENOSPC)
                r = problem_set(problem, PROBLEM_UNAVAILABLE, "disk-full", NULL, "there is no room to check the backup: free some space on the disk of the state directory");
        if (r == 0)
                *ret = facts;
        else
                backup_facts_done(&facts);
        return r;
}

void backup_facts_done(BackupFacts *facts) {
        free(facts->erased_ids);
        *facts = (BackupFacts) {};
}

const char *backup_facts_json(Arena *a, const BackupFacts *facts) {
        Buffer b = {};
        json_put_object_begin(&b);
        json_put_key_int(&b, "bytes", facts->bytes);
        json_put_key_int(&b, "schema", facts->schema);
        json_put_key_int(&b, "epoch", facts->epoch);
        json_put_key_int(&b, "customers", facts->customers);
        json_put_key_int(&b, "records", facts->records);
        json_put_key_time(&b, "newest", facts->newest);
        json_put_key_int(&b, "erased", facts->erased);
        json_put_object_end(&b);
        return buffer_into(&b, a);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "common/crypt.h"
#include "common/log.h"
#include "common/random.h"
#include "daemon/store/audit-seal.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/db-private.h"

enum {
        AUDIT_FORMAT = 1, SALT_SIZE = 16,
        CHECKPOINT_MAX = 50000,              /* records one checkpoint stands for */
};

static Sha256 *hasher(Db *db) {
        if (!db->sha)
                db->sha = sha256_new();
        return db->sha;
}

/* Every part goes in with its length, so that no two records give the same bytes. NULL is length -1. */
static void add_text(Sha256 *s, const char *text, ssize_t n) {
        int64_t length = text ? n < 0 ? (int64_t) strlen(text) : n : -1;
        sha256_add(s, &length, sizeof(length));
        if (length > 0)
                sha256_add(s, text, (size_t) length);
}

static void digest_make(Sha256 *s, const uint8_t salt[SALT_SIZE], const char *before, const char *after, uint8_t ret[SHA256_SIZE]) {
        sha256_add(s, salt, SALT_SIZE);
        add_text(s, before, -1);
        add_text(s, after, -1);
        sha256_end(s, ret);
}

static void chain_make(Sha256 *s, const uint8_t *previous, int64_t n, const AuditRecord *r, const uint8_t digest[SHA256_SIZE],
                       uint8_t ret[SHA256_SIZE]) {
        int64_t numbers[] = { AUDIT_FORMAT, n, r->time, r->uid };

        sha256_add(s, previous, SHA256_SIZE);
        sha256_add(s, numbers, sizeof(numbers));
        add_text(s, r->user, -1);
        add_text(s, r->behalf, -1);
        add_text(s, r->verb, -1);
        add_text(s, r->object, -1);
        add_text(s, r->outcome, -1);
        add_text(s, r->code, -1);
        add_text(s, r->request_id, -1);
        add_text(s, r->operation ? (const char *) r->operation->bytes : NULL, sizeof(Id));
        sha256_add(s, digest, SHA256_SIZE);
        sha256_end(s, ret);
}

int audit_append(Db *db, const AuditRecord *record) {
        uint8_t digest[SHA256_SIZE], chain[SHA256_SIZE], salt[SALT_SIZE] = {};
        AuditLink previous;

        int r = audit_newest_link(db, &previous);
        if (r < 0)
                return r;
        int64_t n = previous.n + 1;
        db->before_commit = audit_seal_head;
        /* No values, no salt: so it can be told later that nothing was erased here. */
        if (record->before || record->after)
                random_bytes(salt, sizeof(salt));
        digest_make(hasher(db), salt, record->before, record->after, digest);
        chain_make(hasher(db), previous.chain, n, record, digest, chain);
        r = row_run(db,
                    "INSERT INTO audit(n, format, time, uid, user, behalf, verb, object, outcome, code, request_id, operation,"
                    " digest, chain) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                    "iiiitttttttbbb", n, (int64_t) AUDIT_FORMAT, record->time, record->uid, record->user, record->behalf,
                    record->verb, record->object, record->outcome, record->code, record->request_id,
                    record->operation ? record->operation->bytes : NULL, sizeof(Id), digest, sizeof(digest), chain, sizeof(chain));
        if (r < 0 || (!record->before && !record->after))
                return r;
        return row_run(db, "INSERT INTO audit_value(audit, customer, salt, before, after) VALUES(?,nullif(?,0),?,?,?)", "iibtt", n,
                       record->customer, salt, sizeof(salt), record->before, record->after);
}

static bool blob_equal(sqlite3_stmt *s, int column, const uint8_t expected[SHA256_SIZE]) {
        return sqlite3_column_bytes(s, column) == SHA256_SIZE && memcmp(sqlite3_column_blob(s, column), expected, SHA256_SIZE) == 0;
}

static const char *column_text(sqlite3_stmt *s, int column) {
        return (const char *) sqlite3_column_text(s, column);
}

/* The texts as they were hashed: up to their first NUL. What stands behind one was added by somebody else. */
static bool texts_are_whole(sqlite3_stmt *s) {
        static const int columns[] = { 4, 5, 6, 7, 8, 9, 10, 15, 16 };
        for (size_t i = 0; i < ELEMENTSOF(columns); i++) {
                const char *text = column_text(s, columns[i]);
                if (text && strlen(text) != (size_t) sqlite3_column_bytes(s, columns[i]))
                        return false;
        }
        return true;
}

static bool erasure_holds(const Key *key, const AuditLink *record, sqlite3_stmt *s, int column) {
        uint8_t expected[KEYED_HASH_SIZE];

        audit_erasure_seal(key, record, expected);
        return !key || hash_equal(expected, sqlite3_column_blob(s, column));
}

/* What is wrong with the record that s stands on; NULL: nothing. *chain moves on. */
static const char *record_check(Db *db, sqlite3_stmt *s, uint8_t chain[SHA256_SIZE], AuditVerdict *v) {
        uint8_t expected[SHA256_SIZE];
        Id operation;
        AuditRecord r = {
                .time = sqlite3_column_int64(s, 2), .uid = sqlite3_column_int64(s, 3), .user = column_text(s, 4),
                .behalf = column_text(s, 5), .verb = column_text(s, 6), .object = column_text(s, 7),
                .outcome = column_text(s, 8), .code = column_text(s, 9), .request_id = column_text(s, 10),
        };

        if (sqlite3_column_bytes(s, 11) == sizeof(operation)) {
                memcpy(&operation, sqlite3_column_blob(s, 11), sizeof(operation));
                r.operation = &operation;
        } else if (sqlite3_column_type(s, 11) != SQLITE_NULL) {
                return "its operation was changed";
        }
        if (sqlite3_column_int64(s, 1) != AUDIT_FORMAT || sqlite3_column_bytes(s, 12) != SHA256_SIZE)
                return "its format is unknown";
        if (!texts_are_whole(s))
                return "something was added to one of its texts";
        chain_make(hasher(db), chain, sqlite3_column_int64(s, 0), &r, sqlite3_column_blob(s, 12), expected);
        if (!blob_equal(s, 13, expected))
                return "its header or the record before it was changed";
        memcpy(chain, expected, SHA256_SIZE);
        if (sqlite3_column_type(s, 14) == SQLITE_NULL) {
                static const uint8_t unsalted[SALT_SIZE];
                digest_make(hasher(db), unsalted, NULL, NULL, expected);
                return blob_equal(s, 12, expected) ? NULL : "its values are missing, and were not erased";
        }
        if (sqlite3_column_bytes(s, 14) == KEYED_HASH_SIZE && !column_text(s, 15) && !column_text(s, 16)) {
                AuditLink record = { .n = sqlite3_column_int64(s, 0) };
                memcpy(record.chain, sqlite3_column_blob(s, 12), SHA256_SIZE);
                v->erased++;
                return erasure_holds(audit_seal_key(db), &record, s, 14) ? NULL : "its values are missing, and tenantd has not erased them";
        }
        if (sqlite3_column_bytes(s, 14) != SALT_SIZE)
                return "its salt was changed";
        digest_make(hasher(db), sqlite3_column_blob(s, 14), column_text(s, 15), column_text(s, 16), expected);
        return blob_equal(s, 12, expected) ? NULL : "its values were changed";
}

/* A record that is there, in its turn. */
static const char *record_wrong(Db *db, sqlite3_stmt *s, const AuditSeals *seals, uint8_t chain[SHA256_SIZE], AuditVerdict *v) {
        const char *why = record_check(db, s, chain, v);
        if (why || !seals->sealed || v->last + 1 != seals->head.n)
                return why;
        return memcmp(chain, seals->head.chain, SHA256_SIZE) == 0 ? NULL : "it is not the one that was sealed as the newest";
}

static int records_read(Db *db, const AuditSeals *seals, AuditVerdict *v) {
        uint8_t chain[SHA256_SIZE];
        int r;

        memcpy(chain, seals->from.chain, SHA256_SIZE);
        _statement_ s = db_statement(db,
                "SELECT a.n, format, time, uid, user, behalf, verb, object, outcome, code, request_id, operation, digest, chain,"
                " v.salt, v.before, v.after FROM audit a LEFT JOIN audit_value v ON v.audit = a.n WHERE a.n > ? OR a.n <= 0 ORDER BY a.n");
        if (!s)
                return -EIO;
        row_bind(s, "i", seals->from.n);
        while ((r = row_step(db, s)) > 0) {
                int64_t n = sqlite3_column_int64(s, 0);
                if (v->records == 0)
                        v->first = n;
                v->why = n != v->last + 1 ? "it is missing" : record_wrong(db, s, seals, chain, v);
                if (v->why) {
                        v->broken = v->last + 1;
                        return 0;
                }
                v->records++;
                v->last = n;
        }
        return r;
}

int audit_verify(Db *db, AuditVerdict *ret) {
        AuditSeals seals;
        int r = audit_seals_read(db, &seals);
        if (r < 0)
                return r;
        AuditVerdict v = { .last = seals.from.n, .expired = seals.from.n, .checkpoints = seals.checkpoints, .broken = seals.broken, .why = seals.why };
        if (!v.broken)
                r = records_read(db, &seals, &v);
        if (r < 0)
                return r;
        if (!v.broken && seals.sealed && v.last != seals.head.n) {
                v.broken = MIN(v.last, seals.head.n) + 1;
                v.why = v.last < seals.head.n ? "it is missing at the end" : "it was added without a seal";
        }
        *ret = v;
        return 0;
}

/* ---- what goes ---- */

/* From the begin on, what is old without a gap: time may go back in the chain, and what stands behind a younger one stays. */
static int checkpoint_make(Db *db, Usec before, Usec now, AuditLink *link, bool *ret_more) {
        int64_t count = 0, from = link->n;
        int r;

        _statement_ s = db_statement(db, "SELECT n, time, chain FROM audit WHERE n > ? ORDER BY n LIMIT ?");
        if (!s)
                return -EIO;
        row_bind(s, "ii", from, (int64_t) CHECKPOINT_MAX);
        while ((r = row_step(db, s)) > 0 && sqlite3_column_int64(s, 1) < before) {
                if (sqlite3_column_int64(s, 0) != from + count + 1 || sqlite3_column_bytes(s, 2) != SHA256_SIZE)
                        return 0;                /* the chain is broken here: it is kept to be looked at */
                count++;
                link->n = from + count;
                memcpy(link->chain, sqlite3_column_blob(s, 2), SHA256_SIZE);
        }
        if (r < 0 || count == 0)
                return MIN(r, 0);
        *ret_more |= count == CHECKPOINT_MAX;
        log_info("%lld audit records are kept no longer: the chain goes on from a checkpoint through record %lld", (long long) count, (long long) link->n);
        return audit_checkpoint_put(db, link, count, now);
}

int audit_expire(Db *db, Usec before, Usec now, int64_t max, bool *ret_more) {
        AuditLink link;
        int64_t found = 0;

        int r = audit_checkpoint_newest(db, &link);
        if (r >= 0)
                r = row_int(db, &found, "SELECT 1 FROM audit WHERE n <= ? LIMIT 1", "i", link.n);
        if (r == 0)
                r = checkpoint_make(db, before, now, &link, ret_more);
        if (r >= 0)
                r = row_run(db, "DELETE FROM audit_value WHERE audit IN (SELECT n FROM audit WHERE n <= ? ORDER BY n LIMIT ?)", "ii", link.n, max);
        if (r >= 0)
                r = row_run(db, "DELETE FROM audit WHERE n IN (SELECT n FROM audit WHERE n <= ? ORDER BY n LIMIT ?)", "ii", link.n, max);
        if (r >= 0)
                r = row_int(db, &found, "SELECT 1 FROM audit WHERE n <= ? LIMIT 1", "i", link.n);
        *ret_more |= r > 0;
        return MIN(r, 0);
}

int audit_head(Db *db, Arena *a, int64_t *ret_n, const char **ret_hash) {
        AuditLink link = {};
        int r = audit_newest_link(db, &link);
        if (r < 0)
                return r;
        char *hex = arena_alloc(a, 2 * SHA256_SIZE + 1);
        hex_text(link.chain, SHA256_SIZE, hex);
        *ret_n = link.n;
        *ret_hash = hex;
        return link.n > 0;
}

/* ---- what is erased ---- */

/* s stands on a row: number, digest. */
static void erasure_record(sqlite3_stmt *s, AuditLink *ret) {
        *ret = (AuditLink) { .n = sqlite3_column_int64(s, 0) };
        if (sqlite3_column_bytes(s, 1) == SHA256_SIZE)
                memcpy(ret->chain, sqlite3_column_blob(s, 1), SHA256_SIZE);
}

static int erasure_put(Db *db, const Key *key, const AuditLink *record) {
        uint8_t seal[KEYED_HASH_SIZE];
        audit_erasure_seal(key, record, seal);
        return row_run(db, "UPDATE audit_value SET customer = NULL, salt = ?, before = NULL, after = NULL WHERE audit = ?", "bi", seal, sizeof(seal), record->n);
}

int audit_erase_values(Db *db, int64_t customer, int64_t max, bool *ret_done) {
        AuditLink record;

        for (int64_t i = 0; i <= max; i++) {
                _statement_ s = db_statement(db, "SELECT audit, (SELECT digest FROM audit WHERE n = audit_value.audit) FROM audit_value WHERE customer = ? LIMIT 1");
                if (!s)
                        return -EIO;
                row_bind(s, "i", customer);
                int r = row_step(db, s);
                *ret_done = r == 0;
                if (r <= 0 || i == max)
                        return MIN(r, 0);
                erasure_record(s, &record);
                statement_done(&s);
                r = erasure_put(db, audit_seal_key(db), &record);
                if (r < 0)
                        return r;
        }
        return 0;
}

int audit_erase_object(Db *db, const char *object) {
        AuditLink record = {};

        for (;;) {
                _statement_ s = db_statement(db, "SELECT n, digest FROM audit WHERE object = ? AND n > ? AND EXISTS (SELECT 1 FROM audit_value WHERE audit = audit.n)"
                                                 " ORDER BY n LIMIT 1");
                if (!s)
                        return -EIO;
                row_bind(s, "ti", object, record.n);
                int r = row_step(db, s);
                if (r <= 0)
                        return r;
                erasure_record(s, &record);
                statement_done(&s);
                r = erasure_put(db, audit_seal_key(db), &record);
                if (r < 0)
                        return r;
        }
}

int audit_erasures_reseal(Db *db, const Key *old, const Key *new) {
        AuditLink record = {};

        for (;;) {
                _statement_ s = db_statement(db, "SELECT audit, (SELECT digest FROM audit WHERE n = audit_value.audit), salt FROM audit_value"
                                                 " WHERE before IS NULL AND after IS NULL AND audit > ? ORDER BY audit LIMIT 1");
                if (!s)
                        return -EIO;
                row_bind(s, "i", record.n);
                int r = row_step(db, s);
                if (r <= 0)
                        return r;
                erasure_record(s, &record);
                if (sqlite3_column_bytes(s, 2) != KEYED_HASH_SIZE || !erasure_holds(old, &record, s, 2))
                        return -EBADMSG;
                statement_done(&s);
                r = erasure_put(db, new, &record);
                if (r < 0)
                        return r;
        }
}

int audit_newest(Db *db, Usec *ret) {
        int64_t time = 0;
        int r = row_int(db, &time, "SELECT time FROM audit ORDER BY n DESC LIMIT 1", "");
        *ret = r > 0 ? time : USEC_NONE;
        return MIN(r, 0);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "common/id.h"
#include "common/log.h"
#include "daemon/store/audit-seal.h"
#include "daemon/store/db-private.h"
#include "daemon/store/key.h"

static void seal_make(const Key *key, const char *purpose, const AuditLink *link, int64_t count, uint8_t ret[KEYED_HASH_SIZE]) {
        char hex[2 * SHA256_SIZE + 1], text[160];

        hex_text(link->chain, SHA256_SIZE, hex);
        snprintf(text, sizeof(text), "%lld %s %lld", (long long) link->n, hex, (long long) count);
        keyed_hash(key, purpose, text, ret);
}

static bool seal_holds(const Key *key, const char *purpose, const AuditLink *link, int64_t count, sqlite3_stmt *s, int column) {
        uint8_t expected[KEYED_HASH_SIZE];

        if (sqlite3_column_bytes(s, column) != KEYED_HASH_SIZE)
                return false;
        seal_make(key, purpose, link, count, expected);
        return hash_equal(expected, sqlite3_column_blob(s, column));
}

static bool link_read(sqlite3_stmt *s, AuditLink *ret) {
        ret->n = sqlite3_column_int64(s, 0);
        if (sqlite3_column_bytes(s, 1) != SHA256_SIZE)
                return false;
        memcpy(ret->chain, sqlite3_column_blob(s, 1), SHA256_SIZE);
        return true;
}

/* ---- what was erased ---- */

void audit_erasure_seal(const Key *key, const AuditLink *record, uint8_t ret[KEYED_HASH_SIZE]) {
        memset(ret, 0, KEYED_HASH_SIZE);
        if (key)
                seal_make(key, "audit-erased", record, 0, ret);
}

/* ---- the head ---- */

const Key *audit_seal_key(const Db *db) {
        return db->keys ? db_key(db) : NULL;
}

int audit_seal_begin(Db *db) {
        uint8_t seal[KEYED_HASH_SIZE];
        AuditLink none = {};
        int64_t begun = 0;

        if (!key_is_first(db))
                return 0;
        int r = row_int(db, &begun, "SELECT EXISTS(SELECT 1 FROM audit_head) OR EXISTS(SELECT 1 FROM audit) OR EXISTS(SELECT 1 FROM audit_checkpoint)"
                                    " OR EXISTS(SELECT 1 FROM customer) OR EXISTS(SELECT 1 FROM operation) OR EXISTS(SELECT 1 FROM role)", "");
        if (r < 0 || begun)
                return MIN(r, 0);
        seal_make(db_key(db), "audit-head", &none, 0, seal);
        return row_run(db, "INSERT INTO audit_head(one, n, chain, seal) VALUES(1, 0, ?, ?)", "bb", none.chain, sizeof(none.chain), seal, sizeof(seal));
}

/* 1: it is there and its seal holds. */
static int head_read(Db *db, const Key *key, AuditLink *ret) {
        _statement_ s = db_statement(db, "SELECT n, chain, seal FROM audit_head");
        int r = s ? row_step(db, s) : -EIO;
        return r <= 0 ? r : link_read(s, ret) && seal_holds(key, "audit-head", ret, 0, s, 2);
}

static int head_put(Db *db, const Key *key, const AuditLink *head) {
        uint8_t seal[KEYED_HASH_SIZE];
        seal_make(key, "audit-head", head, 0, seal);
        return row_run(db, "UPDATE audit_head SET n = ?, chain = ?, seal = ?", "ibb", head->n, head->chain, sizeof(head->chain), seal, sizeof(seal));
}

int audit_newest_link(Db *db, AuditLink *ret) {
        _statement_ s = db_statement(db, "SELECT n, chain FROM audit ORDER BY n DESC LIMIT 1");
        int r = s ? row_step(db, s) : -EIO;
        if (r < 0)
                return r;
        return r == 0 ? audit_checkpoint_newest(db, ret) : link_read(s, ret) ? 0 : -EBADMSG;
}

/* Whether the record that was the head is where it was. */
static int still_there(Db *db, const AuditLink *head) {
        AuditLink begin = {}, found;
        int r = audit_checkpoint_newest(db, &begin);

        if (r < 0 || head->n < begin.n)
                return r < 0 ? r : 1;
        if (head->n == begin.n)
                return memcmp(head->chain, begin.chain, SHA256_SIZE) == 0;
        _statement_ s = db_statement(db, "SELECT n, chain FROM audit WHERE n = ?");
        if (!s)
                return -EIO;
        row_bind(s, "i", head->n);
        r = row_step(db, s);
        return r <= 0 ? r : link_read(s, &found) && memcmp(head->chain, found.chain, SHA256_SIZE) == 0;
}

int audit_seal_head(Db *db) {
        AuditLink head, now;

        const Key *key = audit_seal_key(db);
        if (!key)
                return 0;
        int r = head_read(db, key, &head);
        if (r > 0)
                r = still_there(db, &head);
        if (r == 0) {
                if (!db->seal_told)
                        log_error("the newest audit records are not what was written: audit verify tells more; nothing is sealed over them");
                db->seal_told = true;
                return 0;
        }
        if (r > 0)
                r = audit_newest_link(db, &now);
        return r < 0 ? r : head_put(db, key, &now);
}

/* ---- checkpoints ---- */

int audit_checkpoint_newest(Db *db, AuditLink *ret) {
        *ret = (AuditLink) {};
        _statement_ s = db_statement(db, "SELECT n, chain FROM audit_checkpoint ORDER BY n DESC LIMIT 1");
        int r = s ? row_step(db, s) : -EIO;
        if (r <= 0)
                return r;
        return link_read(s, ret) ? 0 : -EBADMSG;
}

int audit_checkpoint_put(Db *db, const AuditLink *link, int64_t count, Usec now) {
        uint8_t seal[KEYED_HASH_SIZE] = {};
        const Key *key = audit_seal_key(db);
        if (key)
                seal_make(key, "audit-checkpoint", link, count, seal);
        return row_run(db, "INSERT INTO audit_checkpoint(n, time, chain, count, seal) VALUES(?, ?, ?, ?, ?)", "iibib", link->n, now, link->chain,
                       sizeof(link->chain), count, seal, sizeof(seal));
}

static const char *checkpoint_wrong(const Key *key, sqlite3_stmt *s, AuditSeals *seals) {
        AuditLink link;
        int64_t count = sqlite3_column_int64(s, 2);

        if (!link_read(s, &link) || (key && !seal_holds(key, "audit-checkpoint", &link, count, s, 3)))
                return "the checkpoint through it was changed";
        if (seals->from.n + count != link.n)
                return "a checkpoint before the one through it is missing";
        seals->from = link;
        seals->checkpoints++;
        return NULL;
}

static int checkpoints_read(Db *db, const Key *key, AuditSeals *seals) {
        int r;
        _statement_ s = db_statement(db, "SELECT n, chain, count, seal FROM audit_checkpoint ORDER BY n");
        if (!s)
                return -EIO;
        while ((r = row_step(db, s)) > 0) {
                seals->why = checkpoint_wrong(key, s, seals);
                if (seals->why) {
                        seals->broken = sqlite3_column_int64(s, 0);
                        return 0;
                }
        }
        return r;
}

static int seals_read(Db *db, const Key *key, AuditSeals *seals) {
        *seals = (AuditSeals) {};
        int r = checkpoints_read(db, key, seals);
        if (r < 0 || seals->broken || !key)
                return r;
        r = head_read(db, key, &seals->head);
        if (r < 0)
                return r;
        seals->sealed = true;
        if (r == 0) {
                seals->broken = seals->from.n + 1;
                seals->why = "the seal over the newest record is missing or was changed";
        }
        return 0;
}

/* A reader's copy of the key may be the one of before, or of after, what its snapshot sees. */
static int is_of_this_key(Db *db, const Key *key) {
        char mark[2 * sizeof(key->mark) + 1];
        int64_t same = 0;

        hex_text(key->mark, sizeof(key->mark), mark);
        int r = row_int(db, &same, "SELECT value = ? FROM setting WHERE name = 'key-mark'", "t", mark);
        return r < 0 ? r : r == 0 || same;
}

int audit_seals_read(Db *db, AuditSeals *ret) {
        const Key *key = audit_seal_key(db);
        int r = key && !db->writer ? is_of_this_key(db, key) : 1;
        if (r <= 0)
                return r < 0 ? r : -ETIME;
        return seals_read(db, key, ret);
}

/* ---- another key ---- */

static int checkpoint_reseal(Db *db, const Key *key, int64_t *after) {
        uint8_t seal[KEYED_HASH_SIZE];
        AuditLink link;

        _statement_ s = db_statement(db, "SELECT n, chain, count FROM audit_checkpoint WHERE n > ? ORDER BY n LIMIT 1");
        if (!s)
                return -EIO;
        row_bind(s, "i", *after);
        int r = row_step(db, s);
        if (r <= 0)
                return r;
        if (!link_read(s, &link))
                return -EBADMSG;
        seal_make(key, "audit-checkpoint", &link, sqlite3_column_int64(s, 2), seal);
        *after = link.n;
        r = row_run(db, "UPDATE audit_checkpoint SET seal = ? WHERE n = ?", "bi", seal, sizeof(seal), link.n);
        return r < 0 ? r : 1;
}

int audit_reseal(Db *db, const Key *old, const Key *new) {
        AuditSeals seals;
        int64_t after = 0;

        int r = seals_read(db, old, &seals);
        if (r >= 0 && seals.broken)
                r = -EBADMSG;
        if (r < 0)
                return r;
        while ((r = checkpoint_reseal(db, new, &after)) > 0)
                ;
        return r < 0 ? r : head_put(db, new, &seals.head);
}

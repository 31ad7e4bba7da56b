/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/crypt.h"
#include "daemon/store/audit-seal.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/db-private.h"
#include "daemon/store/key.h"
#include "daemon/store/request-store.h"
#include "tests/store/scratch.h"

/* The audit's chain against every way to change what stands in it, and the memory of request_ids. */

enum { RECORDS = 12 };

static Id some_operation(void) {
        Id id;
        memset(id.bytes, 7, sizeof(id.bytes));
        return id;
}

static void append(Db *db, int i) {
        Id operation = some_operation();
        AuditRecord record = {
                .time = 1767225600 * USEC_SEC + i, .uid = 1000, .user = "ada", .behalf = i % 2 ? "portal" : NULL, .verb = "customer.edit",
                .object = i % 3 ? "00112233445566778899aabbccddeeff" : NULL, .outcome = "ok", .code = i % 4 == 3 ? "stale-revision" : NULL,
                .request_id = i % 2 ? "req" : NULL, .operation = i % 2 ? &operation : NULL, .customer = 1 + i % 3,
                .before = i % 4 == 3 ? NULL : "{\"phone\":\"1\"}", .after = i % 4 == 3 ? NULL : "{\"phone\":\"2\"}",
        };
        assert_true(audit_append(db, &record) >= 0);
}

static void append_all(Db *db) {
        turn_begin(db);
        for (int i = 0; i < RECORDS; i++)
                append(db, i);
        assert_int_equal(turn_end(db), TURN_DONE);
}

static AuditVerdict verdict(Db *db) {
        AuditVerdict v;
        assert_int_equal(audit_verify(db, &v), 0);
        return v;
}

static void test_holds(void **state) {
        Scratch *s = *state;
        AuditVerdict v = verdict(s->db);

        assert_int_equal(v.records, 0);
        assert_int_equal(v.broken, 0);
        append_all(s->db);
        v = verdict(s->db);
        assert_int_equal(v.records, RECORDS);
        assert_int_equal(v.first, 1);
        assert_int_equal(v.last, RECORDS);
        assert_int_equal(v.broken, 0);
        scratch_reopen(s);
        append_all(s->db);
        v = verdict(s->db);
        assert_int_equal(v.records, 2 * RECORDS);
        assert_int_equal(v.broken, 0);
}

/* A record of a turn or savepoint that was taken back leaves no gap. */
static void test_rolled_back(void **state) {
        Scratch *s = *state;

        append_all(s->db);
        turn_begin(s->db);
        append(s->db, 0);
        assert_int_equal(savepoint_begin(s->db), 0);
        append(s->db, 1);
        append(s->db, 2);
        savepoint_rollback(s->db);
        append(s->db, 3);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        turn_begin(s->db);
        append(s->db, 4);
        shim_fail(&(ShimFault) { .operations = SHIM_WRITE, .files = SHIM_WAL, .code = SQLITE_FULL });
        assert_int_equal(turn_end(s->db), TURN_NOT_DONE);
        shim_heal();
        append_all(s->db);
        AuditVerdict v = verdict(s->db);
        assert_int_equal(v.records, 2 * RECORDS + 2);
        assert_int_equal(v.broken, 0);
}

/* As somebody does who has the file and no scruples. */
static void drop_triggers(Db *db) {
        static const char *const names[] = {
                "audit_unchanged", "audit_kept", "audit_value_unchanged", "audit_value_kept", "audit_checkpoint_unchanged", "audit_checkpoint_kept", "audit_head_kept",
        };
        char sql[80];

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                snprintf(sql, sizeof(sql), "DROP TRIGGER %s", names[i]);
                assert_int_equal(row_run(db, sql, ""), 0);
        }
}

/* Each statement changes record 6 or 7 (which have, and have not, what may be NULL); the verdict must name the first
 * record that does not fit any more. */
static void test_tampering(void **state) {
        static const struct {
                const char *sql;
                int64_t broken;
        } cases[] = {
                { "UPDATE audit SET format = 2 WHERE n = 6", 6 },
                { "UPDATE audit SET time = time + 1 WHERE n = 6", 6 },
                { "UPDATE audit SET uid = 0 WHERE n = 6", 6 },
                { "UPDATE audit SET user = 'eve' WHERE n = 6", 6 },
                { "UPDATE audit SET user = user || char(0) || 'eve' WHERE n = 6", 6 },
                { "UPDATE audit SET behalf = NULL WHERE n = 6", 6 },
                { "UPDATE audit SET behalf = '' WHERE n = 7", 7 },
                { "UPDATE audit SET behalf = 'someone' WHERE n = 7", 7 },
                { "UPDATE audit SET verb = 'customer.show' WHERE n = 6", 6 },
                { "UPDATE audit SET verb = verb || behalf, behalf = '' WHERE n = 6", 6 },
                { "UPDATE audit SET object = NULL WHERE n = 6", 6 },
                { "UPDATE audit SET object = '' WHERE n = 7", 7 },
                { "UPDATE audit SET object = upper(object) WHERE n = 6", 6 },
                { "UPDATE audit SET outcome = 'refused' WHERE n = 6", 6 },
                { "UPDATE audit SET code = 'x' WHERE n = 6", 6 },
                { "UPDATE audit SET code = NULL WHERE n = 8", 8 },
                { "UPDATE audit SET request_id = NULL WHERE n = 6", 6 },
                { "UPDATE audit SET request_id = 'reg' WHERE n = 6", 6 },
                { "UPDATE audit SET operation = NULL WHERE n = 6", 6 },
                { "UPDATE audit SET operation = x'00' WHERE n = 7", 7 },
                { "UPDATE audit SET operation = zeroblob(16) WHERE n = 6", 6 },
                { "UPDATE audit SET operation = zeroblob(16) WHERE n = 7", 7 },
                { "UPDATE audit SET digest = zeroblob(32) WHERE n = 6", 6 },
                { "UPDATE audit SET digest = x'00' WHERE n = 6", 6 },
                { "UPDATE audit SET digest = (SELECT digest FROM audit WHERE n = 5) WHERE n = 6", 6 },
                { "UPDATE audit SET chain = zeroblob(32) WHERE n = 6", 6 },
                { "UPDATE audit SET chain = x'' WHERE n = 6", 6 },
                { "UPDATE audit SET chain = zeroblob(32) WHERE n = 12", 12 },
                { "UPDATE audit_value SET salt = zeroblob(16) WHERE audit = 6", 6 },
                { "UPDATE audit_value SET salt = x'00' WHERE audit = 6", 6 },
                { "UPDATE audit_value SET salt = x'' WHERE audit = 6", 6 },
                { "UPDATE audit_value SET before = '{}' WHERE audit = 6", 6 },
                { "UPDATE audit_value SET before = NULL WHERE audit = 6", 6 },
                { "UPDATE audit_value SET before = before || char(0) || 'x' WHERE audit = 6", 6 },
                { "UPDATE audit_value SET after = '{\"phone\":\"3\"}' WHERE audit = 6", 6 },
                { "UPDATE audit_value SET after = NULL WHERE audit = 6", 6 },
                { "UPDATE audit_value SET before = after, after = before WHERE audit = 6", 6 },
                { "UPDATE audit_value SET customer = 99 WHERE audit = 6", 0 },       /* whose they are is no part of what was said */
                { "DELETE FROM audit_value WHERE audit = 6", 6 },
                { "UPDATE audit_value SET audit = 8 WHERE audit = 6", 6 },
                { "INSERT INTO audit_value(audit, customer, salt, before, after) VALUES(8, 1, zeroblob(16), '{}', '{}')", 8 },
                { "DELETE FROM audit WHERE n = 6", 6 },
                { "DELETE FROM audit WHERE n = 1", 1 },
                { "DELETE FROM audit WHERE n BETWEEN 6 AND 8", 6 },
                { "UPDATE audit SET n = 13 WHERE n = 6", 6 },
                { "UPDATE audit SET n = 0 WHERE n = 1", 1 },
                { "UPDATE audit SET n = -5 WHERE n = 6", 1 },
        };
        Scratch *s = *state;

        append_all(s->db);
        drop_triggers(s->db);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                turn_begin(s->db);
                assert_int_equal(savepoint_begin(s->db), 0);
                assert_int_equal(row_run(s->db, cases[i].sql, ""), 0);
                assert_int_equal(scratch_int(s->db, "SELECT total_changes() > 0"), 1);
                AuditVerdict v = verdict(s->db);
                if (v.broken != cases[i].broken || (v.broken != 0 && !v.why))
                        fail_msg("%s: record %lld instead of %lld, %s", cases[i].sql, (long long) v.broken, (long long) cases[i].broken, v.why ?: "");
                savepoint_rollback(s->db);
                assert_int_equal(verdict(s->db).broken, 0);
                assert_int_equal(turn_end(s->db), TURN_DONE);
        }
}

static void test_every_byte(void **state) {
        static const char *const read[] = { "SELECT digest FROM audit WHERE n = ?", "SELECT chain FROM audit WHERE n = ?" };
        static const char *const write[] = { "UPDATE audit SET digest = ?2 WHERE n = ?1", "UPDATE audit SET chain = ?2 WHERE n = ?1" };
        Scratch *s = *state;

        append_all(s->db);
        drop_triggers(s->db);
        for (int64_t n = 1; n <= RECORDS; n++)
                for (size_t i = 0; i < 2 * SHA256_SIZE; i++) {
                        uint8_t bytes[SHA256_SIZE];
                        turn_begin(s->db);
                        assert_int_equal(savepoint_begin(s->db), 0);
                        _statement_ q = db_statement(s->db, read[i / SHA256_SIZE]);
                        row_bind(q, "i", n);
                        assert_int_equal(row_step(s->db, q), 1);
                        memcpy(bytes, sqlite3_column_blob(q, 0), sizeof(bytes));
                        sqlite3_reset(q);
                        bytes[i % SHA256_SIZE] ^= 1;
                        assert_int_equal(row_run(s->db, write[i / SHA256_SIZE], "ib", n, bytes, sizeof(bytes)), 0);
                        assert_int_equal(verdict(s->db).broken, n);
                        savepoint_rollback(s->db);
                        assert_int_equal(turn_end(s->db), TURN_DONE);
                }
        assert_int_equal(verdict(s->db).broken, 0);
}

static void test_erased_values(void **state) {
        Scratch *s = *state;
        bool done = false;
        int lots = 0;

        append_all(s->db);
        turn_begin(s->db);
        for (; !done; lots++)
                assert_int_equal(audit_erase_values(s->db, 2, 2, &done), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_true(lots >= 2);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM audit_value WHERE customer = 2"), 0);
        assert_true(scratch_int(s->db, "SELECT count(*) FROM audit_value") > 0);
        append_all(s->db);
        AuditVerdict v = verdict(s->db);
        assert_int_equal(v.records, 2 * RECORDS);
        assert_int_equal(v.broken, 0);
        assert_true(v.erased >= 3);
}

static void with_key(Scratch *s) {
        Problem problem = {};
        turn_begin(s->db);
        assert_int_equal(key_open(s->db, s->directory, NULL, &problem), 0);
        assert_int_equal(audit_seal_begin(s->db), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

/* What an erasure took away is told from what somebody else did, also under the next key. */
static void test_erasure_is_sealed(void **state) {
        Scratch *s = *state;
        uint8_t master[KEY_SIZE] = { 1 };
        Key old, new;
        bool done = false;

        with_key(s);
        append_all(s->db);
        turn_begin(s->db);
        assert_int_equal(audit_erase_values(s->db, 2, 100, &done), 0);
        assert_true(done);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        int64_t erased = verdict(s->db).erased, first = scratch_int(s->db, "SELECT min(audit) FROM audit_value WHERE length(salt) = 32");
        assert_int_equal(verdict(s->db).broken, 0);
        assert_true(erased >= 2);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM audit_value WHERE length(salt) = 32 AND customer IS NULL AND before IS NULL AND after IS NULL"), erased);

        turn_begin(s->db);
        assert_int_equal(savepoint_begin(s->db), 0);
        /* The seal of another one. */
        assert_int_equal(row_run(s->db, "UPDATE audit_value SET customer = NULL, before = NULL, after = NULL, salt = (SELECT salt FROM audit_value WHERE audit = ?1)"
                                        " WHERE audit > ?1", "i", first), 0);
        assert_true(verdict(s->db).broken > first);
        savepoint_rollback(s->db);

        old = *db_key(s->db);
        key_derive(master, &new);
        assert_int_equal(audit_erasures_reseal(s->db, &new, &old), -EBADMSG);
        assert_int_equal(audit_reseal(s->db, &old, &new), 0);
        assert_int_equal(audit_erasures_reseal(s->db, &old, &new), 0);
        *(Key *) db_key(s->db) = new;
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(verdict(s->db).broken, 0);
        assert_int_equal(verdict(s->db).erased, erased);
}

/* ---- what may not be done by mistake ---- */

static void test_kept(void **state) {
        static const char *const refused[] = {
                "UPDATE audit SET verb = 'x' WHERE n = 6", "UPDATE audit SET n = 99 WHERE n = 6", "DELETE FROM audit WHERE n = 6", "DELETE FROM audit",
                "UPDATE audit_value SET before = NULL WHERE audit = 6", "DELETE FROM audit_value WHERE audit = 6",
                "INSERT OR REPLACE INTO audit_value SELECT audit, customer, salt, '{}', after FROM audit_value WHERE audit = 6",
                "REPLACE INTO audit SELECT n, format, time, 0, user, behalf, verb, object, outcome, code, request_id, operation, digest, chain FROM audit WHERE n = 6",
                "UPDATE audit_value SET salt = zeroblob(32), before = NULL, after = NULL WHERE audit = 6",
        }, *const refused_later[] = {
                "DELETE FROM audit WHERE n = 7", "DELETE FROM audit_value WHERE audit = 9", "UPDATE audit_checkpoint SET n = 12", "DELETE FROM audit_checkpoint",
                "UPDATE audit SET verb = 'x' WHERE n = 6", "DELETE FROM audit_head",
        };
        Scratch *s = *state;
        AuditLink link = { .n = 6 };

        append_all(s->db);
        turn_begin(s->db);
        for (int64_t n = 1; n <= 3; n++)
                assert_int_equal(row_run(s->db, "INSERT INTO customer(n, id, revision, organization, organization_key, account_type, state, management_mode, status, status_reason,"
                                                " created) VALUES(?1, CAST(?1 AS BLOB), 1, ?1, ?1, 'local', 'active', 'partner', '', '', 1)", "i", n), 0);
        /* One of them is on its way out. */
        assert_int_equal(row_run(s->db, "UPDATE customer SET state = 'disconnecting', erase_after = 1 WHERE n = 1", ""), 0);
        for (size_t i = 0; i < ELEMENTSOF(refused); i++)
                if (row_run(s->db, refused[i], "") >= 0)
                        fail_msg("%s was let through", refused[i]);
        assert_false(turn_is_broken(s->db));
        assert_int_equal(audit_checkpoint_put(s->db, &link, 6, 1), 0);
        for (size_t i = 0; i < ELEMENTSOF(refused_later); i++)
                if (strstr(refused_later[i], "head") == NULL && row_run(s->db, refused_later[i], "") >= 0)
                        fail_msg("%s was let through", refused_later[i]);
        assert_int_equal(row_run(s->db, "DELETE FROM audit_value WHERE audit = 6", ""), 0);
        assert_int_equal(row_run(s->db, "DELETE FROM audit WHERE n = 6", ""), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM audit"), RECORDS - 1);
}

/* ---- with the key: what is cut off at either end ---- */

static void expire(Scratch *s, Usec before, int lots) {
        bool more = true;
        turn_begin(s->db);
        for (int i = 0; i < lots && more; i++) {
                more = false;
                assert_int_equal(audit_expire(s->db, before, 7, 2, &more), 0);
        }
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

static const Usec first_time = 1767225600 * USEC_SEC;

static void test_expires(void **state) {
        Scratch *s = *state;

        with_key(s);
        append_all(s->db);
        expire(s, first_time, 9);
        assert_int_equal(verdict(s->db).checkpoints, 0);
        /* Half of it: in the middle of the lots, and at their end. */
        for (int lots = 1; lots <= 9; lots += 8) {
                expire(s, first_time + 5, lots);
                AuditVerdict v = verdict(s->db);
                assert_int_equal(v.broken, 0);
                assert_int_equal(v.expired, 5);
                assert_int_equal(v.first, 6);
                assert_int_equal(v.last, RECORDS);
        }
        assert_int_equal(scratch_int(s->db, "SELECT min(n) FROM audit"), 6);
        assert_int_equal(scratch_int(s->db, "SELECT min(audit) FROM audit_value"), 6);
        /* The second checkpoint; then all of it, and the chain goes on. */
        expire(s, first_time + 7, 9);
        assert_int_equal(verdict(s->db).checkpoints, 2);
        expire(s, first_time + 100, 9);
        AuditVerdict v = verdict(s->db);
        assert_int_equal(v.broken, 0);
        assert_int_equal(v.records, 0);
        assert_int_equal(v.last, RECORDS);
        scratch_reopen(s);
        with_key(s);
        append_all(s->db);
        v = verdict(s->db);
        assert_int_equal(v.broken, 0);
        assert_int_equal(v.first, RECORDS + 1);
        assert_int_equal(v.last, 2 * RECORDS);
}

/* A clock that went back: what stands behind a younger record stays. */
static void test_expires_in_order(void **state) {
        Scratch *s = *state;
        AuditRecord record = { .uid = 0, .user = "root", .verb = "partner.set", .outcome = "ok" };
        static const Usec times[] = { 10, 20, 50, 30, 60 };

        with_key(s);
        turn_begin(s->db);
        for (size_t i = 0; i < ELEMENTSOF(times); i++) {
                record.time = times[i];
                assert_true(audit_append(s->db, &record) >= 0);
        }
        assert_int_equal(turn_end(s->db), TURN_DONE);
        expire(s, 40, 9);
        assert_int_equal(scratch_int(s->db, "SELECT min(n) FROM audit"), 3);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM audit"), 3);
        assert_int_equal(verdict(s->db).broken, 0);
}

/* Records 1 to 4 and 5 to 6 are expired, 7 to 12 are there. */
static void test_cut(void **state) {
        static const struct {
                const char *sql;
                int64_t broken;
        } cases[] = {
                { "DELETE FROM audit WHERE n = 12", 12 },
                { "DELETE FROM audit WHERE n > 9", 10 },
                { "DELETE FROM audit", 7 },
                { "DELETE FROM audit WHERE n = 7", 7 },
                { "DELETE FROM audit WHERE n < 10", 7 },
                { "DELETE FROM audit_head", 7 },
                { "DELETE FROM audit_value WHERE audit = 9", 9 },
                { "UPDATE audit_value SET customer = NULL, salt = zeroblob(32), before = NULL, after = NULL WHERE audit = 9", 9 },
                { "UPDATE audit_head SET n = 9, chain = (SELECT chain FROM audit WHERE n = 9)", 7 },
                { "UPDATE audit_head SET seal = zeroblob(32)", 7 },
                { "UPDATE audit_head SET seal = x'00'", 7 },
                { "DELETE FROM audit_checkpoint", 1 },
                { "DELETE FROM audit_checkpoint WHERE n = 4", 6 },
                { "DELETE FROM audit_checkpoint WHERE n = 6", 5 },
                { "UPDATE audit_checkpoint SET n = 5 WHERE n = 4", 5 },
                { "UPDATE audit_checkpoint SET count = 6 WHERE n = 6", 6 },
                { "UPDATE audit_checkpoint SET chain = (SELECT chain FROM audit WHERE n = 8) WHERE n = 6", 6 },
                { "INSERT INTO audit_checkpoint SELECT 8, time, (SELECT chain FROM audit WHERE n = 8), 2, seal FROM audit_checkpoint WHERE n = 6", 8 },
        };
        Scratch *s = *state;

        with_key(s);
        append_all(s->db);
        expire(s, first_time + 4, 9);
        expire(s, first_time + 6, 9);
        assert_int_equal(verdict(s->db).broken, 0);
        drop_triggers(s->db);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                turn_begin(s->db);
                assert_int_equal(savepoint_begin(s->db), 0);
                assert_int_equal(row_run(s->db, cases[i].sql, ""), 0);
                AuditVerdict v = verdict(s->db);
                if (v.broken != cases[i].broken || !v.why)
                        fail_msg("%s: record %lld instead of %lld, %s", cases[i].sql, (long long) v.broken, (long long) cases[i].broken, v.why ?: "");
                savepoint_rollback(s->db);
                assert_int_equal(verdict(s->db).broken, 0);
                assert_int_equal(turn_end(s->db), TURN_DONE);
        }
}

/* What was cut off while nobody looked is not covered up by what is written next. */
static void test_cut_and_gone_on(void **state) {
        Scratch *s = *state;

        with_key(s);
        append_all(s->db);
        drop_triggers(s->db);
        turn_begin(s->db);
        assert_int_equal(row_run(s->db, "DELETE FROM audit WHERE n > 9", ""), 0);
        assert_int_equal(row_run(s->db, "DELETE FROM audit_value WHERE audit > 9", ""), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        turn_begin(s->db);
        append(s->db, 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(verdict(s->db).broken, 11);
        append_all(s->db);
        assert_int_equal(verdict(s->db).broken, 12);
}

/* What is emptied is no new database. */
static void test_emptied(void **state) {
        static const char *const more[] = { NULL, "DELETE FROM setting WHERE name = 'key-mark'" };
        Scratch *s = *state;

        with_key(s);
        append_all(s->db);
        turn_begin(s->db);
        assert_int_equal(row_run(s->db, "INSERT INTO customer(n, id, revision, organization, organization_key, account_type, state, management_mode, status, status_reason,"
                                        " created) VALUES(1, x'01', 1, 'a', 'a', 'local', 'active', 'partner', '', '', 1)", ""), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        drop_triggers(s->db);
        for (size_t i = 0; i < ELEMENTSOF(more); i++) {
                static const char *const tables[] = { "DELETE FROM audit", "DELETE FROM audit_value", "DELETE FROM audit_checkpoint", "DELETE FROM audit_head" };
                turn_begin(s->db);
                for (size_t k = 0; k < ELEMENTSOF(tables); k++)
                        assert_int_equal(row_run(s->db, tables[k], ""), 0);
                if (more[i])
                        assert_int_equal(row_run(s->db, more[i], ""), 0);
                assert_int_equal(turn_end(s->db), TURN_DONE);
                scratch_reopen(s);
                with_key(s);
                assert_int_equal(verdict(s->db).broken, 1);
                append_all(s->db);
                assert_true(verdict(s->db).broken > 0);
        }
}

static void test_another_key(void **state) {
        Scratch *s = *state;
        uint8_t master[KEY_SIZE] = { 1 };
        Key old, new;

        with_key(s);
        append_all(s->db);
        expire(s, first_time + 4, 9);
        old = *db_key(s->db);
        key_derive(master, &new);
        turn_begin(s->db);
        assert_int_equal(audit_reseal(s->db, &new, &old), -EBADMSG);
        assert_int_equal(audit_reseal(s->db, &old, &new), 0);
        *(Key *) db_key(s->db) = new;
        assert_int_equal(verdict(s->db).broken, 0);
        append(s->db, 1);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        AuditVerdict v = verdict(s->db);
        assert_int_equal(v.broken, 0);
        assert_int_equal(v.last, RECORDS + 1);
        *(Key *) db_key(s->db) = old;
        assert_true(verdict(s->db).broken > 0);
}

/* ---- request_ids ---- */

static void test_requests(void **state) {
        Scratch *s = *state;
        bool more = false;
        const RequestKey key = { .uid = 1000, .behalf = "", .method = "customer.edit", .id = "r1" };
        const RequestKey others[] = {
                { 1001, "", "customer.edit", "r1" }, { 1000, "x", "customer.edit", "r1" }, { 1000, "", "customer.pin", "r1" },
                { 1000, "", "customer.edit", "R1" }, { 1000, "", "customer.edit", "r1 " },
        };
        RequestAnswer answer = { .digest = { 1, 2, 3 }, .answer = "{\"id\":\"1\"}" }, found;

        turn_begin(s->db);
        assert_int_equal(request_find(s->db, s->arena, &key, &found), 0);
        assert_int_equal(request_put(s->db, &key, &answer, 1000), 0);
        assert_int_equal(request_find(s->db, s->arena, &key, &found), 1);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM request WHERE hex(substr(digest, 1, 3)) = '010203'"), 0);
        assert_true(request_is(s->db, &found, answer.digest));
        assert_false(request_is(s->db, &found, (uint8_t[SHA256_SIZE]) { 1, 2, 4 }));
        assert_string_equal(found.answer, answer.answer);
        assert_null(found.kind);
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                assert_int_equal(request_find(s->db, s->arena, &others[i], &found), 0);
        RequestAnswer refusal = { .kind = "Refused", .code = "seats-insufficient", .field = "seats" };
        assert_int_equal(request_put(s->db, &others[0], &refusal, 2000), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);

        scratch_reopen(s);
        assert_int_equal(request_find(s->db, s->arena, &others[0], &found), 1);
        assert_string_equal(found.kind, "Refused");
        assert_string_equal(found.code, "seats-insufficient");
        assert_string_equal(found.field, "seats");
        assert_null(found.answer);

        turn_begin(s->db);
        assert_int_equal(request_expire(s->db, 1500, 100, &more), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(request_find(s->db, s->arena, &key, &found), 0);
        assert_int_equal(request_find(s->db, s->arena, &others[0], &found), 1);
}

static void test_requests_expire_in_lots(void **state) {
        Scratch *s = *state;
        RequestAnswer answer = { .answer = "{}" };
        bool more = false;

        turn_begin(s->db);
        for (int i = 0; i < 50; i++) {
                RequestKey key = { .uid = 0, .behalf = "", .method = "customer.edit", .id = arena_printf(s->arena, "r%d", i) };
                assert_int_equal(request_put(s->db, &key, &answer, i), 0);
        }
        assert_int_equal(request_expire(s->db, 40, 30, &more), 0);
        assert_true(more);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM request"), 20);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM request WHERE created >= 40"), 10);
        more = false;
        assert_int_equal(request_expire(s->db, 40, 30, &more), 0);
        assert_false(more);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM request"), 10);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_holds),       TEST(test_rolled_back),  TEST(test_tampering),
                TEST(test_every_byte),   TEST(test_erased_values), TEST(test_requests),
                TEST(test_kept),         TEST(test_expires),     TEST(test_expires_in_order),
                TEST(test_cut),          TEST(test_cut_and_gone_on), TEST(test_another_key),
                TEST(test_emptied),      TEST(test_erasure_is_sealed),
                TEST(test_requests_expire_in_lots),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/db-private.h"
#include "tests/store/scratch.h"

/* The rules of the turn: what is true of the file when a disk fails, and what a caller may be told. */

static void commit(Db *db, const char *name) {
        turn_begin(db);
        scratch_put(db, name, "1");
        assert_int_equal(turn_end(db), TURN_DONE);
}

/* Some pages' worth of rows, never twice the same: SQLite does not write what is there already. */
static void fill(Db *db, const char *prefix, int rows) {
        static int64_t count;
        char name[64], value[1001];
        memset(value, 'x', sizeof(value) - 1);
        value[sizeof(value) - 1] = 0;
        sprintf(value, "%lld", (long long) ++count);
        value[strlen(value)] = 'x';
        for (int i = 0; i < rows; i++) {
                snprintf(name, sizeof(name), "%s-%06d", prefix, i);
                scratch_put(db, name, value);
        }
}

static void assert_goes_on(Scratch *s, const char *name) {
        commit(s->db, name);
        scratch_reopen(s);
        assert_true(scratch_has(s->db, name));
}

/* ---- the commit fails ---- */

static void test_full_at_commit(void **state) {
        Scratch *s = *state;
        Problem problem = {};

        commit(s->db, "before");
        turn_begin(s->db);
        scratch_put(s->db, "lost", "1");
        turn_effect(s->db, (Effect) { .type = EFFECT_UNLINK, .path = memory_strdup("/nowhere") });
        shim_fail(&(ShimFault) { .operations = SHIM_WRITE, .files = SHIM_WAL, .code = SQLITE_FULL });
        assert_int_equal(turn_end(s->db), TURN_NOT_DONE);
        assert_true(shim_hits() > 0);

        size_t n;
        (void) turn_effects(s->db, &n);
        assert_int_equal(n, 0);
        turn_failure(s->db, &problem);
        assert_int_equal(problem.kind, PROBLEM_UNAVAILABLE);
        assert_string_equal(problem.code, "disk-full");
        assert_false(scratch_has(s->db, "lost"));

        /* Reads go on while the disk is full, and changes as soon as it is not. */
        assert_true(scratch_has(s->db, "before"));
        shim_heal();
        assert_goes_on(s, "after");
        assert_false(scratch_has(s->db, "lost"));
}

/* Wherever in the commit the disk is full: not done, nothing there, and the next turn is done. */
static void test_full_at_every_write(void **state) {
        Scratch *s = *state;
        unsigned n = 0;

        for (bool failed = true; failed; n++) {
                char name[32];
                snprintf(name, sizeof(name), "big-%u", n);
                turn_begin(s->db);
                fill(s->db, name, 400);
                shim_fail(&(ShimFault) { .operations = SHIM_WRITE, .files = SHIM_WAL, .after = n, .times = 1, .code = SQLITE_FULL, .torn = n % 2 });
                TurnEnd end = turn_end(s->db);
                failed = shim_hits() > 0;
                shim_heal();
                assert_int_equal(end, failed ? TURN_NOT_DONE : TURN_DONE);
                snprintf(name, sizeof(name), "big-%u-%06d", n, 399);
                assert_int_equal(scratch_has(s->db, name), !failed);
                snprintf(name, sizeof(name), "small-%u", n);
                commit(s->db, name);
        }
        assert_true(n > 5);
        scratch_reopen(s);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM setting WHERE name LIKE 'small-%'"), n);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM setting WHERE name LIKE 'big-%'"), 400);
}

static void assert_unknown(Scratch *s, unsigned operation, int code) {
        for (unsigned n = 0;; n++) {
                turn_begin(s->db);
                fill(s->db, "doubtful", 20);
                shim_fail(&(ShimFault) { .operations = operation, .files = SHIM_WAL, .after = n, .times = 1, .code = code });
                TurnEnd end = turn_end(s->db);
                bool failed = shim_hits() > 0;
                shim_heal();
                assert_int_equal(end, failed ? TURN_UNKNOWN : TURN_DONE);
                if (!failed) {
                        assert_true(n > 0);
                        return;
                }
                /* The process ends now. Whatever the next one finds, it is a whole turn or none. */
                scratch_reopen(s);
                int64_t rows = scratch_int(s->db, "SELECT count(*) FROM setting WHERE name LIKE 'doubtful-%'");
                assert_true(rows == 0 || rows == 20);
                turn_begin(s->db);
                assert_int_equal(row_run(s->db, "DELETE FROM setting", ""), 0);
                assert_int_equal(turn_end(s->db), TURN_DONE);
        }
}

static void test_io_error_at_commit(void **state) {
        Scratch *s = *state;
        assert_unknown(s, SHIM_WRITE, SQLITE_IOERR_WRITE);
        assert_unknown(s, SHIM_SYNC, SQLITE_IOERR_FSYNC);
}

/* Memory can end after the commit is in the file, too. */
static void test_no_memory_at_commit(void **state) {
        Scratch *s = *state;
        assert_unknown(s, SHIM_WRITE, SQLITE_IOERR_NOMEM);
        assert_unknown(s, SHIM_SYNC, SQLITE_IOERR_NOMEM);
}

/* ---- the transaction is lost before its end ---- */

/* Drops the page cache, so that the next statement must read the file. */
static void forget_pages(Db *db) {
        sqlite3_db_release_memory(db_handle(db));
}

static void test_lost_inside_a_savepoint(void **state) {
        Scratch *s = *state;
        size_t n;

        turn_begin(s->db);
        fill(s->db, "row", 200);
        assert_int_equal(turn_end(s->db), TURN_DONE);

        turn_begin(s->db);
        assert_int_equal(savepoint_begin(s->db), 0);
        scratch_put(s->db, "first-action", "1");
        turn_effect(s->db, (Effect) { .type = EFFECT_TASK_READY });
        assert_int_equal(savepoint_release(s->db), 0);

        assert_int_equal(savepoint_begin(s->db), 0);
        forget_pages(s->db);
        shim_fail(&(ShimFault) { .operations = SHIM_READ, .files = SHIM_FILES, .code = SQLITE_IOERR_READ });
        assert_true(row_run(s->db, "UPDATE setting SET value = 'changed'", "") < 0);
        assert_true(shim_hits() > 0);
        shim_heal();
        savepoint_rollback(s->db);
        assert_true(turn_is_broken(s->db));

        /* Nothing of a later action gets to the disk behind the turn's back, by whatever way it tries. */
        assert_true(savepoint_begin(s->db) < 0);
        assert_true(row_run(s->db, "INSERT INTO setting(name, value) VALUES('second-action', '1')", "") < 0);
        int64_t one;
        assert_true(row_int(s->db, &one, "SELECT 1", "") < 0);
        assert_int_equal(turn_end(s->db), TURN_NOT_DONE);
        (void) turn_effects(s->db, &n);
        assert_int_equal(n, 0);

        scratch_reopen(s);
        assert_false(scratch_has(s->db, "first-action"));
        assert_false(scratch_has(s->db, "second-action"));
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM setting WHERE value = 'changed'"), 0);
        assert_goes_on(s, "after");
}

/* SQL that ends a transaction by itself is caught just as well. */
static void test_rolled_back_by_a_statement(void **state) {
        Scratch *s = *state;

        commit(s->db, "there");
        turn_begin(s->db);
        scratch_put(s->db, "first-action", "1");
        assert_int_equal(savepoint_begin(s->db), 0);
        assert_true(row_run(s->db, "INSERT OR ROLLBACK INTO setting(name, value) VALUES('there', '2')", "") < 0);
        assert_true(turn_is_broken(s->db));
        assert_true(savepoint_release(s->db) < 0);
        assert_int_equal(turn_end(s->db), TURN_NOT_DONE);
        assert_false(scratch_has(s->db, "first-action"));
        assert_goes_on(s, "after");
}

/* ---- a turn begins with what it changes ---- */

static int count_transaction(unsigned type, void *userdata, void *statement, void *text) {
        int *n = userdata;
        const char *sql = sqlite3_sql(statement);
        *n += strcmp(sql, "BEGIN") == 0 || strcmp(sql, "COMMIT") == 0 || strcmp(sql, "ROLLBACK") == 0;
        return 0;
}

static void test_turn_begins_with_what_it_changes(void **state) {
        Scratch *s = *state;
        int n = 0;
        size_t effects;

        commit(s->db, "there");
        sqlite3_trace_v2(db_handle(s->db), SQLITE_TRACE_STMT, count_transaction, &n);
        shim_count_anew();
        turn_begin(s->db);
        assert_true(scratch_has(s->db, "there"));
        turn_effect(s->db, (Effect) { .type = EFFECT_TASK_READY });
        assert_true(sqlite3_get_autocommit(db_handle(s->db)));
        assert_false(turn_is_broken(s->db));
        assert_int_equal(turn_end(s->db), TURN_DONE);
        (void) turn_effects(s->db, &effects);
        assert_int_equal(effects, 1);
        turn_begin(s->db);
        assert_true(scratch_has(s->db, "there"));
        turn_give_up(s->db);
        assert_int_equal(turn_end(s->db), TURN_NOT_DONE);
        assert_int_equal(n, 0);
        assert_int_equal(shim_count(SHIM_CHANGES, SHIM_FILES), 0);

        /* With a change, while something is being read: it reads on, and what follows is in the same transaction. */
        turn_begin(s->db);
        {
                int rows = 0;
                _statement_ q = db_statement(s->db, "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5) SELECT n FROM c, setting WHERE name = 'there'");
                while (row_step(s->db, q) > 0) {
                        char name[32];
                        snprintf(name, sizeof(name), "taken-back-%d", ++rows);
                        scratch_put(s->db, name, "1");
                        assert_false(sqlite3_get_autocommit(db_handle(s->db)));
                }
                assert_int_equal(rows, 5);
        }
        assert_int_equal(n, 1);
        turn_give_up(s->db);
        assert_int_equal(turn_end(s->db), TURN_NOT_DONE);
        assert_int_equal(n, 2);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM setting WHERE name LIKE 'taken-back-%'"), 0);

        /* Or with an action. */
        turn_begin(s->db);
        assert_int_equal(savepoint_begin(s->db), 0);
        assert_false(sqlite3_get_autocommit(db_handle(s->db)));
        scratch_put(s->db, "refused", "1");
        savepoint_rollback(s->db);
        assert_false(sqlite3_get_autocommit(db_handle(s->db)));
        scratch_put(s->db, "its-record", "1");
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(n, 4);
        sqlite3_trace_v2(db_handle(s->db), 0, NULL, NULL);
        scratch_reopen(s);
        assert_true(scratch_has(s->db, "its-record"));
        assert_false(scratch_has(s->db, "refused"));
}

static void test_lost_before_it_changes_anything(void **state) {
        Scratch *s = *state;
        int64_t rows;

        turn_begin(s->db);
        fill(s->db, "row", 200);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        turn_begin(s->db);
        forget_pages(s->db);
        shim_fail(&(ShimFault) { .operations = SHIM_READ, .files = SHIM_FILES, .code = SQLITE_IOERR_READ });
        assert_true(row_int(s->db, &rows, "SELECT count(*) FROM setting WHERE value = ''", "") < 0);
        assert_true(shim_hits() > 0);
        shim_heal();
        assert_true(turn_is_broken(s->db));
        assert_true(row_run(s->db, "INSERT INTO setting(name, value) VALUES('behind', '1')", "") < 0);
        assert_true(savepoint_begin(s->db) < 0);
        assert_int_equal(turn_end(s->db), TURN_NOT_DONE);
        assert_false(scratch_has(s->db, "behind"));
        assert_goes_on(s, "after");
}

#define LONG "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000) "

/* A read that is stopped ends nothing but itself, whether the transaction has begun or not; a change that is stopped ends the turn. */
static void test_interrupted(void **state) {
        static const bool volatile yes = true;
        Scratch *s = *state;
        int64_t n;

        for (int begun = 0; begun < 2; begun++) {
                turn_begin(s->db);
                if (begun)
                        scratch_put(s->db, "before", "1");
                db_limit_reads(s->db, 0, &yes);
                assert_int_equal(row_int(s->db, &n, LONG "SELECT count(*) FROM c", ""), -ETIME);
                db_limit_reads(s->db, 1, NULL);
                assert_int_equal(row_int(s->db, &n, LONG "SELECT count(*) FROM c, c d", ""), -ETIME);
                db_limit_reads(s->db, 0, NULL);
                assert_false(turn_is_broken(s->db));
                assert_int_equal(row_int(s->db, &n, LONG "SELECT count(*) FROM c", ""), 1);
                assert_int_equal(n, 100000);
                assert_int_equal(savepoint_begin(s->db), 0);
                scratch_put(s->db, begun ? "next-1" : "next-0", "1");
                assert_int_equal(savepoint_release(s->db), 0);
                assert_int_equal(turn_end(s->db), TURN_DONE);
        }
        turn_begin(s->db);
        scratch_put(s->db, "lost", "1");
        db_limit_reads(s->db, 0, &yes);
        assert_true(row_run(s->db, "INSERT INTO setting(name, value) " LONG "SELECT n, n FROM c", "") < 0);
        db_limit_reads(s->db, 0, NULL);
        assert_true(turn_is_broken(s->db));
        assert_true(row_run(s->db, "INSERT INTO setting(name, value) VALUES('behind', '1')", "") < 0);
        assert_int_equal(turn_end(s->db), TURN_NOT_DONE);
        assert_goes_on(s, "after");
        assert_true(scratch_has(s->db, "before"));
        assert_true(scratch_has(s->db, "next-0"));
        assert_true(scratch_has(s->db, "next-1"));
        assert_false(scratch_has(s->db, "lost"));
        assert_false(scratch_has(s->db, "behind"));
}

/* ---- savepoints and effects ---- */

static void effect(Db *db, int64_t n) {
        turn_effect(db, (Effect) { .type = EFFECT_TASK_FINISHED, .n = n });
}

static void test_refusal_leaves_the_others(void **state) {
        Scratch *s = *state;
        size_t n;

        turn_begin(s->db);
        assert_int_equal(savepoint_begin(s->db), 0);
        scratch_put(s->db, "first", "1");
        effect(s->db, 1);
        assert_int_equal(savepoint_release(s->db), 0);
        assert_int_equal(savepoint_begin(s->db), 0);
        scratch_put(s->db, "refused", "1");
        effect(s->db, 2);
        savepoint_rollback(s->db);
        assert_int_equal(savepoint_begin(s->db), 0);
        scratch_put(s->db, "third", "1");
        effect(s->db, 3);
        assert_int_equal(savepoint_release(s->db), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);

        const Effect *effects = turn_effects(s->db, &n);
        assert_int_equal(n, 2);
        assert_int_equal(effects[0].n, 1);
        assert_int_equal(effects[1].n, 3);
        scratch_reopen(s);
        assert_true(scratch_has(s->db, "first"));
        assert_false(scratch_has(s->db, "refused"));
        assert_true(scratch_has(s->db, "third"));
}

static void test_nested_savepoints(void **state) {
        Scratch *s = *state;
        size_t n;

        turn_begin(s->db);
        assert_int_equal(savepoint_begin(s->db), 0);
        scratch_put(s->db, "outer", "1");
        effect(s->db, 1);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(savepoint_begin(s->db), 0);
                scratch_put(s->db, i == 1 ? "item-1" : i ? "item-2" : "item-0", "1");
                effect(s->db, 10 + i);
                assert_int_equal(savepoint_begin(s->db), 0);
                scratch_put(s->db, "inner", "1");
                effect(s->db, 20 + i);
                savepoint_rollback(s->db);
                if (i == 1)
                        savepoint_rollback(s->db);
                else
                        assert_int_equal(savepoint_release(s->db), 0);
        }
        assert_int_equal(savepoint_release(s->db), 0);
        assert_int_equal(savepoint_begin(s->db), 0);
        assert_int_equal(savepoint_begin(s->db), 0);
        scratch_put(s->db, "released-into-a-rollback", "1");
        effect(s->db, 30);
        assert_int_equal(savepoint_release(s->db), 0);
        savepoint_rollback(s->db);
        assert_int_equal(turn_end(s->db), TURN_DONE);

        const Effect *effects = turn_effects(s->db, &n);
        assert_int_equal(n, 3);
        assert_int_equal(effects[0].n, 1);
        assert_int_equal(effects[1].n, 10);
        assert_int_equal(effects[2].n, 12);
        scratch_reopen(s);
        assert_true(scratch_has(s->db, "outer"));
        assert_true(scratch_has(s->db, "item-0"));
        assert_false(scratch_has(s->db, "item-1"));
        assert_true(scratch_has(s->db, "item-2"));
        assert_false(scratch_has(s->db, "inner"));
        assert_false(scratch_has(s->db, "released-into-a-rollback"));
}

/* Nobody else sees what is not on disk; a snapshot sees one moment. */
static void test_no_dirty_reads(void **state) {
        Scratch *s = *state;
        _cleanup_(db_closep) Db *reader = NULL;

        commit(s->db, "old");
        assert_int_equal(db_open_reader(s->directory, SHIM_VFS, &reader), 0);
        turn_begin(s->db);
        fill(s->db, "new", 100);
        assert_int_equal(savepoint_begin(s->db), 0);
        scratch_put(s->db, "newest", "1");
        assert_int_equal(savepoint_release(s->db), 0);
        assert_true(scratch_has(s->db, "newest"));
        assert_true(scratch_has(reader, "old"));
        assert_false(scratch_has(reader, "newest"));
        assert_int_equal(db_snapshot_begin(reader), 0);
        assert_false(scratch_has(reader, "new-000099"));
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_false(scratch_has(reader, "newest"));
        db_snapshot_end(reader);
        assert_true(scratch_has(reader, "newest"));
        assert_true(scratch_has(reader, "new-000099"));
}

static void test_readers_cannot_write(void **state) {
        Scratch *s = *state;
        _cleanup_(db_closep) Db *reader = NULL;

        assert_int_equal(db_open_reader(s->directory, SHIM_VFS, &reader), 0);
        assert_true(row_run(reader, "INSERT INTO setting(name, value) VALUES('by-a-reader', '1')", "") < 0);
        assert_false(scratch_has(s->db, "by-a-reader"));
}

/* ---- checkpoints ---- */

static void fill_wal(Db *db, int pages) {
        while (db->wal_pages - db->wal_written_back < pages) {
                turn_begin(db);
                /* 1,000 bytes a row, four to a page: in lots that come near, then one by one. */
                fill(db, "wal", pages - (db->wal_pages - db->wal_written_back) > 200 ? 400 : 1);
                assert_int_equal(turn_end(db), TURN_DONE);
        }
}

static void test_checkpoints_are_ours(void **state) {
        Scratch *s = *state;
        _cleanup_(db_closep) Db *reader = NULL;

        commit(s->db, "begin");
        shim_count_anew();
        fill_wal(s->db, 990);
        assert_int_equal(turn_checkpoint(s->db, true), 0);
        assert_int_equal(db_open_reader(s->directory, SHIM_VFS, &reader), 0);
        assert_true(scratch_has(reader, "begin"));
        db_close(TAKE_PTR(reader));
        assert_int_equal(shim_count(SHIM_CHANGES, SHIM_DATABASE), 0);

        fill_wal(s->db, 1010);
        assert_int_equal(turn_checkpoint(s->db, false), 0);
        assert_int_equal(shim_count(SHIM_CHANGES, SHIM_DATABASE), 0);
        assert_int_equal(turn_checkpoint(s->db, true), 0);
        assert_true(shim_count(SHIM_WRITE, SHIM_DATABASE) > 0);
        assert_true(shim_count(SHIM_SYNC, SHIM_DATABASE) > 0);

        shim_count_anew();
        assert_int_equal(turn_checkpoint(s->db, true), 0);
        fill_wal(s->db, 3990);
        assert_int_equal(turn_checkpoint(s->db, false), 0);
        assert_int_equal(shim_count(SHIM_CHANGES, SHIM_DATABASE), 0);
        fill_wal(s->db, 4010);
        assert_int_equal(turn_checkpoint(s->db, false), 0);
        assert_true(shim_count(SHIM_WRITE, SHIM_DATABASE) > 0);
}

static void test_checkpoint_tells_of_the_disk(void **state) {
        static const struct {
                unsigned operation, file;
                int code;
                bool harmless;
        } cases[] = {
                { SHIM_SYNC, SHIM_WAL, SQLITE_IOERR_FSYNC, false },      { SHIM_SYNC, SHIM_DATABASE, SQLITE_IOERR_FSYNC, false },
                { SHIM_WRITE, SHIM_DATABASE, SQLITE_IOERR_WRITE, false }, { SHIM_WRITE, SHIM_DATABASE, SQLITE_FULL, true },
        };
        Scratch *s = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char name[32];
                snprintf(name, sizeof(name), "kept-%zu", i);
                fill_wal(s->db, 1010);
                commit(s->db, name);
                shim_fail(&(ShimFault) { .operations = cases[i].operation, .files = cases[i].file, .code = cases[i].code });
                int r = turn_checkpoint(s->db, true);
                assert_true(shim_hits() > 0);
                shim_heal();
                assert_int_equal(r < 0, !cases[i].harmless);
                if (cases[i].harmless)
                        commit(s->db, "goes-on");
                scratch_reopen(s);
                assert_true(scratch_has(s->db, name));
        }
        assert_true(scratch_has(s->db, "goes-on"));
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

/* A full disk under a grown WAL: written back, it has room for the next turns without growing. */
static void test_full_disk_uses_the_wal_again(void **state) {
        Scratch *s = *state;

        fill_wal(s->db, 500);
        int64_t bytes = db_figures(s->db).wal_bytes;
        shim_fail(&(ShimFault) { .operations = SHIM_WRITE, .files = SHIM_WAL, .code = SQLITE_FULL });
        turn_begin(s->db);
        scratch_put(s->db, "lost", "1");
        assert_int_equal(turn_end(s->db), TURN_NOT_DONE);
        shim_heal();
        shim_count_anew();
        assert_int_equal(turn_checkpoint(s->db, false), 0);
        assert_true(shim_count(SHIM_WRITE, SHIM_DATABASE) > 0);
        turn_begin(s->db);
        fill(s->db, "new", 100);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(db_figures(s->db).wal_bytes, bytes);
        assert_goes_on(s, "after");
        assert_true(scratch_has(s->db, "new-000099"));
}

/* Turns write into room that is there; the file grows between them, many pages at once, and what it holds is what was committed. */
static void test_wal_has_room_ahead(void **state) {
        Scratch *s = *state;

        commit(s->db, "first");
        for (int i = 0; i < 100; i++) {
                char name[32];
                assert_int_equal(turn_checkpoint(s->db, false), 0);
                int64_t bytes = db_figures(s->db).wal_bytes;
                snprintf(name, sizeof(name), "room-%d", i);
                commit(s->db, name);
                assert_int_equal(db_figures(s->db).wal_bytes, bytes);
        }
        /* After a death all of it is found, and no more. */
        shim_fail(&(ShimFault) { .operations = SHIM_CHANGES, .files = SHIM_FILES, .freeze = true, .lose = true });
        turn_begin(s->db);
        scratch_put(s->db, "lost", "1");
        assert_int_equal(turn_end(s->db), TURN_UNKNOWN);
        scratch_close(s);
        shim_heal();
        scratch_reopen(s);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM setting WHERE name LIKE 'room-%'"), 100);
        assert_false(scratch_has(s->db, "lost"));
        assert_goes_on(s, "after");
}

/* After a whole checkpoint the WAL begins anew; what a snapshot still needs is not taken from under it. */
static void test_checkpoint_beside_a_snapshot(void **state) {
        Scratch *s = *state;
        _cleanup_(db_closep) Db *reader = NULL;

        commit(s->db, "old");
        assert_int_equal(db_open_reader(s->directory, SHIM_VFS, &reader), 0);
        assert_int_equal(db_snapshot_begin(reader), 0);
        assert_true(scratch_has(reader, "old"));
        turn_begin(s->db);
        assert_int_equal(row_run(s->db, "DELETE FROM setting WHERE name = 'old'", ""), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        fill_wal(s->db, 1010);
        assert_int_equal(turn_checkpoint(s->db, true), 0);
        fill_wal(s->db, 1010);
        assert_int_equal(turn_checkpoint(s->db, true), 0);
        assert_true(scratch_has(reader, "old"));
        db_snapshot_end(reader);
        assert_false(scratch_has(reader, "old"));

        fill_wal(s->db, 1010);
        assert_int_equal(turn_checkpoint(s->db, true), 0);
        int64_t before = db_figures(s->db).wal_bytes;
        fill_wal(s->db, 500);
        assert_int_equal(db_figures(s->db).wal_bytes, before);
}

/* ---- dying ---- */

/* A life of so many turns, with checkpoints between. Returns how many were acknowledged before the disk froze. */
static int live(const char *directory, int turns) {
        Problem problem;
        int status, i;
        Db *db;

        if (db_open_writer(directory, SHIM_VFS, &db, &status, &problem) != 0)
                return 0;
        for (i = 0; i < turns; i++) {
                char name[32];
                turn_begin(db);
                snprintf(name, sizeof(name), "turn-%d", i);
                fill(db, name, 6);
                scratch_put(db, name, "1");
                if (turn_end(db) != TURN_DONE)
                        break;
                db->wal_pages += 1000;
                if (i % 3 == 2 && turn_checkpoint(db, true) < 0) {
                        i++;
                        break;
                }
        }
        db_close(db);
        return i;
}

/* What the next process must find: all that was acknowledged, and at most one turn more, whole. */
static void assert_survived(Scratch *s, int64_t done, unsigned call) {
        scratch_open(s);
        int64_t there = scratch_int(s->db, "SELECT count(*) FROM setting WHERE name NOT GLOB 'turn-*-*'");
        if (there < done || there > done + 1)
                fail_msg("died at call %u: %lld turns were acknowledged, %lld are there", call, (long long) done, (long long) there);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM setting"), there * 7);
        for (int i = 0; i < there; i++) {
                char name[32];
                snprintf(name, sizeof(name), "turn-%d", i);
                assert_true(scratch_has(s->db, name));
        }
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
        commit(s->db, "after");
        scratch_close(s);
}

/* Dies at every write, sync and truncate of a life, checkpoints included. s: with a database to begin with, or without.
 * Returns how many there were. */
static unsigned die_everywhere(Scratch *s, bool lose, int turns) {
        char directory[sizeof(s->directory)];
        bool has_database = s->db;
        unsigned n = 0;

        scratch_close(s);
        strcpy(directory, s->directory);
        for (bool died = true; died; n++) {
                snprintf(s->directory, sizeof(s->directory), "%.80s/%u", directory, n);
                assert_int_equal(mkdir(s->directory, 0700), 0);
                if (has_database)
                        scratch_copy(arena_printf(s->arena, "%s/tenantd.db", directory), scratch_path(s, "tenantd.db"));
                shim_fail(&(ShimFault) { .operations = SHIM_CHANGES, .files = SHIM_FILES, .after = n, .torn = n % 2, .freeze = true, .lose = lose });
                int done = live(s->directory, turns);
                died = shim_hits() > 0;
                shim_heal();
                assert_true(died || done == turns);
                assert_survived(s, done, n);
        }
        strcpy(s->directory, directory);
        return n;
}

static void test_killed_while_created(void **state) {
        assert_true(die_everywhere(*state, false, 0) > 20);
}

static void test_power_cut_while_created(void **state) {
        scratch_seed();
        assert_true(die_everywhere(*state, true, 0) > 20);
}

static void test_killed_everywhere(void **state) {
        assert_true(die_everywhere(*state, false, 8) > 40);
}

static void test_power_cut_everywhere(void **state) {
        scratch_seed();
        assert_true(die_everywhere(*state, true, 8) > 40);
}

/* ---- the cache of statements ---- */

static void ask_something_new(Db *db) {
        static int asked;
        char sql[64];
        int64_t answer = 0;
        snprintf(sql, sizeof(sql), "SELECT %d", ++asked);
        assert_int_equal(row_int(db, &answer, sql, ""), 1);
        assert_int_equal(answer, asked);
}

/* However much each action of a turn asks that nobody asked before: 64 calls a turn with selectors of their own, or an
 * operation whose items each change other columns. */
static void test_turn_of_statements_never_seen(void **state) {
        Scratch *s = *state;
        char name[32];

        turn_begin(s->db);
        for (int i = 0; i < 1000; i++) {
                snprintf(name, sizeof(name), "action-%d", i);
                assert_int_equal(savepoint_begin(s->db), 0);
                for (int k = 0; k < 5; k++)
                        ask_something_new(s->db);
                scratch_put(s->db, name, "1");
                assert_int_equal(savepoint_release(s->db), 0);
        }
        assert_int_equal(savepoint_begin(s->db), 0);
        for (int i = 0; i < 1000; i++) {
                assert_int_equal(savepoint_begin(s->db), 0);
                ask_something_new(s->db);
                assert_int_equal(savepoint_release(s->db), 0);
        }
        assert_int_equal(savepoint_release(s->db), 0);
        for (int i = 0; i < 1000; i++) {
                db_limit_reads(s->db, USEC_HOUR, NULL);
                ask_something_new(s->db);
                db_limit_reads(s->db, 0, NULL);
        }
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM setting WHERE name LIKE 'action-%'"), 1000);
}

/* A statement that is being stepped keeps its place, whatever begins meanwhile. */
static void test_statement_in_use_stays(void **state) {
        Scratch *s = *state;
        int rows = 0, r;

        turn_begin(s->db);
        {
                _statement_ q = db_statement(s->db, "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100) SELECT n FROM c");
                assert_non_null(q);
                while ((r = row_step(s->db, q)) > 0) {
                        rows++;
                        assert_int_equal(savepoint_begin(s->db), 0);
                        for (int k = 0; k < 4; k++)
                                ask_something_new(s->db);
                        assert_int_equal(savepoint_release(s->db), 0);
                }
                assert_int_equal(r, 0);
        }
        assert_int_equal(rows, 100);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
#define TEST_EMPTY(name) cmocka_unit_test_setup_teardown(name, scratch_setup_empty, scratch_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_full_at_commit),
                TEST(test_full_at_every_write),
                TEST(test_io_error_at_commit),
                TEST(test_no_memory_at_commit),
                TEST(test_lost_inside_a_savepoint),
                TEST(test_rolled_back_by_a_statement),
                TEST(test_turn_begins_with_what_it_changes),
                TEST(test_lost_before_it_changes_anything),
                TEST(test_interrupted),
                TEST(test_refusal_leaves_the_others),
                TEST(test_nested_savepoints),
                TEST(test_no_dirty_reads),
                TEST(test_readers_cannot_write),
                TEST(test_checkpoints_are_ours),
                TEST(test_checkpoint_tells_of_the_disk),
                TEST(test_full_disk_uses_the_wal_again),
                TEST(test_wal_has_room_ahead),
                TEST(test_checkpoint_beside_a_snapshot),
                TEST(test_turn_of_statements_never_seen),
                TEST(test_statement_in_use_stays),
                TEST_EMPTY(test_killed_while_created),
                TEST_EMPTY(test_power_cut_while_created),
                TEST(test_killed_everywhere),
                TEST(test_power_cut_everywhere),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

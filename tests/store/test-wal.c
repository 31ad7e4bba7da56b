/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/db-private.h"
#include "tests/store/scratch.h"

/* The writer's WAL is written in lots, when it is synced (wal-vfs.h). What is acknowledged is in the file all the same, for whoever
 * looks: the next process, another connection, the writer itself. */

/* Rows of 1,000 bytes, four to a page: sixteen pages are one lot. */
static void put_rows(Db *db, int64_t turn, int rows) {
        static const char sql[] = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?2)"
                                  " INSERT INTO setting(name, value) SELECT printf('%d-%d', ?1, n), hex(randomblob(500)) FROM c";
        assert_int_equal(row_run(db, sql, "ii", turn, (int64_t) rows), 0);
}

static TurnEnd turn_of(Db *db, int64_t turn, int rows) {
        turn_begin(db);
        put_rows(db, turn, rows);
        return turn_end(db);
}

static int64_t count_rows(Db *db) {
        return scratch_int(db, "SELECT count(*) FROM setting WHERE name GLOB '[0-9]*'");
}

static void assert_sound(Db *db) {
        assert_int_equal(scratch_int(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

/* What the next process would find, if this one died now. */
static void assert_in_the_files(Scratch *s, int64_t rows) {
        Scratch next = { .arena = s->arena };

        snprintf(next.directory, sizeof(next.directory), "%.100s/next", s->directory);
        assert_int_equal(mkdir(next.directory, 0700), 0);
        scratch_copy(scratch_path(s, "tenantd.db"), scratch_path(&next, "tenantd.db"));
        scratch_copy(scratch_path(s, "tenantd.db-wal"), scratch_path(&next, "tenantd.db-wal"));
        scratch_open(&next);
        assert_int_equal(count_rows(next.db), rows);
        assert_sound(next.db);
        scratch_close(&next);
        unlink(scratch_path(&next, "tenantd.db"));
        unlink(scratch_path(&next, "lock"));
        assert_int_equal(rmdir(next.directory), 0);
}

static void test_committed_is_there_for_everybody(void **state) {
        static const int sizes[] = { 1, 60, 3, 64, 700, 1, 130, 2 };
        Scratch *s = *state;
        _cleanup_(db_closep) Db *reader = NULL;
        int64_t rows = 0;

        assert_int_equal(db_open_reader(s->directory, SHIM_VFS, &reader), 0);
        for (size_t i = 0; i < 2 * ELEMENTSOF(sizes); i++) {
                int n = sizes[i % ELEMENTSOF(sizes)];
                assert_int_equal(turn_of(s->db, (int64_t) i, n), TURN_DONE);
                rows += n;
                assert_int_equal(count_rows(reader), rows);
                assert_in_the_files(s, rows);
                /* Nothing is left to be written by whatever comes next. */
                shim_count_anew();
                sqlite3_db_release_memory(db_handle(s->db));
                assert_int_equal(count_rows(s->db), rows);
                assert_int_equal(shim_count(SHIM_CHANGES, SHIM_WAL), 0);
                if (i % 5 == 4)
                        s->db->wal_pages += 1000;
                assert_int_equal(turn_checkpoint(s->db, true), 0);
        }
        assert_sound(reader);
}

/* A write a lot, and nothing reaches the file before the commit. */
static void test_lots(void **state) {
        Scratch *s = *state;

        assert_int_equal(turn_of(s->db, 0, 1), TURN_DONE);
        turn_begin(s->db);
        shim_count_anew();
        put_rows(s->db, 1, 400);
        assert_int_equal(shim_count(SHIM_CHANGES, SHIM_WAL), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_true(s->db->wal_pages > 100);
        assert_true(shim_count(SHIM_WRITE, SHIM_WAL) <= (unsigned) s->db->wal_pages / 15 + 2);
        assert_int_equal(shim_count(SHIM_SYNC, SHIM_WAL), 1);
}

/* ---- dying between two lots ---- */

static int live(const char *directory, int turns) {
        Problem problem;
        int status, i = 0;
        Db *db;

        if (db_open_writer(directory, SHIM_VFS, &db, &status, &problem) != 0)
                return 0;
        while (i < turns && turn_of(db, i, 150) == TURN_DONE)
                i++;
        db_close(db);
        return i;
}

static unsigned die_everywhere(Scratch *s, bool lose) {
        enum { TURNS = 2 };
        Scratch life = { .arena = s->arena };
        unsigned n = 0;

        scratch_close(s);
        for (bool died = true; died; n++) {
                snprintf(life.directory, sizeof(life.directory), "%.80s/%u", s->directory, n);
                assert_int_equal(mkdir(life.directory, 0700), 0);
                scratch_copy(scratch_path(s, "tenantd.db"), scratch_path(&life, "tenantd.db"));
                shim_fail(&(ShimFault) { .operations = SHIM_CHANGES, .files = SHIM_WAL, .after = n, .torn = n % 2, .freeze = true, .lose = lose });
                int done = live(life.directory, TURNS);
                died = shim_hits() > 0;
                shim_heal();
                assert_true(died || done == TURNS);
                scratch_open(&life);
                int64_t there = count_rows(life.db);
                if (there != done * 150 && there != (done + 1) * 150)
                        fail_msg("died at call %u: %d turns of 150 rows were acknowledged, %lld rows are there", n, done, (long long) there);
                assert_sound(life.db);
                assert_int_equal(turn_of(life.db, 100, 3), TURN_DONE);
                scratch_reopen(&life);
                assert_int_equal(count_rows(life.db), there + 3);
                scratch_close(&life);
        }
        return n;
}

static void test_killed_between_lots(void **state) {
        assert_true(die_everywhere(*state, false) > 8);
}

static void test_power_cut_between_lots(void **state) {
        scratch_seed();
        assert_true(die_everywhere(*state, true) > 8);
}

/* ---- a full disk ---- */

/* The WAL is used to its end before the disk is said to be full: room that cannot be had ahead fails no commit that fits. */
static void test_room_that_cannot_be_had(void **state) {
        Scratch *s = *state;
        int64_t rows = 0, n = 0;
        TurnEnd end;

        for (int i = 0; i < 10; i++) {
                assert_int_equal(turn_of(s->db, n++, 40 + i), TURN_DONE);
                rows += 40 + i;
                assert_int_equal(turn_checkpoint(s->db, false), 0);
        }
        /* Begins anew in what there is. */
        s->db->wal_pages += 1000;
        assert_int_equal(turn_checkpoint(s->db, true), 0);
        shim_fail(&(ShimFault) { .operations = SHIM_WRITE, .files = SHIM_WAL, .grows = true, .code = SQLITE_FULL });
        for (;; rows++) {
                int64_t bytes = db_figures(s->db).wal_bytes;
                end = turn_of(s->db, n++, 1);
                assert_int_equal(db_figures(s->db).wal_bytes, bytes);
                if (end != TURN_DONE)
                        break;
                s->db->wal_room = s->db->wal_pages;      /* asked for before each */
                assert_int_equal(turn_checkpoint(s->db, false), 0);
        }
        assert_int_equal(end, TURN_NOT_DONE);
        assert_true(s->db->wal_pages > 50);
        assert_true(32 + (s->db->wal_pages + 10) * (4096 + 24) > db_figures(s->db).wal_bytes);
        assert_int_equal(count_rows(s->db), rows);
        shim_heal();
        assert_int_equal(turn_of(s->db, n, 1), TURN_DONE);
        scratch_reopen(s);
        assert_int_equal(count_rows(s->db), rows + 1);
        assert_sound(s->db);
}

/* Where a transaction is larger than the cache, its pages go to the WAL before its end, and some are read from there again. Wherever the
 * disk is full in it, nothing of it is left. */
static void test_full_while_rewriting(void **state) {
        Scratch *s = *state;
        int64_t rows = 0;
        unsigned n = 0;

        assert_int_equal(turn_of(s->db, 1000, 500), TURN_DONE);
        rows += 500;
        for (bool failed = true; failed; n += 3) {
                assert_int_equal(db_exec(s->db, "PRAGMA cache_size=20"), 0);
                shim_fail(&(ShimFault) { .operations = SHIM_WRITE, .files = SHIM_WAL, .after = n, .times = n % 2, .code = SQLITE_FULL, .torn = n % 2 });
                int r = db_vacuum(s->db);
                failed = shim_hits() > 0;
                shim_heal();
                assert_int_equal(r < 0, failed);
                assert_int_equal(turn_of(s->db, n, 1), TURN_DONE);
                assert_int_equal(count_rows(s->db), ++rows);
                if (n % 6 == 0)
                        assert_in_the_files(s, rows);
        }
        assert_true(n > 24);
        scratch_reopen(s);
        assert_int_equal(count_rows(s->db), rows);
        assert_sound(s->db);
}

/* What went there before its end, or is about to, is nothing without it: for who dies then, takes it back, or closes. */
static void test_never_committed(void **state) {
        Scratch *s = *state;

        for (int i = 0; i < 3; i++) {
                assert_int_equal(db_exec(s->db, "PRAGMA cache_spill=ON; PRAGMA cache_size=20"), 0);
                assert_int_equal(turn_of(s->db, 10 * i, 5), TURN_DONE);
                shim_count_anew();
                turn_begin(s->db);
                put_rows(s->db, 10 * i + 1, 400);
                assert_true(shim_count(SHIM_WRITE, SHIM_WAL) > 0);
                assert_in_the_files(s, 6 * i + 5);
                turn_give_up(s->db);
                assert_int_equal(turn_end(s->db), TURN_NOT_DONE);
                assert_in_the_files(s, 6 * i + 5);
                assert_int_equal(turn_of(s->db, 10 * i + 2, 1), TURN_DONE);
                assert_in_the_files(s, 6 * i + 6);
                turn_begin(s->db);
                put_rows(s->db, 10 * i + 3, 397 + i);
                scratch_reopen(s);
                assert_int_equal(count_rows(s->db), 6 * i + 6);
                assert_sound(s->db);
        }
}

/* ---- a disk of another kind ---- */

/* Beside what is written there may be spoiled what was synced: SQLite fills the sector up with copies of the last page, and goes on
 * writing after it has synced. Other connections read them. */
static void test_plain_disk(void **state) {
        Scratch *s = *state;
        _cleanup_(db_closep) Db *reader = NULL;
        int64_t rows = 0;

        scratch_close(s);
        shim_plain_disk(true);
        scratch_open(s);
        assert_int_equal(db_open_reader(s->directory, SHIM_VFS, &reader), 0);
        for (int i = 0; i < 6; i++) {
                assert_int_equal(turn_of(s->db, i, 1 + i % 3), TURN_DONE);
                rows += 1 + i % 3;
                assert_int_equal(count_rows(reader), rows);
                assert_sound(reader);
                assert_in_the_files(s, rows);
        }
        db_close(TAKE_PTR(reader));
        shim_plain_disk(false);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_committed_is_there_for_everybody),
                TEST(test_lots),
                TEST(test_killed_between_lots),
                TEST(test_power_cut_between_lots),
                TEST(test_room_that_cannot_be_had),
                TEST(test_full_while_rewriting),
                TEST(test_never_committed),
                TEST(test_plain_disk),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

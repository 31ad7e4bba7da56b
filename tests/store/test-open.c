/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/random.h"
#include "common/text.h"
#include "daemon/store/db-private.h"
#include "daemon/store/backup.h"
#include "daemon/store/migrate.h"
#include "tests/store/scratch.h"

/* What may be opened, and by whom: one daemon, its own files, nothing else touched. */

static char self[4096];

typedef struct Refusal {
        int status;
        const char *code, *text;             /* text: must be part of the sentence */
} Refusal;

/* A buffer that frees itself, as a failing test would leave it. */
#define _bytes_ _cleanup_(buffer_done) Buffer

static void assert_refused(Scratch *s, const Refusal *expected) {
        Problem problem = {};
        int status = 0;
        Db *db = NULL;
        int r = db_open_writer(s->directory, SHIM_VFS, &db, &status, &problem);

        db_close(db);
        assert_int_equal(r, 1);
        if (status != expected->status || strcmp(problem.code, expected->code) != 0)
                fail_msg("exit %d %s instead of %d %s: %s", status, problem.code, expected->status, expected->code, problem.text);
        if (!strstr(problem.text, expected->text))
                fail_msg("\"%s\" does not say \"%s\"", problem.text, expected->text);
        if (!strstr(problem.text, s->directory))
                fail_msg("\"%s\" does not name the place", problem.text);
}

/* Refused, and byte for byte as it was, with nothing beside it but the lock. */
static void assert_refused_untouched(Scratch *s, const Refusal *expected) {
        _bytes_ before = scratch_bytes(scratch_path(s, "tenantd.db"));
        assert_refused(s, expected);
        _bytes_ after = scratch_bytes(scratch_path(s, "tenantd.db"));
        assert_int_equal(before.size, after.size);
        assert_memory_equal(buffer_string(&before), buffer_string(&after), before.size);
        assert_true(access(scratch_path(s, "tenantd.db-wal"), F_OK) < 0);
        assert_true(access(scratch_path(s, "tenantd.db-journal"), F_OK) < 0);
        assert_true(access(scratch_path(s, "tenantd.db-shm"), F_OK) < 0);
        assert_true(access(scratch_path(s, "tenantd.db.new"), F_OK) < 0);
}

static void write_bytes(const char *path, const void *bytes, size_t n) {
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_int_equal(fwrite(bytes, 1, n, f), n);
        assert_int_equal(fclose(f), 0);
}

/* Makes a database with some pages in it, closes it and lets the test have its way with the bytes. */
static Buffer closed_database(Scratch *s) {
        char name[32];
        scratch_open(s);
        turn_begin(s->db);
        for (int i = 0; i < 500; i++) {
                snprintf(name, sizeof(name), "row-%d", i);
                scratch_put(s->db, name, "a value of some length, so that there are pages");
        }
        assert_int_equal(turn_end(s->db), TURN_DONE);
        scratch_close(s);
        return scratch_bytes(scratch_path(s, "tenantd.db"));
}

static void put_big_endian(Buffer *b, size_t at, uint32_t v) {
        const uint8_t bytes[] = { (uint8_t) (v >> 24), (uint8_t) (v >> 16), (uint8_t) (v >> 8), (uint8_t) v };
        memcpy(b->data + at, bytes, sizeof(bytes));
}

static void test_newer(void **state) {
        Scratch *s = *state;
        _bytes_ b = closed_database(s);
        put_big_endian(&b, 60, schema_version() + 1);
        write_bytes(scratch_path(s, "tenantd.db"), b.data, b.size);
        assert_refused_untouched(s, &(Refusal) { 78, "newer-database", arena_printf(s->arena, "schema %d", schema_version() + 1) });
}

static void test_foreign(void **state) {
        static const uint32_t ids[] = { 0, 1, 0x66666666 };
        Scratch *s = *state;
        _bytes_ b = closed_database(s);
        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                put_big_endian(&b, 68, ids[i]);
                write_bytes(scratch_path(s, "tenantd.db"), b.data, b.size);
                assert_refused_untouched(s, &(Refusal) { 78, "foreign-database", "another program" });
        }
}

static void test_no_database(void **state) {
        Scratch *s = *state;
        char bytes[5000];
        const char *path = scratch_path(s, "tenantd.db");

        write_bytes(path, "", 0);
        assert_refused_untouched(s, &(Refusal) { 78, "damaged-database", "empty" });
        write_bytes(path, "SQLite format 3", 16);
        assert_refused_untouched(s, &(Refusal) { 78, "damaged-database", "no database" });
        memset(bytes, 'x', sizeof(bytes));
        write_bytes(path, bytes, sizeof(bytes));
        assert_refused_untouched(s, &(Refusal) { 78, "damaged-database", "no database" });
        memset(bytes, 0, sizeof(bytes));
        write_bytes(path, bytes, sizeof(bytes));
        assert_refused_untouched(s, &(Refusal) { 78, "damaged-database", "no database" });
}

static void test_truncated(void **state) {
        Scratch *s = *state;
        _bytes_ b = closed_database(s);
        const size_t sizes[] = { b.size / 2, 4096, 4096 + 100, 200 };

        assert_true(b.size > 5 * 4096);
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                write_bytes(scratch_path(s, "tenantd.db"), b.data, sizes[i]);
                assert_refused_untouched(s, &(Refusal) { 78, "damaged-database", "restore it from a backup" });
        }
}

/* The page that holds the schema: garbage, or another page in its place. */
static void test_damaged(void **state) {
        Scratch *s = *state;
        _bytes_ b = closed_database(s);
        char page[4096];

        memcpy(page, b.data, sizeof(page));
        memset(b.data + 100, 0xa5, sizeof(page) - 100);
        write_bytes(scratch_path(s, "tenantd.db"), b.data, b.size);
        assert_refused_untouched(s, &(Refusal) { 78, "damaged-database", "restore it from a backup" });
        memcpy(b.data, page, sizeof(page));
        memcpy(b.data + 100, b.data + sizeof(page), sizeof(page) - 100);
        write_bytes(scratch_path(s, "tenantd.db"), b.data, b.size);
        assert_refused_untouched(s, &(Refusal) { 78, "damaged-database", "restore it from a backup" });
}

static void test_not_a_file(void **state) {
        Scratch *s = *state;
        const char *path = scratch_path(s, "tenantd.db");

        assert_int_equal(mkdir(path, 0700), 0);
        assert_refused(s, &(Refusal) { 78, "not-a-file", "move it away" });
        assert_int_equal(rmdir(path), 0);
        _bytes_ b = closed_database(s);
        assert_int_equal(rename(path, scratch_path(s, "elsewhere")), 0);
        assert_int_equal(symlink(scratch_path(s, "elsewhere"), path), 0);
        assert_refused(s, &(Refusal) { 78, "not-a-file", "move it away" });
}

/* As a user who may not write: the directory, or the file in it. */
static int child_read_only(void *userdata) {
        Scratch *s = userdata;
        Problem problem = {};
        int status = 0;
        Db *db;

        if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
                return 1;
        int r = db_open_writer(s->directory, SHIM_VFS, &db, &status, &problem);
        fprintf(stderr, "# %d: %s\n", r, problem.text);
        return r == 1 && strstr(problem.text, s->directory) ? status : 2;
}

static void test_read_only(void **state) {
        Scratch *s = *state;
        _bytes_ before = closed_database(s);

        assert_int_equal(unlink(scratch_path(s, "lock")), 0);
        assert_int_equal(chmod(s->directory, 0555), 0);
        assert_int_equal(scratch_fork(child_read_only, s), 73);
        assert_int_equal(chmod(s->directory, 0777), 0);
        assert_int_equal(chmod(scratch_path(s, "tenantd.db"), 0444), 0);
        assert_int_equal(scratch_fork(child_read_only, s), 73);
        _bytes_ after = scratch_bytes(scratch_path(s, "tenantd.db"));
        assert_int_equal(before.size, after.size);
        assert_memory_equal(before.data, after.data, before.size);
}

static void test_no_directory(void **state) {
        Scratch *s = *state;
        char kept[sizeof(s->directory)];

        strcpy(kept, s->directory);
        strcat(s->directory, "/none");
        assert_refused(s, &(Refusal) { 73, "state-unusable", "create it" });
        strcpy(s->directory, kept);
}

static void test_full_disk_at_first(void **state) {
        Scratch *s = *state;
        for (unsigned n = 0; n < 60; n += 7) {
                shim_fail(&(ShimFault) { .operations = SHIM_WRITE, .files = SHIM_FILES, .after = n, .code = SQLITE_FULL });
                assert_refused(s, &(Refusal) { 74, "cannot-open", "free space" });
                shim_heal();
                assert_true(access(scratch_path(s, "tenantd.db"), F_OK) < 0);
        }
        scratch_open(s);
}

/* The one file of the directory that is called so. */
static char *the_file(Scratch *s, const char *begin, const char *end) {
        char *found = NULL;
        DIR *d = opendir(s->directory);
        assert_non_null(d);
        for (const struct dirent *e; (e = readdir(d));) {
                size_t n = strlen(e->d_name);
                if (!str_starts(e->d_name, begin) || n < strlen(end) || strcmp(e->d_name + n - strlen(end), end) != 0)
                        continue;
                assert_null(found);
                found = scratch_path(s, e->d_name);
        }
        closedir(d);
        assert_non_null(found);
        return found;
}

/* Whoever moved a damaged database away and left its WAL begins anew all the same. */
static void test_left_wal_is_not_replayed(void **state) {
        Scratch *s = *state;
        scratch_open(s);
        turn_begin(s->db);
        scratch_put(s->db, "of-the-old-one", "1");
        assert_int_equal(turn_end(s->db), TURN_DONE);
        _bytes_ wal = scratch_bytes(scratch_path(s, "tenantd.db-wal"));
        assert_true(wal.size > 0);
        scratch_close(s);
        write_bytes(scratch_path(s, "tenantd.db-wal"), wal.data, wal.size);
        assert_int_equal(unlink(scratch_path(s, "tenantd.db")), 0);
        scratch_open(s);
        assert_false(scratch_has(s->db, "of-the-old-one"));
        /* It may hold what was committed last: nothing of it is lost. */
        _bytes_ kept = scratch_bytes(the_file(s, "replaced-", ".db-wal"));
        assert_int_equal(kept.size, wal.size);
        assert_memory_equal(kept.data, wal.data, wal.size);
}

/* ---- two of them ---- */

static void test_second_daemon(void **state) {
        Scratch *s = *state;
        scratch_open(s);
        assert_refused(s, &(Refusal) { 73, "already-running", "another tenantd uses" });
        turn_begin(s->db);
        scratch_put(s->db, "unharmed", "1");
        assert_int_equal(turn_end(s->db), TURN_DONE);
        scratch_reopen(s);
        assert_true(scratch_has(s->db, "unharmed"));
}

/* This program again, as somebody else's: what SQLite tells it. */
static int probe(const char *path, const char *vfs_name) {
        sqlite3 *sqlite = NULL;
        int rc = sqlite3_open_v2(path, &sqlite, SQLITE_OPEN_READWRITE, *vfs_name ? vfs_name : NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_exec(sqlite, "INSERT INTO setting(name, value) VALUES('by-a-stranger', '1')", NULL, NULL, NULL);
        int k = rc == SQLITE_OK ? rc : sqlite3_exec(sqlite, "SELECT count(*) FROM setting", NULL, NULL, NULL);
        sqlite3_close(sqlite);
        return rc == SQLITE_OK || k == SQLITE_OK ? 0 : rc & 0xff;
}

static int child_probes(void *userdata) {
        char *const *arguments = userdata;
        execv(self, arguments);
        return 1;
}

static void test_strangers_are_kept_out(void **state) {
        static const char *const names[] = { "", "unix-excl" };
        Scratch *s = *state;
        _cleanup_(db_closep) Db *reader = NULL;

        scratch_open(s);
        turn_begin(s->db);
        scratch_put(s->db, "mine", "1");
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(db_open_reader(s->directory, SHIM_VFS, &reader), 0);
        assert_true(scratch_has(reader, "mine"));
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                const char *const arguments[] = { self, "--probe", scratch_path(s, "tenantd.db"), names[i], NULL };
                assert_int_equal(scratch_fork(child_probes, (void *) arguments), SQLITE_BUSY);
        }
        assert_true(access(scratch_path(s, "tenantd.db-shm"), F_OK) < 0);
        assert_false(scratch_has(s->db, "by-a-stranger"));
        db_close(TAKE_PTR(reader));
        scratch_close(s);
        const char *const arguments[] = { self, "--probe", scratch_path(s, "tenantd.db"), "", NULL };
        assert_int_equal(scratch_fork(child_probes, (void *) arguments), SQLITE_OK);
}

/* And the other way: a shell that is in the middle of something. */
static void test_stranger_was_first(void **state) {
        Scratch *s = *state;
        sqlite3 *sqlite;
        _bytes_ b = closed_database(s);

        /* POSIX locks are a process's, so the stranger must be another one: it holds the file until its input ends. */
        int ends[2], ready[2];
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(pipe(ready), 0);
        pid_t pid = fork();
        if (pid == 0) {
                char c;
                close(ends[1]);
                if (sqlite3_open(scratch_path(s, "tenantd.db"), &sqlite) != SQLITE_OK ||
                    sqlite3_exec(sqlite, "BEGIN IMMEDIATE; INSERT INTO setting(name, value) VALUES('by-a-stranger', '1')", NULL, NULL, NULL) != SQLITE_OK ||
                    write(ready[1], "+", 1) != 1)
                        _exit(1);
                _exit(read(ends[0], &c, 1) == 0 ? 0 : 1);
        }
        char c;
        close(ends[0]);
        close(ready[1]);
        assert_int_equal(read(ready[0], &c, 1), 1);
        assert_refused(s, &(Refusal) { 73, "already-running", "end it first" });
        close(ends[1]);
        close(ready[0]);
        assert_int_equal(scratch_wait(pid), 0);
        scratch_open(s);
        assert_false(scratch_has(s->db, "by-a-stranger"));
        assert_true(scratch_has(s->db, "row-499"));
}

/* ---- backup and vacuum ---- */

static void test_backup(void **state) {
        Scratch *s = *state;
        Problem problem = {};
        const char *path = scratch_path(s, "copy");
        sqlite3 *copy;
        char *value = NULL;

        scratch_open(s);
        turn_begin(s->db);
        scratch_put(s->db, "kept", "1");
        assert_int_equal(turn_end(s->db), TURN_DONE);
        turn_begin(s->db);
        scratch_put(s->db, "not-yet", "1");
        assert_int_equal(db_backup(s->directory, SHIM_VFS, path, NULL, &problem), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(sqlite3_open(path, &copy), SQLITE_OK);
        sqlite3_stmt *q;
        assert_int_equal(sqlite3_prepare_v2(copy, "SELECT group_concat(name) FROM setting", -1, &q, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(q), SQLITE_ROW);
        value = memory_strdup((const char *) sqlite3_column_text(q, 0));
        sqlite3_finalize(q);
        sqlite3_close(copy);
        assert_string_equal(value, "kept");
        free(value);

        /* A copy that does not fit leaves nothing that could be taken for one. */
        shim_fail(&(ShimFault) { .operations = SHIM_WRITE, .files = SHIM_DATABASE, .after = 3, .code = SQLITE_FULL });
        int r = db_backup(s->directory, SHIM_VFS, scratch_path(s, "second"), NULL, &problem);
        shim_heal();
        assert_int_equal(r, 1);
        assert_string_equal(problem.code, "disk-full");
        assert_true(access(scratch_path(s, "second"), F_OK) < 0);
}

static void test_vacuum_beside_a_reader(void **state) {
        Scratch *s = *state;
        _cleanup_(db_closep) Db *reader = NULL;
        _bytes_ b = closed_database(s);

        scratch_open(s);
        assert_int_equal(db_open_reader(s->directory, SHIM_VFS, &reader), 0);
        assert_int_equal(db_snapshot_begin(reader), 0);
        assert_true(scratch_has(reader, "row-1"));
        assert_int_equal(db_vacuum(s->db), -EAGAIN);
        assert_true(scratch_has(reader, "row-499"));
        db_snapshot_end(reader);
        assert_int_equal(db_vacuum(s->db), 0);
        assert_int_equal(db_figures(s->db).wal_bytes, 0);
        assert_true(scratch_has(reader, "row-499"));
        turn_begin(s->db);
        scratch_put(s->db, "after", "1");
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_true(scratch_has(reader, "after"));
}

static void test_vacuum_on_a_full_disk(void **state) {
        Scratch *s = *state;
        _bytes_ b = closed_database(s);

        scratch_open(s);
        for (unsigned n = 0; n < 30; n += 3) {
                shim_fail(&(ShimFault) { .operations = SHIM_WRITE, .files = SHIM_FILES | SHIM_TEMPORARY, .after = n, .code = SQLITE_FULL });
                int r = db_vacuum(s->db);
                bool failed = shim_hits() > 0;
                shim_heal();
                assert_int_equal(r < 0, failed);
                turn_begin(s->db);
                scratch_put(s->db, arena_printf(s->arena, "goes-on-%u", n), "1");
                assert_int_equal(turn_end(s->db), TURN_DONE);
        }
        scratch_reopen(s);
        assert_true(scratch_has(s->db, "goes-on-27"));
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM setting WHERE name LIKE 'row-%'"), 500);
}

/* ---- what SQLite was told before it began ---- */

/* Files of SQLite's own that have no name any more. */
static int unnamed_files(void) {
        DIR *d = opendir("/proc/self/fd");
        int n = 0;

        assert_non_null(d);
        for (const struct dirent *e; (e = readdir(d));) {
                char target[512] = "";
                (void) !readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
                n += strstr(target, "etilqs_") != NULL;
        }
        closedir(d);
        return n;
}

/* As the daemon opens it, before anything else was asked of SQLite: what an action may have to take back is kept in memory. The first
 * test of this program: whoever registers the shim has begun with SQLite. */
static void test_action_needs_no_file(void **state) {
        char directory[] = "/var/tmp/tenantd-store-XXXXXX", command[100];
        Problem problem = {};
        int status;
        Db *db;

        assert_non_null(mkdtemp(directory));
        assert_int_equal(db_open_writer(directory, NULL, &db, &status, &problem), 0);
        turn_begin(db);
        assert_int_equal(row_run(db, "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 400)"
                                     " INSERT INTO setting(name, value) SELECT n, hex(randomblob(500)) FROM c", ""), 0);
        assert_int_equal(turn_end(db), TURN_DONE);

        turn_begin(db);
        assert_int_equal(savepoint_begin(db), 0);
        assert_int_equal(row_run(db, "UPDATE setting SET value = value || 'changed'", ""), 0);
        assert_int_equal(unnamed_files(), 0);
        savepoint_rollback(db);
        assert_int_equal(turn_end(db), TURN_DONE);
        assert_int_equal(scratch_int(db, "SELECT count(*) FROM setting WHERE value GLOB '*changed'"), 0);
        /* Nor does it count its memory, which takes a lock for every piece. */
        assert_int_equal(sqlite3_memory_used(), 0);
        db_close(db);
        snprintf(command, sizeof(command), "rm -r '%s'", directory);
        assert_int_equal(system(command), 0);
}

int main(int argc, char *argv[]) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup_empty, scratch_teardown)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_action_needs_no_file),
                TEST(test_newer),
                TEST(test_foreign),
                TEST(test_no_database),
                TEST(test_truncated),
                TEST(test_damaged),
                TEST(test_not_a_file),
                TEST(test_read_only),
                TEST(test_no_directory),
                TEST(test_full_disk_at_first),
                TEST(test_left_wal_is_not_replayed),
                TEST(test_second_daemon),
                TEST(test_strangers_are_kept_out),
                TEST(test_stranger_was_first),
                TEST(test_backup),
                TEST(test_vacuum_beside_a_reader),
                TEST(test_vacuum_on_a_full_disk),
        };
        if (argc == 4 && strcmp(argv[1], "--probe") == 0)
                return probe(argv[2], argv[3]);
        assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}

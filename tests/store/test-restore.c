/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/text.h"
#include "daemon/store/restore.h"
#include "tests/store/scratch.h"

/* A staged database takes the place of one that cannot even be opened any more, with the backup directory on another disk where
 * this machine has one (the scratch directory is in memory then). */

typedef struct Case {
        Scratch *s;
        char folder[64], name[BACKUP_NAME_SIZE];
        BackupOrder order;
} Case;

static void write_text(const char *path, const char *text) {
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void assert_text(const char *path, const char *expected) {
        _cleanup_(buffer_done) Buffer b = scratch_bytes(path);
        assert_string_equal(buffer_string(&b), expected);
}

static bool is_there(const char *path) {
        return access(path, F_OK) == 0;
}

static char *kept(Case *c, const char *folder, const char *suffix) {
        return arena_printf(c->s->arena, "%s/%s%s", folder, c->name, suffix);
}

static void prepare(Scratch *s, Case *c) {
        struct stat st;

        *c = (Case) { .s = s, .folder = "/var/tmp/tenantd-kept-XXXXXX" };
        assert_non_null(mkdtemp(c->folder));
        scratch_open(s);
        turn_begin(s->db);
        scratch_put(s->db, "restored", "1");
        assert_int_equal(turn_end(s->db), TURN_DONE);
        scratch_close(s);
        assert_int_equal(rename(scratch_path(s, "tenantd.db"), scratch_path(s, "restore.db")), 0);
        write_text(scratch_path(s, "tenantd.db"), "what was a database");
        write_text(scratch_path(s, "tenantd.db-wal"), "its last commits");
        assert_int_equal(stat(scratch_path(s, "restore.db"), &st), 0);
        backup_name("replaced", st.st_mtime * USEC_SEC, c->name);
        c->order = (BackupOrder) { .state = s->directory, .folder = c->folder, .vfs = SHIM_VFS };
}

static int place(Case *c, Problem *problem) {
        char where[RESTORE_PATH_SIZE];
        int status = 0, r = restore_place(&c->order, where, &status, problem);
        if (r != 0)
                assert_int_equal(status, 74);
        return r;
}

static void clean(Case *c) {
        char command[200];
        snprintf(command, sizeof(command), "rm -rf '%s'", c->folder);
        assert_int_equal(system(command), 0);
}

static void test_wal_of_a_damaged_one_is_kept_with_it(void **state) {
        Problem problem = {};
        Scratch *s = *state;
        Case c;

        prepare(s, &c);
        assert_int_equal(place(&c, &problem), 0);
        assert_text(kept(&c, c.folder, ""), "what was a database");
        assert_text(kept(&c, c.folder, "-wal"), "its last commits");
        assert_false(is_there(scratch_path(s, "tenantd.db-wal")));
        scratch_open(s);
        assert_true(scratch_has(s->db, "restored"));
        clean(&c);
}

static void test_without_room_for_the_wal_nothing_is_replaced(void **state) {
        Problem problem = {};
        Scratch *s = *state;
        Case c;

        prepare(s, &c);
        assert_int_equal(mkdir(kept(&c, c.folder, "-wal"), 0700), 0);
        assert_int_equal(place(&c, &problem), 1);
        assert_string_equal(problem.code, "not-restored");
        assert_text(scratch_path(s, "tenantd.db"), "what was a database");
        assert_text(scratch_path(s, "tenantd.db-wal"), "its last commits");
        assert_true(is_there(scratch_path(s, "restore.db")));
        /* The next start, when that is out of the way: with the copy that is there already. */
        assert_int_equal(rmdir(kept(&c, c.folder, "-wal")), 0);
        assert_int_equal(place(&c, &problem), 0);
        assert_text(kept(&c, c.folder, "-wal"), "its last commits");
        assert_false(is_there(kept(&c, s->directory, "")));
        clean(&c);
}

static void test_another_file_of_that_name_is_left_alone(void **state) {
        Problem problem = {};
        Scratch *s = *state;
        Case c;

        prepare(s, &c);
        write_text(kept(&c, c.folder, ""), "something else");
        assert_int_equal(place(&c, &problem), 0);
        assert_text(kept(&c, c.folder, ""), "something else");
        assert_text(kept(&c, s->directory, ""), "what was a database");
        assert_text(kept(&c, s->directory, "-wal"), "its last commits");
        /* And goes from there like any other, in time. */
        assert_int_equal(backup_prune(s->directory, clock_now()), 0);
        assert_int_equal(backup_prune(s->directory, clock_now() + (BACKUPS_KEPT + 1) * USEC_DAY), 2);
        scratch_open(s);
        assert_true(scratch_has(s->db, "restored"));
        clean(&c);
}

static void test_taking_back_tells_when_it_may_happen_all_the_same(void **state) {
        Scratch *s = *state;
        const char *staged = scratch_path(s, "restore.db");

        assert_int_equal(restore_unstage(s->directory), 0);
        write_text(staged, "x");
        assert_int_equal(restore_unstage(s->directory), 0);
        assert_false(is_there(staged));
        assert_int_equal(mkdir(staged, 0700), 0);
        assert_true(restore_unstage(s->directory) < 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup_empty, scratch_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_wal_of_a_damaged_one_is_kept_with_it),
                TEST(test_without_room_for_the_wal_nothing_is_replaced),
                TEST(test_another_file_of_that_name_is_left_alone),
                TEST(test_taking_back_tells_when_it_may_happen_all_the_same),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

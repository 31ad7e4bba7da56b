/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/key.h"
#include "daemon/store/key-file.h"
#include "daemon/store/message-store.h"
#include "tests/store/scratch.h"

/* The key file, and what is sealed with it. */

static int open_key(Scratch *s, Problem *problem) {
        turn_begin(s->db);
        int r = key_open(s->db, s->directory, NULL, problem);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        return r;
}

static void assert_refused(Scratch *s, const char *code) {
        Problem problem = {};
        assert_int_equal(open_key(s, &problem), 1);
        assert_string_equal(problem.code, code);
        assert_non_null(strstr(problem.text, s->directory));
}

static void write_key(Scratch *s, const char *text, unsigned mode) {
        const char *path = scratch_path(s, "key");
        unlink(path);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
        assert_int_equal(fchmod(fd, mode), 0);
        close(fd);
}

static void test_first_start_makes_a_key_that_stays(void **state) {
        Scratch *s = *state;
        Problem problem = {};
        struct stat st;

        assert_int_equal(open_key(s, &problem), 0);
        assert_int_equal(stat(scratch_path(s, "key"), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(st.st_size, 2 * KEY_SIZE + 1);
        const Key first = *db_key(s->db);
        scratch_reopen(s);
        assert_int_equal(open_key(s, &problem), 0);
        assert_memory_equal(&first, db_key(s->db), sizeof(first));
}

static void test_bad_key_files_are_refused(void **state) {
        Scratch *s = *state;
        static const char good[] = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\n";

        write_key(s, good, 0640);
        assert_refused(s, "key-readable");
        write_key(s, "", 0600);
        assert_refused(s, "bad-key");
        write_key(s, "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEF\n", 0600);
        assert_refused(s, "bad-key");
        write_key(s, "zz112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\n", 0600);
        assert_refused(s, "bad-key");
        Problem problem = {};
        write_key(s, good, 0600);
        assert_int_equal(open_key(s, &problem), 0);
}

static void test_wrong_or_missing_key_is_refused_and_nothing_made(void **state) {
        Scratch *s = *state;
        Problem problem = {};

        assert_int_equal(open_key(s, &problem), 0);
        scratch_reopen(s);
        assert_int_equal(unlink(scratch_path(s, "key")), 0);
        assert_refused(s, "key-missing");
        assert_int_not_equal(access(scratch_path(s, "key"), F_OK), 0);
        write_key(s, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n", 0600);
        assert_refused(s, "wrong-key");
}

static OutMessage secret_message(void) {
        return (OutMessage) {
                .event = "verification", .address = "a@x.example", .address_key = "a@x.example", .sender = "t@msp.example", .language = "en", .subject = "Code",
                .body = "the code is 73548903", .secret = true, .next_attempt = 1, .created = 1,
        };
}

static const char *mark_of(Scratch *s, const char *name) {
        Problem problem = {};
        Key k = {};
        char mark[MARK_TEXT_SIZE];

        assert_int_equal(key_file_read(scratch_path(s, name), true, &k, &problem), 1);
        return arena_strdup(s->arena, key_mark(&k, mark));
}

static void make_key(Scratch *s, const char *name) {
        Key ignored;
        assert_int_equal(key_file_make(scratch_path(s, name), &ignored), 0);
}

/* Whatever lies about as a key of before, it is the present one that does not fit. */
static void test_wrong_key_is_named(void **state) {
        Scratch *s = *state;
        Problem problem = {};

        assert_int_equal(open_key(s, &problem), 0);
        const char *ours = mark_of(s, "key");
        make_key(s, "key");
        make_key(s, arena_printf(s->arena, "key.%s", ours));
        const char *present = mark_of(s, "key");
        scratch_reopen(s);
        assert_int_equal(open_key(s, &problem), 1);
        assert_string_equal(problem.code, "wrong-key");
        if (!strstr(problem.text, arena_printf(s->arena, "is the key %s, but", present)))
                fail_msg("%s does not name %s", problem.text, present);
}

/* The name of the key of before is taken, by the same one or by another. */
static void test_no_key_is_replaced_that_is_not_kept(void **state) {
        Scratch *s = *state;

        make_key(s, "key");
        make_key(s, "key.new");
        const char *before = mark_of(s, "key"), *next = mark_of(s, "key.new"), *kept = arena_printf(s->arena, "key.%s", before);
        make_key(s, kept);
        assert_true(key_files_install(s->directory) < 0);
        assert_string_equal(mark_of(s, "key"), before);
        assert_string_equal(mark_of(s, "key.new"), next);
        assert_int_equal(unlink(scratch_path(s, kept)), 0);
        assert_int_equal(link(scratch_path(s, "key"), scratch_path(s, kept)), 0);
        assert_int_equal(key_files_install(s->directory), 0);
        assert_string_equal(mark_of(s, "key"), next);
        assert_string_equal(mark_of(s, kept), before);
}

static void test_code_is_sealed_until_it_has_left(void **state) {
        Scratch *s = *state;
        Problem problem = {};
        OutMessage m = secret_message(), got = {};

        assert_int_equal(open_key(s, &problem), 0);
        turn_begin(s->db);
        assert_int_equal(message_insert(s->db, &m), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        scratch_close(s);
        _cleanup_(buffer_done) Buffer file = scratch_bytes(scratch_path(s, "tenantd.db"));
        assert_null(memmem(file.data, file.size, "73548903", 8));
        scratch_open(s);
        assert_int_equal(open_key(s, &problem), 0);
        turn_begin(s->db);
        assert_int_equal(message_claim(s->db, s->arena, 2, &got), 1);
        assert_string_equal(got.body, "the code is 73548903");
        assert_int_equal(message_delivered(s->db, &got, 3), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM message WHERE sealed IS NULL AND body IS NULL"), 1);
}

/* ---- another key ---- */

static int64_t put_secret(Scratch *s) {
        OutMessage m = secret_message();
        assert_int_equal(message_insert(s->db, &m), 0);
        return m.n;
}

/* As admin rotate-key does it; in a savepoint. */
static void change_key(Scratch *s, Usec now, Usec until) {
        Problem problem = {};
        int64_t sealed = 0, lost = 0;

        assert_int_equal(savepoint_begin(s->db), 0);
        assert_int_equal(key_change_begin(s->db, now, false, &problem), 0);
        assert_int_equal(message_reseal(s->db, key_old(s->db), key_next(s->db), &sealed, &lost), 0);
        assert_int_equal(lost, 0);
        assert_int_equal(key_change_end(s->db, now, until), 0);
}

static void assert_opens(Scratch *s, int64_t count) {
        OutMessage got = {};
        turn_begin(s->db);
        for (int64_t i = 0; i < count; i++) {
                assert_int_equal(message_claim(s->db, s->arena, 2, &got), 1);
                assert_string_equal(got.body, "the code is 73548903");
        }
        assert_int_equal(message_claim(s->db, s->arena, 2, &got), 0);
        assert_int_equal(message_recover(s->db), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

static void setup_secret(Scratch *s) {
        Problem problem = {};
        assert_int_equal(open_key(s, &problem), 0);
        turn_begin(s->db);
        put_secret(s);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

static void test_what_is_sealed_later_in_the_turn_has_the_new_key(void **state) {
        Scratch *s = *state;
        Problem problem = {};

        setup_secret(s);
        const Key before = *db_key(s->db);
        turn_begin(s->db);
        put_secret(s);
        change_key(s, 1, 0);
        assert_int_equal(savepoint_release(s->db), 0);
        put_secret(s);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        key_changed(s->db);
        assert_memory_not_equal(&before, db_key(s->db), sizeof(before));
        assert_opens(s, 3);
        scratch_reopen(s);
        assert_int_equal(open_key(s, &problem), 0);
        assert_opens(s, 3);
}

static void test_a_rotation_that_is_rolled_back_never_was(void **state) {
        Scratch *s = *state;
        Problem problem = {};

        setup_secret(s);
        const Key before = *db_key(s->db);
        turn_begin(s->db);
        change_key(s, 1, 0);
        savepoint_rollback(s->db);
        put_secret(s);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_memory_equal(&before, db_key(s->db), sizeof(before));
        assert_opens(s, 2);
        /* And then one that is not. */
        turn_begin(s->db);
        change_key(s, 1, 0);
        assert_int_equal(savepoint_release(s->db), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        key_changed(s->db);
        scratch_reopen(s);
        assert_int_equal(open_key(s, &problem), 0);
        assert_opens(s, 2);
        assert_int_not_equal(access(scratch_path(s, "key.new"), F_OK), 0);
}

static void test_a_lost_turn_leaves_the_old_key(void **state) {
        Scratch *s = *state;
        Problem problem = {};

        setup_secret(s);
        const Key before = *db_key(s->db);
        turn_begin(s->db);
        change_key(s, 1, 0);
        assert_int_equal(savepoint_release(s->db), 0);
        shim_fail(&(ShimFault) { .operations = SHIM_WRITE, .files = SHIM_WAL, .code = SQLITE_FULL });
        assert_int_equal(turn_end(s->db), TURN_NOT_DONE);
        shim_heal();
        turn_begin(s->db);
        put_secret(s);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_memory_equal(&before, db_key(s->db), sizeof(before));
        assert_opens(s, 2);
        scratch_reopen(s);
        assert_int_equal(open_key(s, &problem), 0);
        assert_opens(s, 2);
        assert_int_not_equal(access(scratch_path(s, "key.new"), F_OK), 0);
}

static void test_a_second_rotation_in_the_turn_is_refused(void **state) {
        Scratch *s = *state;
        Problem problem = {};

        setup_secret(s);
        turn_begin(s->db);
        change_key(s, 1, 0);
        assert_int_equal(savepoint_release(s->db), 0);
        assert_int_equal(key_change_begin(s->db, 1, false, &problem), 1);
        assert_string_equal(problem.code, "rotation-running");
        assert_int_equal(turn_end(s->db), TURN_DONE);
        key_changed(s->db);
        assert_opens(s, 1);
}

static void test_hashes_of_the_old_key_are_known_until_their_time(void **state) {
        Scratch *s = *state;
        Problem problem = {};
        uint8_t first[KEYED_HASH_SIZE], second[KEYED_HASH_SIZE];

        assert_int_equal(open_key(s, &problem), 0);
        keyed_hash(db_key(s->db), "code", "12345678", first);
        for (int i = 0; i < 2; i++) {
                turn_begin(s->db);
                change_key(s, 100, 200);
                /* In the same turn, too. */
                assert_int_equal(savepoint_release(s->db), 0);
                assert_true(key_hash_matches(s->db, 150, "code", "12345678", first));
                if (i == 0)
                        keyed_hash(db_key(s->db), "code", "12345678", second);
                assert_int_equal(turn_end(s->db), TURN_DONE);
                key_changed(s->db);
        }
        for (int i = 0; i < 2; i++) {
                assert_true(key_hash_matches(s->db, 199, "code", "12345678", first));
                assert_true(key_hash_matches(s->db, 199, "code", "12345678", second));
                assert_false(key_hash_matches(s->db, 199, "code", "12345679", first));
                assert_false(key_hash_matches(s->db, 199, "link", "12345678", first));
                assert_false(key_hash_matches(s->db, 200, "code", "12345678", first));
                scratch_reopen(s);
                assert_int_equal(open_key(s, &problem), 0);
        }
}

static void test_a_value_that_cannot_be_opened_is_counted_and_stays(void **state) {
        Scratch *s = *state;
        Problem problem = {};
        int64_t sealed = 0, lost = 0;

        setup_secret(s);
        turn_begin(s->db);
        put_secret(s);
        assert_int_equal(row_run(s->db, "UPDATE message SET sealed = (SELECT sealed FROM message WHERE n = 1) WHERE n = 2", ""), 0);
        assert_int_equal(key_change_begin(s->db, 1, false, &problem), 0);
        assert_int_equal(message_reseal(s->db, key_old(s->db), key_next(s->db), &sealed, &lost), 0);
        assert_int_equal(sealed, 1);
        assert_int_equal(lost, 1);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_first_start_makes_a_key_that_stays, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(test_bad_key_files_are_refused, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(test_wrong_or_missing_key_is_refused_and_nothing_made, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(test_wrong_key_is_named, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(test_no_key_is_replaced_that_is_not_kept, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(test_code_is_sealed_until_it_has_left, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(test_what_is_sealed_later_in_the_turn_has_the_new_key, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(test_a_rotation_that_is_rolled_back_never_was, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(test_a_lost_turn_leaves_the_old_key, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(test_a_second_rotation_in_the_turn_is_refused, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(test_hashes_of_the_old_key_are_known_until_their_time, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(test_a_value_that_cannot_be_opened_is_counted_and_stays, scratch_setup, scratch_teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

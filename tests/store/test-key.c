/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/key.h"
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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_first_start_makes_a_key_that_stays, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(test_bad_key_files_are_refused, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(test_wrong_or_missing_key_is_refused_and_nothing_made, scratch_setup, scratch_teardown),
                cmocka_unit_test_setup_teardown(test_code_is_sealed_until_it_has_left, scratch_setup, scratch_teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

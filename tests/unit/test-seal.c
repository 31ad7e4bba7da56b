/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "common/memory.h"
#include "common/random.h"
#include "common/seal.h"


static Key key_of(uint8_t first) {
        uint8_t master[KEY_SIZE] = { first };
        Key k;
        key_derive(master, &k);
        return k;
}

static void test_what_was_sealed_comes_back(void **state) {
        const Key k = key_of(1);
        const char *const texts[] = { "", "x", "73548903", "Grüße, 株式会社" };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_(buffer_done) Buffer sealed = {}, plain = {};
                seal(&k, "message/1/sealed", texts[i], strlen(texts[i]), &sealed);
                assert_int_equal(seal_open(&k, "message/1/sealed", sealed.data, sealed.size, &plain), 0);
                assert_string_equal(buffer_string(&plain), texts[i]);
                if (strlen(texts[i]) > 1)    /* one byte is among thirty random ones by chance */
                        assert_null(memmem(sealed.data, sealed.size, texts[i], strlen(texts[i])));
        }
}

/* Twice the same text, twice other bytes: nobody sees that two codes are equal. */
static void test_no_two_are_alike(void **state) {
        const Key k = key_of(1);
        _cleanup_(buffer_done) Buffer a = {}, b = {};

        seal(&k, "message/1/sealed", "code", 4, &a);
        seal(&k, "message/1/sealed", "code", 4, &b);
        assert_int_equal(a.size, b.size);
        assert_memory_not_equal(a.data, b.data, a.size);
}

static void test_another_place_key_or_byte_is_refused(void **state) {
        const Key k = key_of(1), other = key_of(2);
        _cleanup_(buffer_done) Buffer sealed = {}, plain = {};

        seal(&k, "message/1/sealed", "73548903", 8, &sealed);
        assert_int_equal(seal_open(&k, "message/2/sealed", sealed.data, sealed.size, &plain), -EBADMSG);
        assert_int_equal(seal_open(&other, "message/1/sealed", sealed.data, sealed.size, &plain), -ENOKEY);
        for (size_t i = 0; i < sealed.size; i++) {
                sealed.data[i] ^= 1;
                assert_true(seal_open(&k, "message/1/sealed", sealed.data, sealed.size, &plain) < 0);
                sealed.data[i] ^= 1;
        }
        for (size_t n = 0; n < sealed.size; n++)
                assert_int_equal(seal_open(&k, "message/1/sealed", sealed.data, n, &plain), -EBADMSG);
        assert_int_equal(plain.size, 0);
}

static void test_hashes_differ_by_purpose_key_and_text(void **state) {
        const Key k = key_of(1), other = key_of(2);
        uint8_t a[KEYED_HASH_SIZE], b[KEYED_HASH_SIZE];

        keyed_hash(&k, "verification-code", "73548903", a);
        keyed_hash(&k, "verification-code", "73548903", b);
        assert_true(hash_equal(a, b));
        keyed_hash(&k, "verification-link", "73548903", b);
        assert_false(hash_equal(a, b));
        keyed_hash(&other, "verification-code", "73548903", b);
        assert_false(hash_equal(a, b));
        keyed_hash(&k, "verification-code", "73548904", b);
        assert_false(hash_equal(a, b));
        /* The purpose ends where it ends: "ab" of "c" is not "a" of "bc". */
        keyed_hash(&k, "ab", "c", a);
        keyed_hash(&k, "a", "bc", b);
        assert_false(hash_equal(a, b));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_was_sealed_comes_back),
                cmocka_unit_test(test_no_two_are_alike),
                cmocka_unit_test(test_another_place_key_or_byte_is_refused),
                cmocka_unit_test(test_hashes_differ_by_purpose_key_and_text),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

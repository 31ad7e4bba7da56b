/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "common/json.h"
#include "common/time.h"

/* What another library reads is what was written, and there is no control character in between. */
static void assert_reads_back(const char *s, size_t n) {
        _cleanup_(buffer_done) Buffer b = {};

        json_put_string_n(&b, s, n);
        assert_int_equal(b.data[b.size], 0);
        for (size_t i = 0; i < b.size; i++)
                assert_true((unsigned char) b.data[i] >= 0x20);
        json_t *read = json_loadb(b.data, b.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(read);
        assert_int_equal(json_string_length(read), n);
        assert_memory_equal(json_string_value(read), s, n);
        json_decref(read);
}

/* Strings are written eight bytes at a time: every character at every place of the first three eights, at every length. */
static void test_every_character_everywhere(void **state) {
        char s[26];

        for (int c = 0; c < 128; c++)
                for (size_t n = 1; n < sizeof(s); n++)
                        for (size_t at = 0; at < n; at++) {
                                memset(s, '!', n);
                                s[at] = (char) c;
                                assert_reads_back(s, n);
                        }
}

static void test_beyond_ascii(void **state) {
        static const char *const texts[] = { "", "é", "Bäckerei \"Müller\"\n", "日本語のテキスト", "\xf0\x9f\x98\x80\\\xf0\x9f\x98\x80", "\x7f\x1f\x20" };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                assert_reads_back(texts[i], strlen(texts[i]));
}

static void test_commas(void **state) {
        _cleanup_(buffer_done) Buffer b = {};

        json_put_object_begin(&b);
        json_put_key_time(&b, "at", INT64_C(1709210096) * USEC_SEC);
        json_put_key_int(&b, "least", INT64_MIN);
        json_put_key(&b, "list");
        json_put_array_begin(&b);
        json_put_bool(&b, true);
        json_put_null(&b);
        json_put_string(&b, NULL);
        json_put_array_end(&b);
        json_put_key_time(&b, "never", USEC_NONE);
        json_put_object_end(&b);
        assert_string_equal(buffer_string(&b),
                            "{\"at\":\"2024-02-29T12:34:56Z\",\"least\":-9223372036854775808,\"list\":[true,null,null],\"never\":null}");
}

/* As long as what is left, one shorter and one longer. */
static void test_printf_of_every_length(void **state) {
        char s[300], expected[320];

        for (size_t n = 0; n < sizeof(s); n++) {
                _cleanup_(buffer_done) Buffer b = {};
                memset(s, 'x', n);
                s[n] = 0;
                buffer_add_string(&b, "=");
                buffer_printf(&b, "%s;%d", s, 7);
                snprintf(expected, sizeof(expected), "=%s;7", s);
                assert_string_equal(buffer_string(&b), expected);
                assert_int_equal(b.size, strlen(expected));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_character_everywhere),
                cmocka_unit_test(test_beyond_ascii),
                cmocka_unit_test(test_commas),
                cmocka_unit_test(test_printf_of_every_length),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

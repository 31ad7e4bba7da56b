/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/model/punycode.h"

static void assert_encoded(const uint32_t *codes, size_t n, const char *expected) {
        Buffer b = {};

        assert_true(punycode_encode(codes, n, &b));
        assert_string_equal(buffer_string(&b), expected);
        buffer_done(&b);
}

/* RFC 3492, section 7.1. */
static void test_examples(void **state) {
        /* (A) Arabic (Egyptian) */
        static const uint32_t arabic[] = { 0x0644, 0x064a, 0x0647, 0x0645, 0x0627, 0x0628, 0x062a, 0x0643, 0x0644,
                                           0x0645, 0x0648, 0x0634, 0x0639, 0x0631, 0x0628, 0x064a, 0x061f };
        /* (B), (C) Chinese, simplified and traditional */
        static const uint32_t simplified[] = { 0x4ed6, 0x4eec, 0x4e3a, 0x4ec0, 0x4e48, 0x4e0d, 0x8bf4, 0x4e2d, 0x6587 };
        static const uint32_t traditional[] = { 0x4ed6, 0x5011, 0x7232, 0x4ec0, 0x9ebd, 0x4e0d, 0x8aaa, 0x4e2d, 0x6587 };
        /* (D) Czech */
        static const uint32_t czech[] = { 'P', 'r', 'o', 0x010d, 'p', 'r', 'o', 's', 't', 0x011b, 'n',
                                          'e', 'm', 'l', 'u', 'v', 0x00ed, 0x010d, 'e', 's', 'k', 'y' };
        /* (E) Hebrew */
        static const uint32_t hebrew[] = { 0x05dc, 0x05de, 0x05d4, 0x05d4, 0x05dd, 0x05e4, 0x05e9, 0x05d5,
                                           0x05d8, 0x05dc, 0x05d0, 0x05de, 0x05d3, 0x05d1, 0x05e8, 0x05d9,
                                           0x05dd, 0x05e2, 0x05d1, 0x05e8, 0x05d9, 0x05ea };
        /* (I) Russian, without the RFC's upper-case annotation */
        static const uint32_t russian[] = { 0x043f, 0x043e, 0x0447, 0x0435, 0x043c, 0x0443, 0x0436, 0x0435, 0x043e,
                                            0x043d, 0x0438, 0x043d, 0x0435, 0x0433, 0x043e, 0x0432, 0x043e, 0x0440,
                                            0x044f, 0x0442, 0x043f, 0x043e, 0x0440, 0x0443, 0x0441, 0x0441, 0x043a,
                                            0x0438 };
        /* (L) to (R): Japanese names with ASCII among them */
        static const uint32_t kinpachi[] = { '3', 0x5e74, 'B', 0x7d44, 0x91d1, 0x516b, 0x5148, 0x751f };
        static const uint32_t hello[] = { 'H', 'e', 'l', 'l', 'o', '-', 'A', 'n', 'o', 't', 'h', 'e', 'r', '-', 'W',
                                          'a', 'y', '-', 0x305d, 0x308c, 0x305e, 0x308c, 0x306e, 0x5834, 0x6240 };
        static const uint32_t under[] = { 0x3072, 0x3068, 0x3064, 0x5c4b, 0x6839, 0x306e, 0x4e0b, '2' };
        static const uint32_t soon[] = { 'M', 'a', 'j', 'i', 0x3067, 'K', 'o', 'i', 0x3059, 0x308b, '5', 0x79d2, 0x524d };
        static const uint32_t puffy[] = { 0x30d1, 0x30d5, 0x30a3, 0x30fc, 'd', 'e', 0x30eb, 0x30f3, 0x30d0 };
        static const uint32_t speed[] = { 0x305d, 0x306e, 0x30b9, 0x30d4, 0x30fc, 0x30c9, 0x3067 };
        /* (S) ASCII that is no host name */
        static const uint32_t price[] = { '-', '>', ' ', '$', '1', '.', '0', '0', ' ', '<', '-' };

        assert_encoded(arabic, ELEMENTSOF(arabic), "egbpdaj6bu4bxfgehfvwxn");
        assert_encoded(simplified, ELEMENTSOF(simplified), "ihqwcrb4cv8a8dqg056pqjye");
        assert_encoded(traditional, ELEMENTSOF(traditional), "ihqwctvzc91f659drss3x8bo0yb");
        assert_encoded(czech, ELEMENTSOF(czech), "Proprostnemluvesky-uyb24dma41a");
        assert_encoded(hebrew, ELEMENTSOF(hebrew), "4dbcagdahymbxekheh6e0a7fei0b");
        assert_encoded(russian, ELEMENTSOF(russian), "b1abfaaepdrnnbgefbadotcwatmq2g4l");
        assert_encoded(kinpachi, ELEMENTSOF(kinpachi), "3B-ww4c5e180e575a65lsy2b");
        assert_encoded(hello, ELEMENTSOF(hello), "Hello-Another-Way--fc4qua05auwb3674vfr0b");
        assert_encoded(under, ELEMENTSOF(under), "2-u9tlzr9756bt3uc0v");
        assert_encoded(soon, ELEMENTSOF(soon), "MajiKoi5-783gue6qz075azm5e");
        assert_encoded(puffy, ELEMENTSOF(puffy), "de-jg4avhby1noc0d");
        assert_encoded(speed, ELEMENTSOF(speed), "d9juau41awczczp");
        assert_encoded(price, ELEMENTSOF(price), "-> $1.00 <--");
}

static void test_limits(void **state) {
        static uint32_t codes[PUNYCODE_MAX + 1];
        Buffer b = {};

        assert_true(punycode_encode(codes, 0, &b));
        assert_string_equal(buffer_string(&b), "");
        for (size_t i = 0; i < ELEMENTSOF(codes); i++)
                codes[i] = i % 2 ? 0x10ffff : 0x80;
        assert_false(punycode_encode(codes, ELEMENTSOF(codes), &b));
        assert_int_equal(b.size, 0);
        assert_true(punycode_encode(codes, PUNYCODE_MAX, &b));
        codes[3] = 0x110000;
        buffer_clear(&b);
        assert_false(punycode_encode(codes, 8, &b));
        assert_int_equal(b.size, 0);
        buffer_done(&b);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_examples),
                cmocka_unit_test(test_limits),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

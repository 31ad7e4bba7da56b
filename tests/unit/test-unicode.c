/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "common/text.h"
#include "daemon/model/unicode.h"

static char *repeat(Arena *a, const char *s, size_t times) {
        size_t n = strlen(s);
        char *all = arena_alloc(a, n * times + 1);
        for (size_t i = 0; i < times; i++)
                memcpy(all + i * n, s, n);
        return all;
}

static void assert_kept(const char *text, const char *expected) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem p = {};
        int r = text_check(a, "organization", TEXT_ONE_LINE, 1, 200, &text, &p);

        if (r != 0)
                fail_msg("refused: %s: %s", p.code, p.text);
        assert_string_equal(text, expected);
}

static void assert_refused(int kind, const char *text, const char *code, const char *part) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem p = {};
        const char *before = text;

        assert_int_equal(text_check(a, "organization", kind, 1, 200, &text, &p), 1);
        assert_int_equal(p.kind, PROBLEM_INVALID_ARGUMENT);
        assert_string_equal(p.code, code);
        assert_string_equal(p.field, "organization");
        assert_non_null(strstr(p.text, part));
        assert_ptr_equal(text, before);
}

static void test_kept(void **state) {
        static const char *const same[] = {
                "Contoso GmbH", "a", "Müller & Söhne", "株式会社", "שלום", "مرحبا", "🏳️‍🌈", "=1+1", "'; DROP TABLE x; --",
                "%s%n", "a\u200eb", "a\u200fb", "क्\u200dष", "\ue000", "a\u00adb",
        };
        for (size_t i = 0; i < ELEMENTSOF(same); i++)
                assert_kept(same[i], same[i]);

        assert_kept("  Contoso  ", "Contoso");
        assert_kept("\u00a0\u3000Contoso\u2003", "Contoso");
        assert_kept("a  b", "a  b");
        assert_kept("Mu\u0308ller", "Müller");
        assert_kept("\u212bngstro\u0308m", "Ångström");
        assert_kept(" \u1112\u1161\u11ab", "한");
}

static void test_refused(void **state) {
        assert_refused(TEXT_ONE_LINE, "", "too-short", "empty");
        assert_refused(TEXT_ONE_LINE, "   ", "too-short", "empty");
        assert_refused(TEXT_ONE_LINE, "ab\tc", "control-character", "U+0009, at character 3");
        assert_refused(TEXT_ONE_LINE, "\tab", "control-character", "character 1");
        assert_refused(TEXT_ONE_LINE, "ab\n", "control-character", "character 3");
        assert_refused(TEXT_ONE_LINE, "ä\x7f", "control-character", "U+007F, at character 2");
        assert_refused(TEXT_ONE_LINE, "ä\xc2\x85", "control-character", "U+0085");
        assert_refused(TEXT_ONE_LINE, "a\u2028", "control-character", "U+2028");
        assert_refused(TEXT_ONE_LINE, "a\u2029b", "control-character", "U+2029");
        assert_refused(TEXT_ONE_LINE, "abc\u202egnp", "bidi-control", "U+202E, at character 4");
        assert_refused(TEXT_ONE_LINE, "\u2066x", "bidi-control", "U+2066");
        assert_refused(TEXT_ONE_LINE, "x\u2069", "bidi-control", "U+2069");
        assert_refused(TEXT_ONE_LINE, "x\ufdd0", "noncharacter", "U+FDD0");
        assert_refused(TEXT_ONE_LINE, "x\xf4\x8f\xbf\xbf", "noncharacter", "U+10FFFF");
        assert_refused(TEXT_ONE_LINE, "x\xef\xbf\xbe", "noncharacter", "U+FFFE");
        assert_refused(TEXT_ONE_LINE, "\u200b\u200d", "nothing-visible", "2");
        assert_refused(TEXT_ONE_LINE, "\u3164", "nothing-visible", "1");
        assert_refused(TEXT_ONE_LINE, "\u2800", "nothing-visible", "1");
        assert_refused(TEXT_FREE, "a\rb", "control-character", "U+000D");
        assert_refused(TEXT_FREE, "a\u202d", "bidi-control", "U+202D");
}

static void test_invalid_utf8(void **state) {
        assert_refused(TEXT_ONE_LINE, "ä\xff", "invalid-utf8", "0xff at character 2");
        assert_refused(TEXT_ONE_LINE, "\xc0\xaf", "invalid-utf8", "character 1");
        assert_refused(TEXT_ONE_LINE, "ab\xed\xa0\x80", "invalid-utf8", "character 3");
        assert_refused(TEXT_ONE_LINE, "ab\xe2\x82", "invalid-utf8", "character 3");
        assert_refused(TEXT_ONE_LINE, "\xf4\x90\x80\x80", "invalid-utf8", "character 1");
        assert_refused(TEXT_ONE_LINE, "M\xfcller", "invalid-utf8", "0xfc at character 2");
}

static void test_free_text(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *text = "\n\tfirst\n\tsecond \n";
        Problem p = {};

        assert_int_equal(text_check(a, "note", TEXT_FREE, 0, 200, &text, &p), 0);
        assert_string_equal(text, "first\n\tsecond");
        text = "  ";
        assert_int_equal(text_check(a, "note", TEXT_FREE, 0, 200, &text, &p), 0);
        assert_string_equal(text, "");
}

/* Lengths are code points after NFC, not bytes and not what was typed. */
static void test_lengths(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();

        assert_kept(repeat(a, "A", 200), repeat(a, "A", 200));
        assert_kept(repeat(a, "🏢", 200), repeat(a, "🏢", 200));
        assert_kept(repeat(a, "u\u0308", 200), repeat(a, "ü", 200));
        assert_kept(repeat(a, "\u03b1\u0313\u0300\u0345", 200), repeat(a, "\u1f82", 200));
        assert_refused(TEXT_ONE_LINE, repeat(a, "A", 201), "too-long", "201 characters; at most 200");
        assert_refused(TEXT_ONE_LINE, repeat(a, "u\u0308", 201), "too-long", "201 characters; at most 200");
        assert_refused(TEXT_ONE_LINE, repeat(a, "A", 70000), "too-long", "70000");
        assert_refused(TEXT_ONE_LINE, repeat(a, "\u0301", 70000), "too-long", "70000");
}

static void assert_key(const char *text, const char *expected) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *key = text_key(a, text);

        assert_string_equal(key, expected);
        assert_string_equal(text_key(a, key), expected);         /* a key is its own key */
}

static void test_key(void **state) {
        assert_key("", "");
        assert_key("Contoso GmbH 7%_*", "contoso gmbh 7%_*");
        assert_key("Müller", "muller");
        assert_key("MU\u0308LLER", "muller");
        assert_key("Straße", "strasse");
        assert_key("STRASSE", "strasse");
        assert_key("STRA\u1e9eE", "strasse");
        assert_key("ΣΊΣΥΦΟΣ", "σισυφοσ");
        assert_key("σίσυφος", "σισυφοσ");
        assert_key("Ärzte", "arzte");
        assert_key("İstanbul", "istanbul");
        assert_key("ISTANBUL", "istanbul");
        assert_key("ıstanbul", "istanbul");
        assert_key("Łódź", "łodz");
        assert_key("ŒUVRE", "œuvre");
        assert_key("Йод", "иод");
        assert_key("한국", "한국");
        assert_key("\u1112\u1161\u11ab", "한");
        assert_key("ﬁne", "fine");
        assert_key("日本", "日本");
        assert_key("Ⅷ", "ⅷ");
        assert_key("🏢 Büro", "🏢 buro");
        assert_key("Tiếng Việt", "tieng viet");
        assert_key("\u0301\u0302", "");
}

static void test_key_of_long_text(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();

        assert_string_equal(text_key(a, repeat(a, "ÄB", 5000)), repeat(a, "ab", 5000));
        assert_string_equal(text_key(a, repeat(a, "\u0301", 50000)), "");
}

static void test_fold_keeps_marks(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();

        assert_string_equal(text_fold(a, "JÜRGEN.Weiß"), "jürgen.weiss");
        assert_string_equal(text_fold(a, "Admin+X"), "admin+x");
}

static void test_nfc(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();

        assert_string_equal(text_nfc(a, "e\u0301"), "é");
        assert_string_equal(text_nfc(a, "plain"), "plain");
        assert_string_equal(text_nfc(a, "\u0344"), "\u0308\u0301");
}

static void test_field(void **state) {
        static const Field field = { .name = "first_name", .type = FIELD_TEXT, .min = 1, .max = 3 };
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *text = " Ada ";
        Problem p = {};

        assert_int_equal(text_check_field(a, &field, &text, &p), 0);
        assert_string_equal(text, "Ada");
        text = "Adam";
        assert_int_equal(text_check_field(a, &field, &text, &p), 1);
        assert_string_equal(p.field, "first_name");
}

/* Whatever bytes come: a verdict, a valid text, and the same verdict on what was kept. */
static void test_random_bytes(void **state) {
        static const char alphabet[] = "a A\xcc\x81\xc3\xbc\xe2\x80\xae\xf0\x9f\x8f\xa2\xff\t\xc4\xb1";
        unsigned seed = (unsigned) time(NULL);

        print_message("seed %u\n", seed);
        srand(seed);
        for (int round = 0; round < 20000; round++) {
                _cleanup_(arena_freep) Arena *a = arena_new();
                char bytes[24] = {};
                Problem p = {};
                for (int i = 0, n = rand() % 23; i < n; i++)
                        bytes[i] = alphabet[(size_t) rand() % (sizeof(alphabet) - 1)];
                const char *text = bytes;
                if (text_check(a, "x", rand() % 2, rand() % 2, 12, &text, &p) != 0) {
                        assert_true(utf8_valid(p.text, strlen(p.text)));
                        continue;
                }
                const char *again = text;
                assert_true(utf8_valid(text, strlen(text)));
                assert_true(utf8_length(text) <= 12);
                assert_int_equal(text_check(a, "x", TEXT_FREE, 0, 12, &again, &p), 0);
                assert_string_equal(text_key(a, text_key(a, text)), text_key(a, text));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kept),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_invalid_utf8),
                cmocka_unit_test(test_free_text),
                cmocka_unit_test(test_lengths),
                cmocka_unit_test(test_key),
                cmocka_unit_test(test_key_of_long_text),
                cmocka_unit_test(test_fold_keeps_marks),
                cmocka_unit_test(test_nfc),
                cmocka_unit_test(test_field),
                cmocka_unit_test(test_random_bytes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/text.h"
#include "daemon/model/country.h"
#include "daemon/model/currency.h"

static const char iso_codes[] = "/usr/share/iso-codes/json/iso_3166-1.json";

static void assert_code(const char *text, const char *expected) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem p = {};

        if (country_check(a, "country", &text, &p) != 0)
                fail_msg("refused: %s", p.text);
        assert_string_equal(text, expected);
}

static void assert_refused(const char *text, const char *candidate) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem p = {};

        assert_int_equal(country_check(a, "country", &text, &p), 1);
        assert_int_equal(p.kind, PROBLEM_INVALID_ARGUMENT);
        assert_string_equal(p.code, "unknown-country");
        assert_string_equal(p.field, "country");
        assert_true(utf8_valid(p.text, strlen(p.text)));
        assert_int_equal(p.n_candidates, candidate ? 1 : 0);
        if (candidate) {
                assert_string_equal(p.candidates[0], candidate);
                assert_non_null(strstr(p.text, candidate));
        }
}

static void test_codes(void **state) {
        assert_code("DE", "DE");
        assert_code("de", "DE");
        assert_code(" aT\t", "AT");
        assert_code("xk", "XK");
        assert_code("CG", "CG");
        assert_code("AD", "AD");
        assert_code("ZW", "ZW");
}

static void test_refused(void **state) {
        static const char *const bad[] = { "", " ", "D", "ZZ", "AA", "DEU", "D1", "É", "\xff\xff", "=1", "D E", "276" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_refused(bad[i], NULL);
        assert_refused("UK", "GB");
        assert_refused("uk", "GB");
        assert_refused("el", "GR");
        assert_refused("Germany", "DE");
        assert_refused("the netherlands", "NL");
}

static void assert_name(const char *name, const char *expected) {
        const char *code = country_from_name(name);
        if (!str_equal(code, expected))
                fail_msg("%s: %s instead of %s", name, code ? code : "none", expected ? expected : "none");
}

static void test_names(void **state) {
        static const char *const names[][2] = {
                { "Germany", "DE" }, { "GERMANY", "DE" }, { " germany ", "DE" }, { "Côte d'Ivoire", "CI" },
                { "Co\u0302te d\u2019Ivoire", "CI" }, { "COTE D'IVOIRE", "CI" }, { "Ivory Coast", "CI" },
                { "Türkiye", "TR" }, { "TURKIYE", "TR" }, { "Turkey", "TR" }, { "Curaçao", "CW" }, { "Reunion", "RE" },
                { "Aland Islands", "AX" }, { "The Netherlands", "NL" }, { "Netherlands, The", "NL" }, { "Holland", "NL" },
                { "St. Lucia", "LC" }, { "Saint Lucia", "LC" }, { "Trinidad & Tobago", "TT" }, { "U.S.A.", "US" },
                { "USA", "US" }, { "United States of America", "US" }, { "United Kingdom", "GB" }, { "Great Britain", "GB" },
                { "Korea, Republic of", "KR" }, { "South Korea", "KR" }, { "Republic of Korea", "KR" },
                { "Korea, Democratic People's Republic of", "KP" }, { "Russia", "RU" }, { "Congo", "CG" },
                { "Republic of the Congo", "CG" }, { "Democratic Republic of the Congo", "CD" }, { "Guinea-Bissau", "GW" },
                { "Guinea", "GN" }, { "Niger", "NE" }, { "Nigeria", "NG" }, { "Czech Republic", "CZ" }, { "Hong Kong SAR", "HK" },
                { "Macau", "MO" }, { "Viet Nam", "VN" }, { "Vietnam", "VN" }, { "Burma", "MM" }, { "Kosovo", "XK" },
                { "Virgin Islands, U.S.", "VI" }, { "British Virgin Islands", "VG" }, { "Bosnia & Herzegovina", "BA" },
        };
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_name(names[i][0], names[i][1]);
}

static void test_no_names(void **state) {
        static const char *const names[] = {
                "", "UK", "DE", "Atlantis", "Deutschland日", "日本Japan", "Germany France", "German", "\xff\xff\xff", "the", "&&&",
                "Virgin Islands",        /* whose? */
                "Germany\nFrance", "GermanyGermanyGermanyGermanyGermanyGermanyGermanyGermanyGermanyGermanyGermanyGermanyGermanyGermany",
        };
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_name(names[i], NULL);
}

/* Every code and name of the standard is known, and no code beside it but XK. */
static void test_against_iso_codes(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        bool standard[26 * 26] = {};
        json_t *all, *entry;
        size_t i;

        json_t *root = json_load_file(iso_codes, 0, NULL);
        if (!root) {
                /* No skip(): cmocka 1.1 counts it as a failure. */
                print_message("%s is not installed\n", iso_codes);
                return;
        }
        all = json_object_get(root, "3166-1");
        assert_true(json_array_size(all) >= 249);
        json_array_foreach(all, i, entry) {
                static const char *const kinds[] = { "name", "official_name", "common_name" };
                const char *code = json_string_value(json_object_get(entry, "alpha_2"));
                standard[(code[0] - 'A') * 26 + code[1] - 'A'] = true;
                assert_code(code, code);
                for (size_t k = 0; k < ELEMENTSOF(kinds); k++) {
                        const char *name = json_string_value(json_object_get(entry, kinds[k]));
                        if (name)
                                assert_name(name, code);
                }
        }
        json_decref(root);
        for (int k = 0; k < 26 * 26; k++) {
                const char *text = arena_printf(a, "%c%c", 'A' + k / 26, 'A' + k % 26);
                Problem p;
                bool known = country_check(a, "country", &text, &p) == 0;
                if (known != (standard[k] || str_equal(text, "XK")))
                        fail_msg("%s is %s", text, known ? "known" : "unknown");
        }
}

/* ---- currencies ---- */

static bool is_currency(const char *text, const char *expected) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem p = {};

        if (currency_check(a, "currency", &text, &p) == 0)
                return str_equal(text, expected);
        assert_string_equal(p.code, "bad-currency");
        assert_string_equal(p.field, "currency");
        return false;
}

static void test_currencies(void **state) {
        static const char *const bad[] = { "", "E", "EU", "EURO", "ZZZ", "XTS", "XAU", "978", "€", "É\xc3", "E R", "EUR ", "HRK" };

        assert_true(is_currency("EUR", "EUR") && is_currency("eur", "EUR") && is_currency("Chf", "CHF"));
        assert_true(is_currency("AED", "AED") && is_currency("zwg", "ZWG") && is_currency("XCG", "XCG"));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_false(is_currency(bad[i], NULL));
}

/* Every currency of the standard is known but those without one to pay with, and what a list of 2023 still has. */
static void test_currencies_against_iso_codes(void **state) {
        static const char *const gone[] = { "HRK", "SLL", "CUC", NULL };
        /* What begins with X is of no country: a metal, a unit of account, a test, but for these. */
        static const char *const paid[] = { "XAF", "XCD", "XCG", "XOF", "XPF", NULL };
        json_t *root = json_load_file("/usr/share/iso-codes/json/iso_4217.json", 0, NULL), *all, *entry;
        size_t i;

        if (!root) {
                print_message("iso-codes is not installed\n");
                return;
        }
        all = json_object_get(root, "4217");
        assert_true(json_array_size(all) >= 170);
        json_array_foreach(all, i, entry) {
                const char *code = json_string_value(json_object_get(entry, "alpha_3"));
                bool used = (code[0] != 'X' || names_find(paid, code) >= 0) && names_find(gone, code) < 0;
                if (is_currency(code, code) != used)
                        fail_msg("%s", code);
        }
        json_decref(root);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_codes),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_no_names),
                cmocka_unit_test(test_against_iso_codes),
                cmocka_unit_test(test_currencies),
                cmocka_unit_test(test_currencies_against_iso_codes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

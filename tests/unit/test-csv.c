/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/model/country.h"
#include "daemon/model/csv.h"

/* Opens it and gives every cell, records ended by '/', cells by '|'. A refusal gives its code. */
static const char *read_all(Arena *a, const char *text, size_t n) {
        Problem problem = {};
        CsvFile *f = NULL;
        Buffer out = {};

        if (csv_open(a, text, n, &f, &problem) != 0)
                return arena_strdup(a, problem.code);
        CsvRecord r = *csv_header(f);
        size_t cursor = 0;
        do {
                for (size_t i = 0; i < r.n_cells; i++)
                        buffer_printf(&out, "%s|", r.cells[i]);
                buffer_printf(&out, "%lld/", (long long) r.line);
        } while (csv_next(f, &cursor, a, &r) > 0);
        const char *s = arena_strdup(a, buffer_string(&out));
        buffer_done(&out);
        return s;
}

static void assert_reads(const char *text, const char *expected) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        assert_string_equal(read_all(a, text, strlen(text)), expected);
}

static void test_records_and_lines(void **state) {
        assert_reads("a,b\nc,d\n", "a|b|1/c|d|2/");
        assert_reads("a,b\r\nc,d", "a|b|1/c|d|2/");
        assert_reads("a,b\rc,d\r", "a|b|1/c|d|2/");
        assert_reads("a,b\n\n , \nc,d\n", "a|b|1/c|d|4/");
        assert_reads("a,b\n\"x\ny\",\"say \"\"hi\"\"\"\nlast,1\n", "a|b|1/x\ny|say \"hi\"|2/last|1|4/");
        assert_reads(" a , \"b\" \n\tc,d\n", "a|b|1/c|d|2/");
        assert_reads("a\n", "a|1/");
}

static void test_delimiters(void **state) {
        assert_reads("a;b;c,d\n1;2;3\n", "a|b|c,d|1/1|2|3|2/");
        assert_reads("a\tb\n1\t2\n", "a|b|1/1|2|2/");
        assert_reads("\"a;b\",c\n1,2\n", "a;b|c|1/1|2|2/");
        assert_reads("sep=|\na|b,c\n", "a|b,c|2/");
}

static void test_encodings(void **state) {
        static const char little[] = "\xff\xfe" "a\0,\0\xfc\0\n\0", big[] = "\xfe\xff" "\0a\0,\0\xfc\0\n";
        _cleanup_(arena_freep) Arena *a = arena_new();
        assert_string_equal(read_all(a, little, sizeof(little) - 1), "a|\xc3\xbc|1/");
        assert_string_equal(read_all(a, big, sizeof(big) - 1), "a|\xc3\xbc|1/");
        assert_reads("\xef\xbb\xbf" "a,b\n", "a|b|1/");
        assert_reads("a,M\xfcller\n", "not-utf8");
        assert_string_equal(read_all(a, "\xff\xfe" "a\0\0\xd8", 6), "not-utf8");
}

static void test_refusals(void **state) {
        assert_reads("", "empty-file");
        assert_reads("\n\n", "empty-file");
        assert_reads("a,b\n\"open,1\n", "bad-quoting");
        assert_reads("a,b\nx\"y,1\n", "bad-quoting");
        assert_reads("a,b\n\"x\"y,1\n", "bad-quoting");
}

static void test_guard_is_taken_off_where_it_was_put(void **state) {
        static const char *const texts[] = { "=1+1", "+4", "-5", "@x", "'=x", "''@y", "plain", "'plain", "a=b", "'", "" };
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_(arena_freep) Arena *a = arena_new();
                Buffer b = {};
                csv_cell(&b, true, "h", 1, true);
                csv_cell(&b, false, "k", 1, true);
                csv_end_record(&b);
                csv_cell(&b, true, texts[i], strlen(texts[i]), true);
                csv_cell(&b, false, "x", 1, true);
                csv_end_record(&b);
                assert_false(strchr("=+-@", b.data[5]) && b.data[5]);
                assert_string_equal(read_all(a, b.data, b.size), arena_printf(a, "h|k|1/%s|x|2/", texts[i]));
                buffer_done(&b);
        }
}

static void test_countries(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *code = " de ";
        Problem problem;
        assert_int_equal(country_check(a, "country", &code, &problem), 0);
        assert_string_equal(code, "DE");
        assert_int_equal(country_check(a, "country", &(const char *) { "xk" }, &problem), 0);
        assert_int_equal(country_check(a, "country", &(const char *) { "UK" }, &problem), 1);
        assert_non_null(strstr(problem.text, "GB"));
        assert_int_equal(country_check(a, "country", &(const char *) { "EL" }, &problem), 1);
        assert_non_null(strstr(problem.text, "GR"));
        assert_int_equal(country_check(a, "country", &(const char *) { "ZZ" }, &problem), 1);
        assert_string_equal(country_from_name("germany"), "DE");
        assert_string_equal(country_from_name("United States"), "US");
        assert_null(country_from_name("Atlantis"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_records_and_lines), cmocka_unit_test(test_delimiters), cmocka_unit_test(test_encodings),
                cmocka_unit_test(test_refusals), cmocka_unit_test(test_guard_is_taken_off_where_it_was_put), cmocka_unit_test(test_countries),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

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
        assert_reads("sep=;\r\na;b,c;d\r\n1;2;3", "a|b,c|d|2/1|2|3|3/");
        assert_reads("sep=^\na^b\n", "a|b|2/");
        assert_reads("sep=,x\n1,2\n", "sep=|x|1/1|2|2/");
        assert_reads("\n;;\n \na;b\n1;2\n", "a|b|4/1|2|5/");
        assert_reads("\n\"a|b\"|c\n1|2\n", "a|b|c|2/1|2|3/");
        assert_reads("a\n1;2\n", "a|1/1;2|2/");
}

/* A refusal says where, and what to type. */
static void assert_not_utf8(const char *text, size_t n, const char *where, const char *cure) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        char *exact = memory_new(n);     /* not a byte more, so that a sanitizer sees who reads on */
        Problem problem = {};
        CsvFile *f;

        memcpy(exact, text, n);
        assert_int_equal(csv_open(a, exact, n, &f, &problem), 1);
        assert_string_equal(problem.code, "not-utf8");
        if (!strstr(problem.text, where) || !strstr(problem.text, cure))
                fail_msg("%s", problem.text);
        freep(&exact);
}

static void test_encodings_are_named(void **state) {
#define REFUSED(text, where, cure) assert_not_utf8(text, sizeof(text) - 1, where, cure)
        REFUSED("a,M\xfcller\n", "line 1, byte 3:", "iconv -f WINDOWS-1252 -t UTF-8");
        REFUSED("\xef\xbb\xbf" "a\r\nb\rc\n\xff", "line 4, byte 10:", "WINDOWS-1252");
        REFUSED("a\n\xe2\x82", "line 2, byte 2:", "WINDOWS-1252");
        REFUSED("\xff\xfe" "a\0\n\0\0\xd8", "line 2, byte 6:", "iconv -f UTF-16");
        REFUSED("\xfe\xff" "\0a\0", "line 1, byte 4:", "UTF-16");
        REFUSED("a\0,\0b\0\n\0", "line 1, byte 1:", "UTF-16LE");
        REFUSED("\0a\0,\0b\0\n", "line 1, byte 0:", "UTF-16BE");
        REFUSED("\xff\xfe\0\0" "a\0\0\0", "byte 0:", "UTF-32");
#undef REFUSED
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

/* A header as wide as a careless tool makes it is refused; a line as wide fails alone. */
static void test_many_columns(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem problem = {};
        Buffer wide = {};
        CsvRecord r;
        CsvFile *f;

        for (int i = 0; i < 10000; i++)
                buffer_printf(&wide, "%sc%d", i ? "," : "", i);
        assert_int_equal(csv_open(a, wide.data, wide.size, &f, &problem), 1);
        assert_string_equal(problem.code, "too-many-columns");

        buffer_clear(&wide);
        buffer_add_string(&wide, "a,b");
        for (int i = 0; i < 10000; i++)
                buffer_add_char(&wide, ',');             /* a sheet's empty columns */
        buffer_add_string(&wide, "\n1,2");
        for (int i = 0; i < 10000; i++)
                buffer_add_char(&wide, ',');
        buffer_add_string(&wide, "far\n3,4\n");
        assert_int_equal(csv_open(a, wide.data, wide.size, &f, &problem), 0);
        size_t cursor = 0;
        assert_int_equal(csv_next(f, &cursor, a, &r), 1);
        assert_int_equal(r.n_cells, CSV_COLUMNS_MAX + 1);
        assert_string_equal(r.cells[CSV_COLUMNS_MAX], "far");
        assert_int_equal(csv_next(f, &cursor, a, &r), 1);
        assert_int_equal(r.line, 3);
        assert_string_equal(r.cells[1], "4");
        buffer_done(&wide);
}

static void test_nul_is_a_fault_of_its_line(void **state) {
        static const char text[] = "a,b\n1,2\0x\n\0,\n'\0,\n3,4\n";
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem problem = {};
        size_t cursor = 0;
        CsvRecord r;
        CsvFile *f;

        assert_int_equal(csv_open(a, text, sizeof(text) - 1, &f, &problem), 0);
        for (int line = 2; line <= 5; line++) {
                assert_int_equal(csv_next(f, &cursor, a, &r), 1);
                assert_int_equal(r.line, line);
                assert_int_equal(r.has_nul, line < 5);
        }
        assert_int_equal(csv_next(f, &cursor, a, &r), 0);
}

/* A cursor is a number that can be kept: reading goes on from it in another life. */
static void test_cursors(void **state) {
        static const char text[] = "a\n1\n\n\"2\n\"\n3";
        _cleanup_(arena_freep) Arena *a = arena_new();
        size_t cursor = 0;

        for (int i = 1; i <= 3; i++) {
                Problem problem = {};
                CsvRecord r;
                CsvFile *f;
                assert_int_equal(csv_open(a, text, sizeof(text) - 1, &f, &problem), 0);
                assert_int_equal(csv_next(f, &cursor, a, &r), 1);
                assert_string_equal(r.cells[0], arena_printf(a, "%d", i));
                assert_int_equal(r.line, i == 1 ? 2 : i == 2 ? 4 : 6);
        }
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

/* What leaves as CSV comes back as it was, whatever it is made of. */
static void test_round_trips(void **state) {
        static const char alphabet[] = "ab='+-@\t\r\n\"\",;| \xc3\xbc";
        unsigned seed = (unsigned) time(NULL);

        print_message("seed %u\n", seed);
        srand(seed);
        for (int round = 0; round < 5000; round++) {
                _cleanup_(arena_freep) Arena *a = arena_new();
                Problem problem = {};
                char texts[3][12] = {};
                Buffer b = {};
                CsvFile *f;
                CsvRecord r;

                buffer_add_string(&b, "h,i,j,k\r\n");
                for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                        size_t n = (size_t) rand() % 10;
                        for (size_t k = 0; k < n; k++) {
                                texts[i][k] = alphabet[(size_t) rand() % (sizeof(alphabet) - 2)];
                                if (texts[i][k] == '\xc3')
                                        texts[i][++k] = '\xbc';
                        }
                        /* Stored text has no blanks at its ends. */
                        n = strlen(texts[i]);
                        while (n > 0 && strchr(" \t\r\n", texts[i][n - 1]))
                                texts[i][--n] = 0;
                        csv_cell(&b, i == 0, texts[i] + strspn(texts[i], " \n"), strlen(texts[i] + strspn(texts[i], " \n")), true);
                }
                csv_cell(&b, false, "x", 1, true);
                csv_end_record(&b);
                assert_int_equal(csv_open(a, b.data, b.size, &f, &problem), 0);
                size_t cursor = 0;
                assert_int_equal(csv_next(f, &cursor, a, &r), 1);
                assert_int_equal(r.n_cells, 4);
                for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                        assert_string_equal(r.cells[i], texts[i] + strspn(texts[i], " \n"));
                assert_int_equal(csv_next(f, &cursor, a, &r), 0);
                buffer_done(&b);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_records_and_lines), cmocka_unit_test(test_delimiters), cmocka_unit_test(test_encodings),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_encodings_are_named), cmocka_unit_test(test_many_columns),
                cmocka_unit_test(test_nul_is_a_fault_of_its_line), cmocka_unit_test(test_cursors), cmocka_unit_test(test_round_trips),
                cmocka_unit_test(test_guard_is_taken_off_where_it_was_put),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

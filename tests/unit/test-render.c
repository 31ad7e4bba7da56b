/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pure parts of tenantd-render: rows, cells, headers, pictures' geometry. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "common/files.h"
#include "common/text.h"
#include "common/time.h"
#include "render/cell.h"
#include "render/header.h"
#include "render/notes.h"
#include "render/picture.h"
#include "render/rows.h"

static int feed(const char *bytes, size_t n) {
        int fd;
        assert_int_equal(memfd_sealed("rows", bytes, n, &fd), 0);
        return fd;
}

/* All values of all rows, each as KIND:TEXT and '|', rows ended by '/'; or "LINE n" of the problem. */
static void rows_told(const char *bytes, size_t n, size_t columns, bool join, Buffer *ret) {
        _cleanup_(closep) int fd = feed(bytes, n);
        _cleanup_(rows_freep) Rows *r = rows_new(fd);
        static const char kinds[] = "nft0TLR";
        Problem problem = {};
        bool more = true;
        int k;

        while ((k = rows_next(r, &more, &problem)) == 0 && more) {
                for (size_t i = 0; i < columns && k == 0; i++) {
                        Value v;
                        k = rows_value(r, &v, &problem);
                        if (k != 0)
                                break;
                        if (join && v.kind == VALUE_LIST)
                                value_join(&v);
                        buffer_add_char(ret, kinds[v.kind]);
                        buffer_add_char(ret, ':');
                        if (v.kind >= VALUE_NUMBER)
                                buffer_add(ret, v.text, v.size);
                        buffer_add_char(ret, '|');
                }
                if (k == 0)
                        k = rows_end(r, &problem);
                if (k != 0)
                        break;
                buffer_add_char(ret, '/');
        }
        if (k != 0) {
                assert_int_equal(k, 1);
                buffer_printf(ret, "!%s %s", problem.code, problem.text);
        }
}

static void check_rows(const char *bytes, size_t columns, const char *expected) {
        Buffer b = {};
        rows_told(bytes, strlen(bytes), columns, true, &b);
        assert_string_equal(buffer_string(&b), expected);
        buffer_done(&b);
}

static void test_values_come_as_they_were_written(void **state) {
        check_rows("[\"a\",1,null]\n[\"b\",-0.5e+3,true]\n", 3, "T:a|0:1|n:|/T:b|0:-0.5e+3|t:|/");
        check_rows(" [ \"a\" , 1 , [ ] ] \r\n", 3, "T:a|0:1|T:|/");
        check_rows("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\ud83d\\ude00\"]", 1, "T:\"\\/\b\f\n\r\t\xc3\xa4\xf0\x9f\x98\x80|/");
        check_rows("[[\"a\",\"\",\"b,c\"],[\"\",\"x\"]]\n", 2, "T:a, , b,c|T:, x|/");
        check_rows("[{\"a\":[1,{\"b\":null}]},[1,\"x\"],[\"y\",[\"z\"]]]\n", 3, "R:{\"a\":[1,{\"b\":null}]}|R:[1,\"x\"]|R:[\"y\",[\"z\"]]|/");
        check_rows("[0,false,18446744073709551616]\n", 3, "0:0|f:|0:18446744073709551616|/");
        check_rows("", 3, "");
}

static void test_a_null_in_a_text_is_no_end(void **state) {
        Buffer b = {};
        static const char row[] = "[\"a\\u0000b\",2]\n";
        rows_told(row, sizeof(row) - 1, 2, true, &b);
        assert_int_equal(b.size, strlen("T:a?b|0:2|/"));
        assert_memory_equal(b.data, "T:a\0b|0:2|/", b.size);
        buffer_done(&b);
}

static void check_refused(const char *bytes, size_t n, size_t columns) {
        Buffer b = {};
        rows_told(bytes, n, columns, true, &b);
        if (!strstr(buffer_string(&b), "!bad-input line "))
                fail_msg("accepted: %s", bytes);
        buffer_done(&b);
}

static void test_what_is_no_row_is_refused(void **state) {
        static const char *const bad[] = {
                "[1,2", "[1,2]]", "[1,2] x", "[1]", "[1,2,3]", "1,2", "{\"a\":1}", "[1 2]", "[1,,2]", "[,1]", "[1,2,]",
                "[01,2]", "[1.,2]", "[.5,2]", "[+1,2]", "[-,2]", "[1e,2]", "[nul,2]", "[nulll,2]", "[True,2]", "[NaN,2]",
                "[\"a,2]", "[\"a\tb\",2]", "[\"\\x\",2]", "[\"\\u12g4\",2]", "[\"\\u12", "[\"\\", "[\"\\ud800\",2]",
                "[\"\\ud800\\u0041\",2]", "[\"\\udc00\",2]", "[\"\xff\",2]", "[\"\xc3\",2]", "[\"\xed\xa0\x80\",2]",
                "[\"\xc0\xaf\",2]", "[[1,2],[1,2]", "[{\"a\"},2]", "[{\"a\":},2]", "[{a:1},2]", "[[1,],2]", "[{\"a\":1,},2]",
                "[[\"\xff\"],2]", "[[\"a\tb\"],2]", "[[\"\\q\"],2]", "", "   ", "[1,2][1,2]",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Buffer line = {};
                buffer_printf(&line, "%s\n[3,4]\n", bad[i]);
                check_refused(line.data, line.size, 2);
                buffer_done(&line);
        }
        check_refused("[1,\0 2]\n", 8, 2);
        check_refused("[1,\"a\0b\"]\n", 10, 2);
}

static void test_depth_is_limited(void **state) {
        Buffer b = {};
        buffer_add_char(&b, '[');
        for (int i = 0; i < 100000; i++)
                buffer_add_char(&b, '[');
        check_refused(b.data, b.size, 1);
        buffer_done(&b);
}

static void test_problems_name_line_and_byte(void **state) {
        Buffer b = {};
        rows_told("[1]\n[1]\n[tru]\n", 14, 1, true, &b);
        assert_non_null(strstr(buffer_string(&b), "line 3, byte 2: "));
        buffer_done(&b);
}

/* Rows longer than what is read at once, and one whose end lies at every place of a read. */
static void test_rows_of_any_length(void **state) {
        for (size_t n = 131072 - 20; n < 131072 + 20; n++) {
                Buffer b = {};
                buffer_add_string(&b, "[\"");
                memset(buffer_reserve(&b, n), 'x', n);
                b.size += n;
                buffer_add_string(&b, "\",\"\xc3\xa4\"]\n[1,2]\n");
                _cleanup_(closep) int fd = feed(b.data, b.size);
                _cleanup_(rows_freep) Rows *r = rows_new(fd);
                Problem problem = {};
                Value v;
                bool more;
                assert_int_equal(rows_next(r, &more, &problem), 0);
                assert_int_equal(rows_value(r, &v, &problem), 0);
                assert_int_equal(v.size, n);
                assert_int_equal(rows_value(r, &v, &problem), 0);
                assert_string_equal(v.text, "\xc3\xa4");
                assert_int_equal(rows_end(r, &problem), 0);
                assert_int_equal(rows_next(r, &more, &problem), 0);
                assert_true(more);
                buffer_done(&b);
        }
}

static void test_a_row_without_end_is_refused_before_memory_is(void **state) {
        _cleanup_(closep) int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
        _cleanup_(rows_freep) Rows *r = rows_new(fd);
        Problem problem = {};
        bool more;

        assert_int_equal(rows_next(r, &more, &problem), 1);
        assert_string_equal(problem.code, "row-too-long");
}

/* ---- cells ---- */

/* What a program shows that reads a cell: escapes taken off from left to right (ECMA-376, ST_Xstring). */
static void cell_shown(const char *s, Buffer *ret) {
        while (*s) {
                unsigned code;
                int n = 0;
                char utf8[4];
                if (s[0] == '_' && s[1] == 'x' && strspn(s + 2, "0123456789abcdefABCDEF") >= 4 && s[6] == '_' &&
                    sscanf(s + 2, "%4x%n", &code, &n) == 1 && n == 4) {
                        buffer_add(ret, utf8, utf8_encode(code, utf8));
                        s += 7;
                } else {
                        buffer_add_char(ret, *s++);
                }
        }
}

static void check_text(const char *text, size_t n) {
        Buffer cell = {}, shown = {};
        assert_false(cell_text(&cell, text, n, NULL));
        for (size_t i = 0; i < cell.size; i++)
                assert_true((unsigned char) cell.data[i] >= 0x20 || cell.data[i] == '\t' || cell.data[i] == '\n');
        cell_shown(buffer_string(&cell), &shown);
        assert_int_equal(shown.size, n);
        if (n > 0)
                assert_memory_equal(shown.data, text, n);
        buffer_done(&cell);
        buffer_done(&shown);
}

static void test_text_is_read_back_as_it_was(void **state) {
        static const char *const texts[] = {
                "", "plain", "_x0041_", "_x005F_x0041_", "_x005F_", "__x0041_", "_x0041", "_x0041__x0042_", "_x00e4_",
                "_X0041_", "_x004G_", "_x\x01", "_x0041\x01", "\x01x0041_", "a\rb", "a\r\nb", "\ta\n", "=1+1", "_",
                "_x", "\xef\xbf\xbe", "\xef\xbf\xbf", "_x0041\xef\xbf\xbf", "_x0041_x0042_x0043_", "\x7f", "\xc2\x85",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                check_text(texts[i], strlen(texts[i]));
        check_text("a\0b", 3);
        check_text("_x0041\0", 7);
}

static void test_random_text_is_read_back_as_it_was(void **state) {
        static const char *const parts[] = { "_", "x", "0041", "005F", "_x0041_", "\x01", "\r", "\xef\xbf\xbf", "a", "4" };
        unsigned seed = getenv("SEED") ? (unsigned) atoi(getenv("SEED")) : (unsigned) time(NULL);

        print_message("SEED=%u\n", seed);
        srandom(seed);
        for (int round = 0; round < 20000; round++) {
                Buffer b = {};
                for (long n = random() % 12; n >= 0; n--)
                        buffer_add_string(&b, parts[(size_t) random() % ELEMENTSOF(parts)]);
                check_text(b.data, b.size);
                buffer_done(&b);
        }
}

static size_t units(const char *s, size_t n) {
        size_t sum = 0;
        for (size_t i = 0; i < n;) {
                uint32_t c;
                i += utf8_next(s + i, n - i, &c);
                sum += c > 0xffff ? 2 : 1;
        }
        return sum;
}

/* One more character than fits, of each length in UTF-8, with one byte before it to move the parity. */
static void test_long_text_is_cut_at_a_character(void **state) {
        static const char *const characters[] = { "a", "\xc3\xa4", "\xe6\xbc\xa2", "\xf0\x9f\x98\x80", "\x01", "_x0041_" };

        for (size_t i = 0; i < ELEMENTSOF(characters); i++)
                for (int odd = 0; odd < 2; odd++) {
                        size_t k = strlen(characters[i]), each = units(characters[i], k), length;
                        Buffer text = {}, cell = {}, shown = {};
                        if (odd)
                                buffer_add_char(&text, '.');
                        while ((text.size / k + 1) * each + (size_t) odd <= CELL_UNITS_MAX)
                                buffer_add_string(&text, characters[i]);
                        assert_true(units(text.data, text.size) <= CELL_UNITS_MAX);
                        check_text(text.data, text.size);
                        buffer_add_string(&text, characters[i]);
                        if (units(text.data, text.size) <= CELL_UNITS_MAX)
                                buffer_add_string(&text, characters[i]);
                        assert_true(cell_text(&cell, text.data, text.size, &length));
                        assert_int_equal(length, units(text.data, text.size));
                        cell_shown(cell.data, &shown);
                        assert_true(utf8_valid(shown.data, shown.size));
                        size_t shown_units = units(shown.data, shown.size);
                        assert_true(shown_units <= CELL_UNITS_MAX && shown_units >= CELL_UNITS_MAX - 1);
                        assert_memory_equal(shown.data + shown.size - 3, "\xe2\x80\xa6", 3);
                        assert_memory_equal(shown.data, text.data, shown.size - 3);
                        buffer_done(&text);
                        buffer_done(&cell);
                        buffer_done(&shown);
                }
}

static void test_numbers_that_would_change_are_text(void **state) {
        static const struct {
                const char *number;
                bool text;
                double value;
        } cases[] = {
                { "0", false, 0 }, { "-1", false, -1 }, { "9007199254740992", false, 9007199254740992.0 },
                { "9007199254740993", true, 0 }, { "-9007199254740992", false, -9007199254740992.0 },
                { "-9007199254740993", true, 0 }, { "9223372036854775807", true, 0 }, { "9223372036854775808", true, 0 },
                { "123456789012345678901234567890", true, 0 }, { "1.5", false, 1.5 }, { "1e3", false, 1000 },
                { "1e400", true, 0 }, { "-1e400", true, 0 }, { "1e-400", false, 0 }, { "1e20", true, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                double v;
                bool text = cell_number_is_text(cases[i].number, &v);
                if (text != cases[i].text || (!text && v != cases[i].value))
                        fail_msg("%s", cases[i].number);
        }
}

static void test_times_are_the_days_a_workbook_counts(void **state) {
        static const struct {
                const char *time;
                double serial;               /* < 0: none */
        } cases[] = {
                { "1900-03-01T00:00:00Z", 61 }, { "1900-02-28T23:59:59Z", -1 }, { "1970-01-01T00:00:00Z", 25569 },
                { "2024-02-29T12:00:00Z", 45351.5 }, { "2026-12-01T06:00:00Z", 46357.25 },
                { "9999-12-31T00:00:00Z", 2958465 }, { "0001-01-01T00:00:00Z", -1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Usec t;
                double serial = -1;
                assert_true(time_parse(cases[i].time, &t));
                if (!cell_serial(t, &serial))
                        serial = -1;
                if (serial != cases[i].serial)
                        fail_msg("%s: %f", cases[i].time, serial);
        }
}

static void check_name(const char *name, unsigned n, const char *expected) {
        Buffer b = {};
        cell_sheet_name(&b, name, n);
        assert_string_equal(buffer_string(&b), expected);
        buffer_done(&b);
}

static void test_sheets_have_names_that_sheets_may_have(void **state) {
        check_name("customers", 1, "customers");
        check_name("customers", 2, "customers (2)");
        check_name("a[b]c:d*e?f/g\\h", 1, "a_b_c_d_e_f_g_h");
        check_name("'quoted'", 1, "_quoted_");
        check_name("it's", 1, "it's");
        check_name("", 1, "_");
        check_name("   ", 1, "_");
        check_name("history", 1, "history_");
        check_name("a\nb\x01", 1, "a_b_");
        check_name("0123456789012345678901234567890123", 1, "0123456789012345678901234567890");
        check_name("0123456789012345678901234567890123", 12, "01234567890123456789012345 (12)");
        /* An emoji is two units: fifteen fit beside one letter. */
        check_name("a\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
                   "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
                   "bc\xf0\x9f\x98\x80", 1,
                   "a\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
                   "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
                   "bc");
        /* The cut may lay an apostrophe bare. */
        check_name("012345678901234567890123456789'x", 1, "012345678901234567890123456789_");
}

static void test_cells_have_their_spreadsheet_names(void **state) {
        char name[16];
        assert_string_equal(cell_reference(0, 0, name), "A1");
        assert_string_equal(cell_reference(16, 25, name), "Z17");
        assert_string_equal(cell_reference(9, 26, name), "AA10");
        assert_string_equal(cell_reference(1048575, 16383, name), "XFD1048576");
}

/* ---- header ---- */

static int header(const char *line, Header *ret, Problem *problem) {
        return header_read(ret, line, strlen(line), problem);
}

static void test_times_follow_the_zone(void **state) {
        Header h;
        Problem problem = {};
        static const struct {
                const char *utc, *local;
        } cases[] = {
                /* Not in order of time: the place found last must not matter. */
                { "2026-03-29T00:59:59Z", "2026-03-29T01:59:59Z" }, { "2026-03-29T01:00:00Z", "2026-03-29T03:00:00Z" },
                { "2026-10-25T00:59:59Z", "2026-10-25T02:59:59Z" }, { "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z" },
                { "1960-01-01T00:00:00Z", "1960-01-01T01:00:00Z" }, { "2026-07-01T00:00:00Z", "2026-07-01T02:00:00Z" },
                { "1969-12-31T23:59:59Z", "1970-01-01T00:59:59Z" },
        };

        assert_int_equal(header("{\"sheet\":\"s\",\"columns\":[{\"name\":\"created\",\"type\":\"time\"}],\"zone\":{\"name\":\"Europe/Berlin\","
                                "\"offsets\":[[1761440400,3600],[1774746000,7200],[1792890000,3600]]}}", &h, &problem), 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Usec t;
                char text[TIME_TEXT_SIZE];
                assert_true(time_parse(cases[i].utc, &t));
                assert_string_equal(time_text(header_local(&h, t), text), cases[i].local);
        }
        header_done(&h);
}

static void test_bad_headers_are_refused(void **state) {
        static const char *const bad[] = {
                "", "[]", "{}", "{\"sheet\":1}", "{\"sheet\":\"s\",\"columns\":[]}", "{\"sheet\":\"s\",\"columns\":[{\"name\":\"a\"}]}",
                "{\"sheet\":\"s\",\"columns\":[{\"name\":\"a\",\"type\":\"money\"}]}",
                "{\"sheet\":\"s\",\"sheet\":\"s\",\"columns\":[{\"name\":\"a\",\"type\":\"int\"}]}",
                "{\"sheet\":\"s\",\"columns\":[{\"name\":\"a\",\"type\":\"int\"}],\"zone\":{\"name\":\"UTC\"}}",
                "{\"sheet\":\"s\",\"columns\":[{\"name\":\"a\",\"type\":\"int\"}],\"zone\":{\"name\":\"UTC\",\"offsets\":[[0,0],[0,1]]}}",
                "{\"sheet\":\"s\",\"columns\":[{\"name\":\"a\",\"type\":\"int\"}],\"zone\":{\"name\":\"UTC\",\"offsets\":[[0,1e3]]}}",
                "{\"sheet\":\"s\",\"columns\":[{\"name\":\"a\",\"type\":\"int\"}],\"properties\":{\"created\":\"today\"}}",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Header h;
                Problem problem = {};
                assert_int_equal(header(bad[i], &h, &problem), 1);
                assert_string_equal(problem.code, "bad-input");
        }
}

static void test_notes_are_counted_beyond_their_list(void **state) {
        Notes n = {};
        Buffer b = {};

        for (int i = 0; i < NOTES_MAX + 5; i++)
                notes_add_cut(&n, "s", "A1", "column \"x\"", 40000);
        notes_json(&n, &b);
        assert_non_null(strstr(b.data, "\"s!A1, column \\\"x\\\": the text has 40000"));
        assert_non_null(strstr(b.data, "\"5 more texts were cut\""));
        buffer_done(&b);
        notes_done(&n);
}

/* ---- pictures ---- */

/* The eight ways to store  ab
 *                          cd
 *                          ef  and be told how to hold it (EXIF 2.3, Orientation). */
static void test_orientation_shows_every_picture_alike(void **state) {
        static const char *const stored[] = { "abcdef", "badcfe", "fedcba", "efcdab", "acebdf", "bdface", "fdbeca", "ecafdb" };

        for (unsigned o = 1; o <= 8; o++) {
                Picture p = { .width = o >= 5 ? 3 : 2, .height = o >= 5 ? 2 : 3, .samples = 1, .orientation = o };
                p.pixels = memory_new(6);
                memcpy(p.pixels, stored[o - 1], 6);
                picture_turn(&p);
                if (p.width != 2 || p.height != 3 || memcmp(p.pixels, "abcdef", 6) != 0)
                        fail_msg("orientation %u: %.6s", o, (char *) p.pixels);
                assert_int_equal(p.orientation, 1);
                picture_done(&p);
        }
}

static void test_exif_that_is_cut_or_lies_is_no_orientation(void **state) {
        static const uint8_t good[] = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0";
        uint8_t copy[sizeof(good)];

        assert_int_equal(exif_orientation(good, sizeof(good) - 1), 6);
        for (size_t n = 0; n < 20; n++) {
                uint8_t *cut = memory_new(n + 1);
                memcpy(cut, good, n);
                assert_int_equal(exif_orientation(cut, n), 1);
                free(cut);
        }
        memcpy(copy, good, sizeof(good));
        memset(copy + 4, 0xff, 4);
        assert_int_equal(exif_orientation(copy, sizeof(copy)), 1);
        memcpy(copy, good, sizeof(good));
        copy[18] = 9;
        assert_int_equal(exif_orientation(copy, sizeof(copy)), 1);
        assert_int_equal(exif_orientation((const uint8_t *) "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0", 22), 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values_come_as_they_were_written),
                cmocka_unit_test(test_a_null_in_a_text_is_no_end),
                cmocka_unit_test(test_what_is_no_row_is_refused),
                cmocka_unit_test(test_depth_is_limited),
                cmocka_unit_test(test_problems_name_line_and_byte),
                cmocka_unit_test(test_rows_of_any_length),
                cmocka_unit_test(test_a_row_without_end_is_refused_before_memory_is),
                cmocka_unit_test(test_text_is_read_back_as_it_was),
                cmocka_unit_test(test_random_text_is_read_back_as_it_was),
                cmocka_unit_test(test_long_text_is_cut_at_a_character),
                cmocka_unit_test(test_numbers_that_would_change_are_text),
                cmocka_unit_test(test_times_are_the_days_a_workbook_counts),
                cmocka_unit_test(test_sheets_have_names_that_sheets_may_have),
                cmocka_unit_test(test_cells_have_their_spreadsheet_names),
                cmocka_unit_test(test_times_follow_the_zone),
                cmocka_unit_test(test_bad_headers_are_refused),
                cmocka_unit_test(test_notes_are_counted_beyond_their_list),
                cmocka_unit_test(test_orientation_shows_every_picture_alike),
                cmocka_unit_test(test_exif_that_is_cut_or_lies_is_no_orientation),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "common/files.h"
#include "daemon/model/zone.h"

static Zone *load(Arena *a, const char *name) {
        Buffer bytes = {};
        Zone *z = NULL;
        assert_int_equal(file_read(arena_printf(a, "/usr/share/zoneinfo/%s", name), 1 << 20, &bytes), 0);
        assert_int_equal(zone_parse(a, bytes.data, bytes.size, &z), 0);
        buffer_done(&bytes);
        return z;
}

static Usec at(const char *text) {
        Usec t;
        assert_true(time_parse(text, &t));
        return t;
}

/* What the zone databases of the world say; the last column is far beyond every table, by the footer's rule. */
static void test_offsets(void **state) {
        static const struct {
                const char *zone, *when;
                int minutes;
        } cases[] = {
                { "UTC", "2026-07-01T00:00:00Z", 0 },
                { "Europe/Berlin", "2026-03-29T00:59:59Z", 60 },       { "Europe/Berlin", "2026-03-29T01:00:00Z", 120 },
                { "Europe/Berlin", "2026-10-25T00:59:59Z", 120 },      { "Europe/Berlin", "2026-10-25T01:00:00Z", 60 },
                { "Europe/Berlin", "2090-07-01T00:00:00Z", 120 },      { "America/New_York", "2088-12-01T00:00:00Z", -300 },
                { "Australia/Lord_Howe", "2026-01-01T00:00:00Z", 660 }, { "Australia/Lord_Howe", "2026-07-01T00:00:00Z", 630 },
                { "Asia/Kathmandu", "2026-01-01T00:00:00Z", 345 },     { "Pacific/Apia", "2011-12-30T09:59:59Z", -600 },
                { "Pacific/Apia", "2011-12-30T10:00:00Z", 840 },       { "Europe/Dublin", "2026-01-01T00:00:00Z", 0 },
                { "Europe/Dublin", "2026-07-01T00:00:00Z", 60 },       { "America/Nuuk", "2050-07-01T00:00:00Z", -60 },
        };
        _cleanup_(arena_freep) Arena *a = arena_new();
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (zone_offset(load(a, cases[i].zone), at(cases[i].when)) != cases[i].minutes * 60)
                        fail_msg("%s at %s: %d", cases[i].zone, cases[i].when, zone_offset(load(a, cases[i].zone), at(cases[i].when)));
}

static void assert_instant(Zone *z, CivilTime local, const char *expected, bool gap, bool overlap) {
        char text[TIME_TEXT_SIZE];
        bool in_gap, in_overlap;
        Usec t = zone_instant(z, &local, &in_gap, &in_overlap);
        assert_string_equal(time_text(t, text), expected);
        assert_int_equal(in_gap, gap);
        assert_int_equal(in_overlap, overlap);
}

static void test_gaps_and_overlaps(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Zone *berlin = load(a, "Europe/Berlin"), *apia = load(a, "Pacific/Apia");
        assert_instant(berlin, (CivilTime) { 2027, 3, 28, 2, 30 }, "2027-03-28T01:00:00Z", true, false);
        assert_instant(berlin, (CivilTime) { 2027, 3, 28, 3, 0 }, "2027-03-28T01:00:00Z", false, false);
        assert_instant(berlin, (CivilTime) { 2026, 10, 25, 2, 30 }, "2026-10-25T00:30:00Z", false, true);
        assert_instant(berlin, (CivilTime) { 2026, 12, 1, 12, 0 }, "2026-12-01T11:00:00Z", false, false);
        assert_instant(apia, (CivilTime) { 2011, 12, 30, 12, 0 }, "2011-12-30T10:00:00Z", true, false);
}

static void test_transitions(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Usec when[10];
        int32_t offset[10];
        size_t n = zone_transitions(load(a, "Europe/Berlin"), at("2060-01-01"), at("2062-01-01"), when, offset, 10);
        char text[TIME_TEXT_SIZE];
        assert_int_equal(n, 4);
        assert_string_equal(time_text(when[0], text), "2060-03-28T01:00:00Z");
        assert_int_equal(offset[0], 7200);
        assert_int_equal(offset[1], 3600);
}

/* Spans lie end to end, and each tells the offset of all its instants. */
static void test_spans(void **state) {
        static const char *const names[] = { "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "Europe/Dublin", "Pacific/Apia" };
        _cleanup_(arena_freep) Arena *a = arena_new();
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                Zone *z = load(a, names[i]);
                ZoneSpan s = zone_span(z, -ZONE_FOREVER / 1000000);
                assert_true(s.from == -ZONE_FOREVER);
                int n = 0;
                for (; n < 2000 && s.to != ZONE_FOREVER; n++) {
                        ZoneSpan next = zone_span(z, s.to);
                        assert_true(s.from < s.to && next.from == s.to);
                        assert_int_equal(zone_offset(z, s.to * USEC_SEC - 1), s.offset);
                        assert_int_equal(zone_offset(z, s.to * USEC_SEC), next.offset);
                        ZoneSpan inside = zone_span(z, s.from == -ZONE_FOREVER ? s.to - 1 : s.from + (s.to - s.from) / 2);
                        assert_true(inside.from == s.from && inside.to == s.to && inside.offset == s.offset);
                        s = next;
                }
                /* Those with a rule for summer time never end. */
                assert_int_equal(n == 2000, names[i][0] != 'U' && names[i][0] != 'P');
        }
}

static void test_broken_files_are_refused(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Buffer whole = {};
        Zone *z;
        assert_int_equal(file_read("/usr/share/zoneinfo/Europe/Berlin", 1 << 20, &whole), 0);
        for (size_t n = 0; n < whole.size; n++) {
                char *part = memory_new(n + 1);
                memcpy(part, whole.data, n);
                assert_true(zone_parse(a, part, n, &z) < 0);
                freep(&part);
        }
        buffer_done(&whole);
        assert_true(zone_parse(a, "TZif2", 5, &z) < 0);
}

/* ---- against another reader of the same bytes ---- */

static uint8_t *from_hex(Arena *a, const char *hex, size_t *ret_n) {
        *ret_n = strlen(hex) / 2;
        uint8_t *bytes = arena_alloc(a, *ret_n);
        for (size_t i = 0; i < *ret_n; i++) {
                unsigned v;
                assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
                bytes[i] = (uint8_t) v;
        }
        return bytes;
}

enum { CHANGES_MAX = 400 };

typedef struct Fixture {
        const char *name;
        Zone *zone;
        Usec at[CHANGES_MAX];
        int32_t offset[CHANGES_MAX];
        size_t n, seen;
} Fixture;

static void fixture_begin(Arena *a, Fixture *f, const char *name, const char *hex) {
        size_t n;
        const uint8_t *bytes = from_hex(a, hex, &n);

        assert_int_equal(f->seen, f->n);         /* of the zone before: no change that the file does not have */
        f->name = arena_strdup(a, name);
        assert_int_equal(zone_parse(a, bytes, n, &f->zone), 0);
        f->n = zone_transitions(f->zone, at("2000-01-01"), at("2060-01-01"), f->at, f->offset, CHANGES_MAX);
        f->seen = 0;
}

static void fixture_local(Fixture *f, const char *text, long long instant, const char *kind) {
        CivilTime c = {};
        bool gap, overlap;

        assert_int_equal(sscanf(text, "%d-%d-%d %d:%d", &c.year, &c.month, &c.day, &c.hour, &c.minute), 5);
        Usec t = zone_instant(f->zone, &c, &gap, &overlap);
        if (t != instant * USEC_SEC || gap != str_equal(kind, "gap") || overlap != str_equal(kind, "overlap"))
                fail_msg("%s: %s is %lld, not %lld %s", f->name, text, (long long) (t / USEC_SEC), instant, kind);
}

static void test_against_fixture(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Buffer text = {};
        Fixture f = {};
        char *rest = NULL;
        int lines = 0;

        assert_int_equal(file_read(ZONES_FIXTURE, 1 << 20, &text), 0);
        for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), lines++) {
                char name[64], kind[16], day[32];
                long long t;
                int offset, skip;
                if (sscanf(line, "zone %63s %n", name, &skip) == 1)
                        fixture_begin(a, &f, name, line + skip);
                else if (sscanf(line, "at %lld %d", &t, &offset) == 2) {
                        if (zone_offset(f.zone, t * USEC_SEC) != offset)
                                fail_msg("%s at %lld: %d, not %d", f.name, t, zone_offset(f.zone, t * USEC_SEC), offset);
                } else if (sscanf(line, "change %lld %d", &t, &offset) == 2) {
                        assert_true(f.seen < f.n);
                        if (f.at[f.seen] != t * USEC_SEC || f.offset[f.seen++] != offset)
                                fail_msg("%s: no change at %lld to %d", f.name, t, offset);
                } else if (sscanf(line, "local %31[0-9-] %*d:%*d %lld %15s", day, &t, kind) == 3)
                        fixture_local(&f, line + strlen("local "), t, kind);
                else
                        assert_int_equal(*line, '#');
        }
        assert_true(lines > 1000);
        assert_int_equal(f.seen, f.n);
        buffer_done(&text);
}

/* ---- files made here ---- */

static void add_number(Buffer *b, int64_t v, int width) {
        for (int i = width - 1; i >= 0; i--)
                buffer_add_char(b, (char) (v >> (8 * i)));
}

/* An empty first block, then one whose changes begin the second type and the first in turn, and a footer. */
typedef struct Made {
        char version;
        int32_t offsets[2];
        int64_t at[4], leap_at[2];
        int leap[2], n, n_leaps;
        const char *footer;
        uint8_t is_dst, name_at;
} Made;

static void make(Buffer *b, const Made *m) {
        const int counts[2][6] = { { 0, 0, 0, 0, 1, 4 }, { 0, 0, m->n_leaps, m->n, 2, 4 } };

        for (int block = 0; block < 2; block++) {
                buffer_add(b, "TZif", 4);
                buffer_add_char(b, m->version ?: '2');
                add_number(b, 0, 7), add_number(b, 0, 8);
                for (int i = 0; i < 6; i++)
                        add_number(b, counts[block][i], 4);
                for (int i = 0; block && i < m->n; i++)
                        add_number(b, m->at[i], 8);
                for (int i = 0; block && i < m->n; i++)
                        buffer_add_char(b, (char) (1 - i % 2));
                for (int i = 0; i <= block; i++) {
                        add_number(b, m->offsets[i], 4);
                        buffer_add_char(b, (char) (block ? m->is_dst : 0));
                        buffer_add_char(b, (char) (block ? m->name_at : 0));
                }
                buffer_add(b, "LMT", 4);
                for (int i = 0; block && i < m->n_leaps; i++)
                        add_number(b, m->leap_at[i], 8), add_number(b, m->leap[i], 4);
        }
        buffer_printf(b, "\n%s\n", m->footer);
}

static Zone *made(Arena *a, Made m) {
        Buffer b = {};
        Zone *z = NULL;

        make(&b, &m);
        int r = zone_parse(a, b.data, b.size, &z);
        assert_true(r == 0 || (r == -EBADMSG && !z));
        buffer_done(&b);
        return z;
}

static Zone *ruled(Arena *a, const char *footer) {
        return made(a, (Made) { .footer = footer });
}

static void test_footers(void **state) {
        static const struct {
                const char *footer, *when;
                int seconds;
        } cases[] = {
                { "XXX3EDT4,0/0,J365/23", "2026-01-01T00:00:00Z", -14400 },     /* daylight all the year, and less */
                { "XXX3EDT4,0/0,J365/23", "2028-12-31T23:59:59Z", -14400 },
                { "IST-1GMT0,M10.5.0,M3.5.0/1", "2026-12-25T00:00:00Z", 0 },    /* winter as the exception */
                { "IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-25T00:00:00Z", 3600 },
                { "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", -7200 },
                { "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", -3600 },
                { "IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-26T23:59:59Z", 7200 }, /* 26 o'clock on Thursday */
                { "IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-27T00:00:00Z", 10800 },
                { "AAA0BBB,J60/0,300/0", "2028-02-29T23:59:59Z", 0 },           /* J60 is 1 March in leap years too */
                { "AAA0BBB,J60/0,300/0", "2028-03-01T00:00:00Z", 3600 },
                { "AAA0BBB,J60/0,300/0", "2028-10-26T23:00:00Z", 0 },           /* day 300 counts 29 February */
                { "AAA0BBB,J60/0,300/0", "2027-10-27T23:00:00Z", 0 },
                { "AAA0BBB,J60/0,300/0", "2027-10-27T22:59:59Z", 3600 },
                { "AAA0BBB,M11.1.0,M3.1.0", "2027-01-01T00:00:00Z", 3600 },     /* over the year's end */
                { "AAA0BBB,M1.1.0/-167,M7.1.0", "2026-12-27T00:59:59Z", 0 },
                { "AAA0BBB,M1.1.0/-167,M7.1.0", "2026-12-27T01:00:00Z", 3600 },
                { "<+0545>-5:45", "2400-01-01T00:00:00Z", 20700 },
                { "AAA-24:59:59", "1000-01-01T00:00:00Z", 89999 },
                { "", "2026-01-01T00:00:00Z", 0 },
        };
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(arena_freep) Arena *a = arena_new();
                Zone *z = ruled(a, cases[i].footer);
                assert_non_null(z);
                if (zone_offset(z, at(cases[i].when)) != cases[i].seconds)
                        fail_msg("%s at %s: %d", cases[i].footer, cases[i].when, zone_offset(z, at(cases[i].when)));
        }
}

static void test_broken_footers(void **state) {
        static const char *const bad[] = {
                "A0", "AB0", "AAA", "AAA25", "AAA0:60", "AAA0:00:60", "AAA0BBB", "AAA0BBB1", "AAA0BBB,M3.5.0", "AAA0BBB,M3.5.0,",
                "AAA0BBB,M0.5.0,M1.1.0", "AAA0BBB,M13.5.0,M1.1.0", "AAA0BBB,M3.6.0,M1.1.0", "AAA0BBB,M3.0.0,M1.1.0",
                "AAA0BBB,M3.5.7,M1.1.0", "AAA0BBB,J0,J5", "AAA0BBB,J366,J5", "AAA0BBB,366,5", "AAA0BBB,1/168,5", "AAA0BBB,1/-168,5",
                "AAA0BBB,1,5x", "<AA0", "<AA>0", "<A_A>0", " AAA0", "AAA0 ", ":Europe/Berlin", "AAA99999999999", "AAA--1", "AAA0BBB,,",
        };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(arena_freep) Arena *a = arena_new();
                if (ruled(a, bad[i]))
                        fail_msg("taken: %s", bad[i]);
        }
}

static void test_broken_blocks(void **state) {
        static const Made good = { .offsets = { 3600, 7200 }, .at = { 0, 10000000 }, .n = 2, .footer = "CET-1" };
        _cleanup_(arena_freep) Arena *a = arena_new();
        Made m;

        assert_non_null(made(a, good));
        m = good, m.at[1] = 0;
        assert_null(made(a, m));                         /* not in order */
        m = good, m.footer = "CEST-2";
        assert_null(made(a, m));                         /* the rule is not the table's */
        m = good, m.offsets[1] = 100000;
        assert_null(made(a, m));
        m = good, m.offsets[0] = INT32_MIN;
        assert_null(made(a, m));
        m = good, m.is_dst = 2;
        assert_null(made(a, m));
        m = good, m.name_at = 4;
        assert_null(made(a, m));
        m = good, m.version = '1';
        assert_null(made(a, m));
        m = good, m.leap_at[0] = 5, m.leap_at[1] = 5, m.n_leaps = 2;
        assert_null(made(a, m));
        m = good, m.footer = "CET-1CEST,M3.5.0,M10.5.0/3", m.at[1] = INT64_MAX;
        assert_null(made(a, m));                         /* no year has a number there */
        m.n = 1, m.at[0] = -(INT64_C(1) << 59);          /* what some write before everything else */
        assert_non_null(made(a, m));
        m = good, m.at[0] = INT64_MIN, m.leap_at[0] = INT64_MIN, m.leap[0] = 27, m.n_leaps = 1;
        assert_null(made(a, m));
}

/* Only the offset counts: what calls itself daylight time may be the smaller one. */
static void test_leap_seconds(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Made m = { .offsets = { 3600, 7200 }, .at = { 1000000, 2000002 }, .n = 2, .footer = "", .is_dst = 1,
                   .leap_at = { 1500000, 1600001 }, .leap = { 1, 2 }, .n_leaps = 2 };
        Zone *z = made(a, m);

        assert_non_null(z);
        assert_int_equal(zone_offset(z, 999999 * USEC_SEC), 3600);
        assert_int_equal(zone_offset(z, 1000000 * USEC_SEC), 7200);
        assert_int_equal(zone_offset(z, 1999999 * USEC_SEC), 7200);
        assert_int_equal(zone_offset(z, 2000000 * USEC_SEC), 3600);
}

static void test_ends_of_time(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Zone *z = ruled(a, "CET-1CEST,M3.5.0,M10.5.0/3");
        Usec when[2];
        int32_t offset[2];
        bool gap, overlap;

        (void) zone_offset(z, INT64_MIN);
        (void) zone_offset(z, INT64_MAX);
        assert_int_equal(zone_transitions(z, 0, INT64_MAX, when, offset, 2), 2);
        assert_int_equal(zone_transitions(z, 0, 0, when, offset, 2), 0);
        assert_int_equal(zone_transitions(z, 10, 5, when, offset, 2), 0);
        assert_int_equal(zone_instant(z, &(CivilTime) { 1, 1, 1 }, &gap, &overlap), civil_usec(&(CivilTime) { 1, 1, 1 }) - USEC_HOUR);
        assert_int_equal(zone_instant(z, &(CivilTime) { 9999, 12, 31, 23, 59, 59, 999999 }, &gap, &overlap),
                         civil_usec(&(CivilTime) { 9999, 12, 31, 22, 59, 59, 999999 }));
        /* Before 1970 and between seconds. */
        assert_int_equal(zone_offset(z, at("1960-03-27T01:00:00Z") - 1), 3600);
        assert_int_equal(zone_offset(z, at("1960-03-27T01:00:00Z")), 7200);
        assert_int_equal(zone_transitions(z, at("1960-03-27T01:00:00Z") - 1, at("1960-03-27T01:00:00Z"), when, offset, 2), 1);
        assert_int_equal(zone_transitions(z, at("1960-03-27T01:00:00Z"), at("1960-04-27T01:00:00Z"), when, offset, 2), 0);
}

/* There and back: every instant has a civil time whose first pass is it or an earlier one. */
static void test_there_and_back(void **state) {
        static const char *const names[] = { "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca" };
        unsigned seed = (unsigned) time(NULL);

        print_message("seed %u\n", seed);
        srand(seed);
        for (size_t k = 0; k < ELEMENTSOF(names); k++) {
                _cleanup_(arena_freep) Arena *a = arena_new();
                Zone *z = load(a, names[k]);
                for (int i = 0; i < 2000; i++) {
                        Usec t = ((Usec) rand() * 2 - 2000000000) * USEC_SEC + rand() % USEC_SEC;
                        CivilTime c = zone_civil(z, t);
                        bool gap, overlap;
                        Usec back = zone_instant(z, &c, &gap, &overlap);
                        assert_false(gap);
                        assert_true(back == t || (overlap && back < t));
                }
        }
}

static void test_names(void **state) {
        static const char text[] = "# version\nR x\nZ Europe/Berlin 0:53 - LMT\n1 - CET\nL Europe/Berlin Europe/Copenhagen\nZ Factory 0 - -00\n";
        _cleanup_(arena_freep) Arena *a = arena_new();
        ZoneNames *names = zone_names_parse(a, text, strlen(text));
        Problem problem;
        assert_true(zone_names_has(names, "Europe/Berlin") && zone_names_has(names, "Europe/Copenhagen") && zone_names_has(names, "UTC"));
        assert_false(zone_names_has(names, "Factory") || zone_names_has(names, "europe/berlin") || zone_names_has(names, "right/UTC"));
        assert_int_equal(zone_check(names, "time_zone", "Europe/Berlim", &problem), 1);
        assert_string_equal(problem.candidates[0], "Europe/Berlin");
        assert_string_equal(problem.field, "time_zone");
        assert_string_equal(problem.code, "unknown-zone");
        assert_int_equal(zone_check(names, "time_zone", "europe/copenhagen", &problem), 1);
        assert_string_equal(problem.candidates[0], "Europe/Copenhagen");
        assert_int_equal(zone_check(names, "time_zone", "berlin", &problem), 1);
        assert_string_equal(problem.candidates[0], "Europe/Berlin");
        static const char *const none[] = { "", "right/Europe/Berlin", "posix/UTC", "localtime", "posixrules", "Factory", "CET-1CEST,M3.5.0,M10.5.0",
                                            "../etc/passwd", "Europe/Berlin ", "Europe/", "\xff", "1", "R" };
        for (size_t i = 0; i < ELEMENTSOF(none); i++)
                assert_int_equal(zone_check(names, "time_zone", none[i], &problem), 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_offsets), cmocka_unit_test(test_gaps_and_overlaps), cmocka_unit_test(test_transitions), cmocka_unit_test(test_spans),
                cmocka_unit_test(test_broken_files_are_refused), cmocka_unit_test(test_names),
                cmocka_unit_test(test_against_fixture), cmocka_unit_test(test_footers), cmocka_unit_test(test_broken_footers),
                cmocka_unit_test(test_broken_blocks), cmocka_unit_test(test_leap_seconds), cmocka_unit_test(test_ends_of_time),
                cmocka_unit_test(test_there_and_back),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

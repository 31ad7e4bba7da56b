/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

static void test_names(void **state) {
        static const char text[] = "# version\nR x\nZ Europe/Berlin 0:53 - LMT\n1 - CET\nL Europe/Berlin Europe/Copenhagen\nZ Factory 0 - -00\n";
        _cleanup_(arena_freep) Arena *a = arena_new();
        ZoneNames *names = zone_names_parse(a, text, strlen(text));
        Problem problem;
        assert_true(zone_names_has(names, "Europe/Berlin") && zone_names_has(names, "Europe/Copenhagen") && zone_names_has(names, "UTC"));
        assert_false(zone_names_has(names, "Factory") || zone_names_has(names, "europe/berlin") || zone_names_has(names, "right/UTC"));
        assert_int_equal(zone_check(names, "time_zone", "Europe/Berlim", &problem), 1);
        assert_string_equal(problem.candidates[0], "Europe/Berlin");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_offsets), cmocka_unit_test(test_gaps_and_overlaps), cmocka_unit_test(test_transitions),
                cmocka_unit_test(test_broken_files_are_refused), cmocka_unit_test(test_names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

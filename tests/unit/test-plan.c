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
#include "daemon/model/plan.h"

static Arena *arena;

static int setup(void **state) {
        arena = arena_new();
        return 0;
}

static int teardown(void **state) {
        arena_free(arena);
        return 0;
}

/* Governments change their minds: what is to come is tested by rules that no update of tzdata touches, written as in a
 * file's footer. */
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"
#define NEW_YORK "EST5EDT,M3.2.0,M11.1.0"
#define LORD_HOWE "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"
#define DUBLIN "IST-1GMT0,M10.5.0,M3.5.0/1"
#define TROLL "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3"
#define CASABLANCA "<+01>-1<+00>0,J38/3,J73/2"                   /* as it was planned for the Ramadan of 2027 */
#define BEIRUT "EET-2EEST,M3.5.0/0,M10.5.0/0"
#define HAVANA "CST5CDT,M3.2.0/0,M11.1.0/1"

/* A file of that rule alone: two headers and blocks with one type each, then the footer. */
static Zone *from_rule(const char *rule) {
        uint8_t bytes[200] = "TZif2", *p = bytes;
        Zone *z = NULL;
        for (int i = 0; i < 2; i++, p += 44 + 6 + 1) {
                memcpy(p, "TZif2", 5);
                p[39] = p[43] = 1;
        }
        size_t n = (size_t) (p - bytes) + (size_t) sprintf((char *) p, "\n%s\n", rule);
        assert_int_equal(zone_parse(arena, bytes, n, &z), 0);
        return z;
}

static Zone *load(const char *name) {
        Buffer bytes = {};
        Zone *z = NULL;
        if (strpbrk(name, ",<"))
                return from_rule(name);
        assert_int_equal(file_read(arena_printf(arena, "/usr/share/zoneinfo/%s", name), 1 << 20, &bytes), 0);
        assert_int_equal(zone_parse(arena, bytes.data, bytes.size, &z), 0);
        buffer_done(&bytes);
        return z;
}

static Usec at(const char *text) {
        Usec t;
        if (!time_parse(text, &t))
                fail_msg("no time: %s", text);
        return t;
}

/* "FREQUENCY ON AT START END", with - for what is not given. */
static Plan plan(const char *text) {
        char frequency[16], on[16], time[16], start[16], end[16];
        Problem problem;
        Plan p = {};

        assert_int_equal(sscanf(text, "%15s %15s %15s %15s %15s", frequency, on, time, start, end), 5);
        assert_int_equal(plan_frequency_parse(frequency, &p.frequency, &problem), 0);
        assert_int_equal(plan_on_parse(p.frequency, str_equal(on, "-") ? NULL : on, &p.on, &problem), 0);
        assert_int_equal(plan_at_parse(time, &p.at, &problem), 0);
        assert_int_equal(plan_date_parse("start", start, &p.start, &problem), 0);
        p.has_end = !str_equal(end, "-");
        if (p.has_end)
                assert_int_equal(plan_date_parse("end", end, &p.end, &problem), 0);
        assert_int_equal(plan_check(&p, &problem), 0);
        return p;
}

static void step(PlanPoint *point, const Occurrence *o) {
        point->has_local = true;
        point->local = o->local;
}

/* What follows the instant, as "LOCAL DUE NOTE"; NULL where the schedule has ended. */
static void assert_follows(const char *text, const char *zone, const char *after, const char *const *expected, size_t n) {
        Plan p = plan(text);
        Zone *z = load(zone);
        PlanPoint point = { .instant = at(after) };
        char local[TIME_TEXT_SIZE], due[TIME_TEXT_SIZE];
        Occurrence o;

        for (size_t i = 0; i < n && expected[i]; i++) {
                if (!plan_next(&p, z, &point, &o))
                        fail_msg("%s in %s: ended before %s", text, zone, expected[i]);
                const char *got = arena_printf(arena, "%s %s%s", local_text(&o.local, local), time_text(o.due, due),
                                               o.after_gap ? " after-gap" : o.first_pass ? " first-pass" : "");
                if (!str_equal(got, expected[i]))
                        fail_msg("%s in %s, place %zu: %s and not %s", text, zone, i, got, expected[i]);
                step(&point, &o);
        }
        if (n > 0 && !expected[n - 1])
                assert_false(plan_next(&p, z, &point, &o));
}

#define FOLLOWS(text, zone, after, ...)                                                                 \
        do {                                                                                            \
                const char *const _expected[] = { __VA_ARGS__ };                                        \
                assert_follows(text, zone, after, _expected, ELEMENTSOF(_expected));                    \
        } while (0)

/* ---- words ---- */

static void test_on_words(void **state) {
        static const struct {
                const char *frequency, *text;
                bool ok;
        } cases[] = {
                { "weekly", "tuesday", true },  { "weekly", "sunday", true },    { "weekly", "Tuesday", false }, { "weekly", "tue", false },
                { "weekly", "day:3", false },   { "weekly", "", false },         { "weekly", "02-29", false },   { "monthly", "day:1", true },
                { "monthly", "day:31", true },  { "monthly", "day:0", false },   { "monthly", "day:32", false }, { "monthly", "day:05", false },
                { "monthly", "day:", false },   { "monthly", "day:-1", false },  { "monthly", "day: 1", false }, { "monthly", "day:1 ", false },
                { "monthly", "31", false },     { "monthly", "tuesday", false }, { "quarterly", "day:10", true }, { "quarterly", "02-29", false },
                { "yearly", "02-29", true },    { "yearly", "02-30", false },    { "yearly", "04-31", false },   { "yearly", "12-31", true },
                { "yearly", "13-01", false },   { "yearly", "00-01", false },    { "yearly", "01-00", false },   { "yearly", "1-1", false },
                { "yearly", "01-01x", false },  { "yearly", "0101", false },     { "yearly", "day:1", false },   { "daily", "monday", false },
                { "daily", "", false },         { "monthly", "day:99999999999999999999", false },
        };
        char text[PLAN_TEXT_SIZE];
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Plan p = { .start = { 2026, 12, 1 } };
                Problem problem = {};
                assert_int_equal(plan_frequency_parse(cases[i].frequency, &p.frequency, &problem), 0);
                int r = plan_on_parse(p.frequency, cases[i].text, &p.on, &problem);
                if ((r == 0) != cases[i].ok)
                        fail_msg("%s on %s: %d", cases[i].frequency, cases[i].text, r);
                if (r == 0) {
                        assert_string_equal(plan_on_text(&p, text), cases[i].text);
                } else {
                        assert_int_equal(problem.kind, PROBLEM_INVALID_ARGUMENT);
                        assert_string_equal(problem.field, "on");
                }
        }
}

static void test_on_comes_from_start(void **state) {
        static const struct {
                const char *plan, *on;
        } cases[] = {
                { "daily - 12:00 2026-12-01 -", NULL },          { "weekly - 12:00 2026-12-01 -", "tuesday" },
                { "weekly - 12:00 1969-12-28 -", "sunday" },     { "monthly - 12:00 2026-12-01 -", "day:1" },
                { "monthly - 12:00 2026-12-31 -", "day:31" },    { "quarterly - 12:00 2026-11-30 -", "day:30" },
                { "yearly - 12:00 2028-02-29 -", "02-29" },      { "yearly - 12:00 2026-12-01 -", "12-01" },
        };
        char text[PLAN_TEXT_SIZE];
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Plan p = plan(cases[i].plan);
                if (!str_equal(plan_on_text(&p, text), cases[i].on))
                        fail_msg("%s: %s", cases[i].plan, text);
        }
}

static void test_refusals(void **state) {
        Plan p = { .frequency = PLAN_WEEKLY, .start = { 2026, 12, 1 }, .has_end = true, .end = { 2026, 11, 30 } };
        Problem problem = {};
        CivilDate date;
        int minutes;

        assert_int_equal(plan_check(&p, &problem), 1);
        assert_string_equal(problem.code, "end-before-start");
        assert_string_equal(problem.field, "end");
        assert_string_equal(problem.text, "the end 2026-11-30 is before the start 2026-12-01");
        p.end = p.start;
        assert_int_equal(plan_check(&p, &problem), 0);
        /* The frequency was edited, the day was not. */
        assert_int_equal(plan_on_parse(PLAN_WEEKLY, "friday", &p.on, &problem), 0);
        p.frequency = PLAN_MONTHLY;
        assert_int_equal(plan_check(&p, &problem), 1);
        assert_string_equal(problem.field, "on");
        p.frequency = PLAN_DAILY;
        assert_int_equal(plan_check(&p, &problem), 1);

        assert_int_equal(plan_frequency_parse("hourly", &p.frequency, &problem), 1);
        assert_string_equal(problem.field, "frequency");
        assert_non_null(strstr(problem.text, "quarterly"));
        assert_int_equal(plan_at_parse("24:00", &minutes, &problem), 1);
        assert_string_equal(problem.field, "at");
        assert_int_equal(plan_at_parse("7:00", &minutes, &problem), 1);
        assert_int_equal(plan_date_parse("end", "2027-02-29", &date, &problem), 1);
        assert_string_equal(problem.field, "end");
        assert_int_equal(plan_date_parse("start", "2027-2-9", &date, &problem), 1);
}

static void test_local_text(void **state) {
        static const char *const good[] = { "2026-12-01T12:00", "0001-01-01T00:00", "9999-12-31T23:59", "2028-02-29T02:30" };
        static const char *const bad[] = { "2026-12-01", "2026-12-01T12:00Z", "2026-12-01 12:00", "2027-02-29T12:00", "2026-12-01T24:00", "" };
        char text[TIME_TEXT_SIZE];
        CivilTime c;
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                assert_true(local_parse(good[i], &c));
                assert_string_equal(local_text(&c, text), good[i]);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_false(local_parse(bad[i], &c));
}

/* ---- dates ---- */

static void test_days_of_months(void **state) {
        FOLLOWS("monthly day:31 12:00 2027-01-01 -", "UTC", "2027-01-01", "2027-01-31T12:00 2027-01-31T12:00:00Z",
                "2027-02-28T12:00 2027-02-28T12:00:00Z", "2027-03-31T12:00 2027-03-31T12:00:00Z", "2027-04-30T12:00 2027-04-30T12:00:00Z");
        FOLLOWS("monthly - 12:00 2027-12-30 -", "UTC", "2027-12-01", "2027-12-30T12:00 2027-12-30T12:00:00Z",
                "2028-01-30T12:00 2028-01-30T12:00:00Z", "2028-02-29T12:00 2028-02-29T12:00:00Z", "2028-03-30T12:00 2028-03-30T12:00:00Z");
        /* A day before the start is not due; a clamped one on or after it is. */
        FOLLOWS("monthly day:10 12:00 2027-02-15 -", "UTC", "2027-01-01", "2027-03-10T12:00 2027-03-10T12:00:00Z");
        FOLLOWS("monthly day:31 12:00 2027-02-28 -", "UTC", "2027-01-01", "2027-02-28T12:00 2027-02-28T12:00:00Z");
        FOLLOWS("quarterly day:10 12:00 2027-02-15 -", "UTC", "2027-01-01", "2027-05-10T12:00 2027-05-10T12:00:00Z",
                "2027-08-10T12:00 2027-08-10T12:00:00Z", "2027-11-10T12:00 2027-11-10T12:00:00Z", "2028-02-10T12:00 2028-02-10T12:00:00Z");
        FOLLOWS("quarterly - 12:00 2027-11-30 -", "UTC", "2027-01-01", "2027-11-30T12:00 2027-11-30T12:00:00Z",
                "2028-02-29T12:00 2028-02-29T12:00:00Z", "2028-05-30T12:00 2028-05-30T12:00:00Z");
        FOLLOWS("yearly - 12:00 2028-02-29 -", "UTC", "2028-01-01", "2028-02-29T12:00 2028-02-29T12:00:00Z",
                "2029-02-28T12:00 2029-02-28T12:00:00Z", "2030-02-28T12:00 2030-02-28T12:00:00Z", "2031-02-28T12:00 2031-02-28T12:00:00Z",
                "2032-02-29T12:00 2032-02-29T12:00:00Z");
        FOLLOWS("yearly 02-29 12:00 2099-03-01 -", "UTC", "2099-01-01", "2100-02-28T12:00 2100-02-28T12:00:00Z");
        FOLLOWS("yearly 01-15 12:00 2027-02-01 -", "UTC", "2027-01-01", "2028-01-15T12:00 2028-01-15T12:00:00Z");
}

static void test_weekdays_and_year_ends(void **state) {
        FOLLOWS("weekly - 12:00 2026-12-01 -", "UTC", "2026-11-25", "2026-12-01T12:00 2026-12-01T12:00:00Z", "2026-12-08T12:00 2026-12-08T12:00:00Z");
        FOLLOWS("weekly monday 12:00 2026-12-29 -", "UTC", "2026-11-25", "2027-01-04T12:00 2027-01-04T12:00:00Z");
        FOLLOWS("weekly friday 00:00 2027-12-25 -", "UTC", "2027-12-01", "2027-12-31T00:00 2027-12-31T00:00:00Z", "2028-01-07T00:00 2028-01-07T00:00:00Z");
        FOLLOWS("daily - 23:59 2027-12-31 -", "UTC", "2027-12-31", "2027-12-31T23:59 2027-12-31T23:59:00Z", "2028-01-01T23:59 2028-01-01T23:59:00Z");
        /* Another year in Kiritimati than in UTC. */
        FOLLOWS("yearly 01-01 08:00 2027-12-31 -", "<+14>-14", "2027-01-01", "2028-01-01T08:00 2027-12-31T18:00:00Z");
        FOLLOWS("monthly day:31 12:00 9999-11-01 -", "UTC", "9999-01-01", "9999-11-30T12:00 9999-11-30T12:00:00Z", "9999-12-31T12:00 9999-12-31T12:00:00Z", NULL);
}

static void test_end_is_inclusive(void **state) {
        FOLLOWS("daily - 12:00 2026-12-01 2026-12-02", "UTC", "2026-11-01", "2026-12-01T12:00 2026-12-01T12:00:00Z", "2026-12-02T12:00 2026-12-02T12:00:00Z", NULL);
        FOLLOWS("weekly - 12:00 2026-12-01 2026-12-08", "UTC", "2026-12-01T12:00:00Z", "2026-12-08T12:00 2026-12-08T12:00:00Z", NULL);
        FOLLOWS("weekly - 12:00 2026-12-01 2026-12-07", "UTC", "2026-12-01T12:00:00Z", NULL);
        FOLLOWS("monthly day:31 12:00 2027-02-01 2027-02-28", "UTC", "2027-01-01", "2027-02-28T12:00 2027-02-28T12:00:00Z", NULL);
        /* The zone's date counts, not that of UTC. */
        FOLLOWS("daily - 23:30 2026-12-01 2026-12-01", NEW_YORK, "2026-11-01", "2026-12-01T23:30 2026-12-02T04:30:00Z", NULL);
        FOLLOWS("daily - 00:30 2026-12-01 2026-12-01", "<+09>-9", "2026-11-01", "2026-12-01T00:30 2026-11-30T15:30:00Z", NULL);
        /* Its own civil date, though it is due on the next one. */
        FOLLOWS("daily - 00:30 2011-12-29 2011-12-30", "Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-30T00:30 2011-12-30T10:00:00Z after-gap", NULL);
        FOLLOWS("yearly 03-01 12:00 2026-04-01 2026-12-31", "UTC", "2026-01-01", NULL);
}

static void test_after_creation(void **state) {
        FOLLOWS("daily - 12:00 2026-12-01 -", "UTC", "2026-12-01T12:00:01Z", "2026-12-02T12:00 2026-12-02T12:00:00Z");
        FOLLOWS("daily - 12:00 2026-12-01 -", "UTC", "2026-12-01T12:00:00Z", "2026-12-02T12:00 2026-12-02T12:00:00Z");
        FOLLOWS("daily - 12:00 2026-12-01 -", "UTC", "2026-12-01T11:59:59.999999Z", "2026-12-01T12:00 2026-12-01T12:00:00Z");
        FOLLOWS("daily - 12:00 2020-01-01 -", "UTC", "2026-12-01T15:00:00Z", "2026-12-02T12:00 2026-12-02T12:00:00Z");
        FOLLOWS("daily - 12:00 2026-12-01 2026-12-01", "UTC", "2026-12-01T15:00:00Z", NULL);
        FOLLOWS("weekly - 12:00 2026-12-01 -", "UTC", "2026-12-01T15:00:00Z", "2026-12-08T12:00 2026-12-08T12:00:00Z");
}

/* ---- zones ---- */

static void test_gaps_and_overlaps(void **state) {
        FOLLOWS("daily - 02:30 2027-03-27 -", BERLIN, "2027-03-27T12:00:00Z", "2027-03-28T02:30 2027-03-28T01:00:00Z after-gap", "2027-03-29T02:30 2027-03-29T00:30:00Z");
        FOLLOWS("daily - 03:00 2027-03-27 -", BERLIN, "2027-03-27T12:00:00Z", "2027-03-28T03:00 2027-03-28T01:00:00Z");
        FOLLOWS("daily - 02:30 2027-10-30 -", BERLIN, "2027-10-30T12:00:00Z", "2027-10-31T02:30 2027-10-31T00:30:00Z first-pass", "2027-11-01T02:30 2027-11-01T01:30:00Z");
        /* Between the passes and in the second one: it has been. */
        FOLLOWS("daily - 02:30 2027-10-30 -", BERLIN, "2027-10-31T00:45:00Z", "2027-11-01T02:30 2027-11-01T01:30:00Z");
        FOLLOWS("daily - 02:30 2027-10-30 -", BERLIN, "2027-10-31T01:15:00Z", "2027-11-01T02:30 2027-11-01T01:30:00Z");
        FOLLOWS("daily - 03:00 2027-10-30 -", BERLIN, "2027-10-31T01:15:00Z", "2027-10-31T03:00 2027-10-31T02:00:00Z", "2027-11-01T03:00 2027-11-01T02:00:00Z");
        /* Summer time of two hours, of half an hour and over the turn of the year, a negative one, one for Ramadan. */
        FOLLOWS("daily - 02:30 2027-03-28 -", TROLL, "2027-03-27T12:00:00Z", "2027-03-28T02:30 2027-03-28T01:00:00Z after-gap");
        FOLLOWS("daily - 02:15 2027-10-03 -", LORD_HOWE, "2027-10-02T12:00:00Z", "2027-10-03T02:15 2027-10-02T15:30:00Z after-gap");
        FOLLOWS("daily - 01:45 2027-04-04 -", LORD_HOWE, "2027-04-03T12:00:00Z", "2027-04-04T01:45 2027-04-03T14:45:00Z first-pass");
        FOLLOWS("daily - 01:30 2027-03-28 -", DUBLIN, "2027-03-27T12:00:00Z", "2027-03-28T01:30 2027-03-28T01:00:00Z after-gap");
        FOLLOWS("daily - 02:30 2027-02-07 -", CASABLANCA, "2027-02-06T12:00:00Z", "2027-02-07T02:30 2027-02-07T01:30:00Z first-pass");
        /* Beyond every table, by rule. */
        FOLLOWS("yearly 03-26 02:30 2090-03-01 -", BERLIN, "2090-01-01", "2090-03-26T02:30 2090-03-26T01:00:00Z after-gap", "2091-03-26T02:30 2091-03-26T00:30:00Z");
}

static void test_skipped_dates(void **state) {
        /* 2011-12-30 was not in Apia: the clock went from the 29th 24:00 to the 31st 00:00. */
        FOLLOWS("daily - 12:00 2011-12-29 -", "Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-29T12:00 2011-12-29T22:00:00Z",
                "2011-12-30T12:00 2011-12-30T10:00:00Z after-gap", "2011-12-31T12:00 2011-12-30T22:00:00Z");
        FOLLOWS("monthly day:30 12:00 2011-12-01 -", "Pacific/Apia", "2011-12-01", "2011-12-30T12:00 2011-12-30T10:00:00Z after-gap", "2012-01-30T12:00 2012-01-29T22:00:00Z");
        /* Two are due at one instant. */
        FOLLOWS("daily - 00:00 2011-12-29 -", "Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-30T00:00 2011-12-30T10:00:00Z after-gap",
                "2011-12-31T00:00 2011-12-30T10:00:00Z", "2012-01-01T00:00 2011-12-31T10:00:00Z");
        FOLLOWS("weekly - 06:00 1993-08-14 -", "Pacific/Kwajalein", "1993-08-01", "1993-08-14T06:00 1993-08-14T18:00:00Z");
        FOLLOWS("daily - 06:00 1993-08-20 -", "Pacific/Kwajalein", "1993-08-20T20:00:00Z", "1993-08-21T06:00 1993-08-21T12:00:00Z after-gap", "1993-08-22T06:00 1993-08-21T18:00:00Z");

        /* Whoever has settled the first of them still gets the second, and no one gets one twice. */
        Plan p = plan("daily - 00:00 2011-12-29 -");
        Zone *z = load("Pacific/Apia");
        PlanPoint point = { .instant = at("2011-12-29T12:00:00Z") };
        Occurrence o;
        assert_int_equal(plan_count(&p, z, &point, at("2011-12-30T09:59:59Z")), 0);
        assert_int_equal(plan_count(&p, z, &point, at("2011-12-30T10:00:00Z")), 2);
        assert_true(plan_next(&p, z, &point, &o));
        step(&point, &o);
        assert_int_equal(plan_count(&p, z, &point, at("2011-12-30T10:00:00Z")), 1);
        /* Also after a clock that went back, or one that is looked at with other zone data. */
        point.instant = at("2000-01-01");
        assert_true(plan_next(&p, z, &point, &o));
        assert_int_equal(o.local.day, 31);
        assert_int_equal(plan_count(&p, load("UTC"), &point, at("2011-12-31T00:00:00Z")), 1);
}

static void test_due_by_new_zone_data(void **state) {
        CivilTime local = { 2027, 7, 1, 12, 0 };
        Occurrence o;
        occurrence_set(&o, load("Etc/GMT-1"), &local);
        assert_true(o.due == at("2027-07-01T11:00:00Z"));
        occurrence_set(&o, load(BERLIN), &local);
        assert_true(o.due == at("2027-07-01T10:00:00Z"));
}

/* ---- counting ---- */

static void test_counts_over_centuries(void **state) {
        PlanPoint point = { .instant = at("2026-12-01T12:00:00Z") };
        Plan daily = plan("daily - 12:00 2026-12-01 -"), yearly = plan("yearly 02-29 12:00 2026-12-01 -");
        Zone *utc = load("UTC"), *berlin = load(BERLIN);
        assert_int_equal(plan_count(&daily, utc, &point, at("2036-12-01T12:00:00Z")), 3653);
        assert_int_equal(plan_count(&daily, utc, &point, at("2036-12-01T11:59:59Z")), 3652);
        assert_int_equal(plan_count(&daily, berlin, &point, INT64_MAX), civil_days(9999, 12, 31) - civil_days(2026, 12, 1));
        assert_int_equal(plan_count(&yearly, utc, &point, INT64_MAX), 9999 - 2026);
        assert_int_equal(plan_count(&daily, utc, &point, at("1970-01-01")), 0);
        assert_int_equal(plan_count(&daily, utc, &(PlanPoint) { .instant = USEC_NONE }, at("2026-12-01T12:00:00Z")), 1);
        assert_int_equal(plan_count(&daily, utc, &(PlanPoint) { .instant = INT64_MAX }, INT64_MAX), 0);
}

static unsigned seed;

static int64_t any(int64_t below) {
        seed = seed * 1664525u + 1013904223u;
        return (int64_t) (((uint64_t) seed << 16) ^ (seed >> 7)) % below;
}

/* Counting, numbers and walking agree, and due never falls. */
static void test_counts_equal_walks(void **state) {
        static const char *const zones[] = { "UTC", "Europe/Berlin", "Pacific/Apia", "Pacific/Kwajalein", "America/Juneau", "Asia/Manila", TROLL, "Africa/Casablanca" };
        Zone *z[ELEMENTSOF(zones)];
        seed = getenv("TEST_SEED") ? (unsigned) strtoul(getenv("TEST_SEED"), NULL, 10) : (unsigned) time(NULL);
        print_message("TEST_SEED=%u\n", seed);
        for (size_t i = 0; i < ELEMENTSOF(zones); i++)
                z[i] = load(zones[i]);
        for (int i = 0; i < 3000; i++) {
                const Zone *zone = z[any(ELEMENTSOF(zones))];
                Plan p = { .frequency = (PlanFrequency) any(5), .at = (int) any(1440) };
                int64_t first = civil_days(1840, 1, 1) + any(200 * 365), walked = 0;
                civil_from_days(first, &p.start.year, &p.start.month, &p.start.day);
                if ((p.has_end = any(3) == 0))
                        civil_from_days(first + any(1000), &p.end.year, &p.end.month, &p.end.day);
                PlanPoint from = { .instant = (first + any(400) - 200) * USEC_DAY + any(86400) * USEC_SEC }, point = from;
                Usec until = from.instant + any(900) * USEC_DAY, last = INT64_MIN;
                PlanRange range = plan_range(&p, zone, &from, until);
                Occurrence o, same;
                for (; plan_next(&p, zone, &point, &o) && o.due <= until; walked++, step(&point, &o)) {
                        assert_true(range.begin + walked < range.end && o.due > from.instant && o.due >= last);
                        last = o.due;
                        plan_occurrence(&p, zone, range.begin + walked, &same);
                        assert_memory_equal(&o, &same, sizeof(o));
                }
                assert_int_equal(plan_count(&p, zone, &from, until), walked);
        }
}

/* ---- thirty cases of other calendars' tests ---- */

typedef struct Case {
        const char *name, *zone, *after, *plan;          /* no plan: such a schedule cannot be said */
        const char *expect[6];
        enum { ALIKE, CLAMPED } kind;                    /* CLAMPED: where they leave out a short month, ours has its last day */
} Case;

static const Case cases[] = {
        { "1 Berlin, in the gap", BERLIN, "2027-03-27T12:00:00Z", "daily - 02:30 2027-03-26 -", { "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z" } },
        { "2 Berlin, the gap's begin", BERLIN, "2027-03-27T12:00:00Z", "daily - 02:00 2027-03-26 -", { "2027-03-28T01:00:00Z", "2027-03-29T00:00:00Z" } },
        { "3 Berlin, the gap's end", BERLIN, "2027-03-27T12:00:00Z", "daily - 03:00 2027-03-26 -", { "2027-03-28T01:00:00Z", "2027-03-29T01:00:00Z" } },
        { .name = "4 hourly through a gap" },
        { .name = "5 quarter-hourly through a gap" },
        { "6 Berlin, in the overlap", BERLIN, "2027-10-30T12:00:00Z", "daily - 02:30 2027-10-29 -", { "2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z" } },
        { "7 Berlin, the overlap's begin", BERLIN, "2027-10-30T12:00:00Z", "daily - 02:00 2027-10-29 -", { "2027-10-31T00:00:00Z", "2027-11-01T01:00:00Z" } },
        { .name = "8 hourly through an overlap" },
        { .name = "9 quarter-hourly through an overlap" },
        { "10 Berlin, the overlap's end", BERLIN, "2027-10-30T12:00:00Z", "daily - 03:00 2027-10-29 -", { "2027-10-31T02:00:00Z", "2027-11-01T02:00:00Z" } },
        { "11 New York, gap", NEW_YORK, "2027-03-13T12:00:00Z", "daily - 02:30 2027-03-12 -", { "2027-03-14T07:00:00Z", "2027-03-15T06:30:00Z" } },
        { "12 New York, overlap", NEW_YORK, "2027-11-06T12:00:00Z", "daily - 01:30 2027-11-05 -", { "2027-11-07T05:30:00Z", "2027-11-08T06:30:00Z" } },
        { "13 between the passes", NEW_YORK, "2027-11-07T05:45:00Z", "daily - 01:30 2027-11-05 -", { "2027-11-08T06:30:00Z" } },
        { "14 Lord Howe, gap", LORD_HOWE, "2027-10-02T12:00:00Z", "daily - 02:15 2027-10-01 -", { "2027-10-02T15:30:00Z", "2027-10-03T15:15:00Z" } },
        { "15 Lord Howe, overlap", LORD_HOWE, "2027-04-03T12:00:00Z", "daily - 01:45 2027-04-02 -", { "2027-04-03T14:45:00Z", "2027-04-04T15:15:00Z" } },
        { .name = "16 quarter-hourly in Lord Howe" },
        { .name = "17 hourly in Lord Howe" },
        { "18 Casablanca, Ramadan begins", CASABLANCA, "2027-02-06T12:00:00Z", "daily - 02:30 2027-02-05 -", { "2027-02-07T01:30:00Z", "2027-02-08T02:30:00Z" } },
        { "19 Casablanca, Ramadan ends", CASABLANCA, "2027-03-13T12:00:00Z", "daily - 02:30 2027-03-12 -", { "2027-03-14T02:00:00Z", "2027-03-15T01:30:00Z" } },
        { "20 Beirut, no midnight", BEIRUT, "2027-03-27T12:00:00Z", "daily - 00:00 2027-03-26 -", { "2027-03-27T22:00:00Z", "2027-03-28T21:00:00Z" } },
        { "21 Havana, midnight twice", HAVANA, "2027-11-06T12:00:00Z", "daily - 00:30 2027-11-05 -", { "2027-11-07T04:30:00Z", "2027-11-08T05:30:00Z" } },
        { "22 on the 31st", "UTC", "2027-01-31T12:00:01Z", "monthly day:31 12:00 2027-01-31 -",
          { "2027-03-31T12:00:00Z", "2027-05-31T12:00:00Z", "2027-07-31T12:00:00Z", "2027-08-31T12:00:00Z", "2027-10-31T12:00:00Z" }, CLAMPED },
        { "23 the month's last day", "UTC", "2028-01-31T12:00:01Z", "monthly day:31 12:00 2028-01-31 -", { "2028-02-29T12:00:00Z", "2028-03-31T12:00:00Z", "2028-04-30T12:00:00Z" } },
        { "24 29 February", "UTC", "2026-11-25T00:00:00Z", "yearly - 12:00 2024-02-29 -", { "2028-02-29T12:00:00Z", "2032-02-29T12:00:00Z" }, CLAMPED },
        { "25 29 February over 2100", "UTC", "2096-02-29T12:00:01Z", "yearly - 12:00 2024-02-29 -", { "2104-02-29T12:00:00Z" }, CLAMPED },
        { "26 quarters' ends", "UTC", "2027-01-31T12:00:01Z", "quarterly - 12:00 2027-01-31 -",
          { "2027-04-30T12:00:00Z", "2027-07-31T12:00:00Z", "2027-10-31T12:00:00Z", "2028-01-31T12:00:00Z" } },
        { "27 quarters from 30 November", "UTC", "2026-11-30T12:00:01Z", "quarterly - 12:00 2026-11-30 -",
          { "2027-02-28T12:00:00Z", "2027-05-30T12:00:00Z", "2027-08-30T12:00:00Z", "2027-11-30T12:00:00Z", "2028-02-29T12:00:00Z" } },
        { .name = "28 the month's last Friday" },
        { .name = "29 the month's last working day" },
        { .name = "30 every second Monday" },
};

static void test_thirty_cases(void **state) {
        assert_int_equal(ELEMENTSOF(cases), 30);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Case *c = &cases[i];
                if (!c->plan)
                        continue;
                Plan p = plan(c->plan);
                PlanPoint point = { .instant = at(c->after) };
                Zone *z = load(c->zone);
                char due[TIME_TEXT_SIZE];
                Occurrence o;
                for (size_t n = 0; n < ELEMENTSOF(c->expect) && c->expect[n];) {
                        Usec last = point.has_local ? o.due : INT64_MIN;
                        assert_true(plan_next(&p, z, &point, &o) && o.due > last);
                        step(&point, &o);
                        time_text(o.due, due);
                        if (str_equal(due, c->expect[n]))
                                n++;
                        else if (c->kind != CLAMPED || o.local.day != civil_month_days(o.local.year, o.local.month) || o.due > at(c->expect[n]))
                                fail_msg("%s: %s and not %s", c->name, due, c->expect[n]);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_on_words, setup, teardown),
                cmocka_unit_test_setup_teardown(test_on_comes_from_start, setup, teardown),
                cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
                cmocka_unit_test_setup_teardown(test_local_text, setup, teardown),
                cmocka_unit_test_setup_teardown(test_days_of_months, setup, teardown),
                cmocka_unit_test_setup_teardown(test_weekdays_and_year_ends, setup, teardown),
                cmocka_unit_test_setup_teardown(test_end_is_inclusive, setup, teardown),
                cmocka_unit_test_setup_teardown(test_after_creation, setup, teardown),
                cmocka_unit_test_setup_teardown(test_gaps_and_overlaps, setup, teardown),
                cmocka_unit_test_setup_teardown(test_skipped_dates, setup, teardown),
                cmocka_unit_test_setup_teardown(test_due_by_new_zone_data, setup, teardown),
                cmocka_unit_test_setup_teardown(test_counts_over_centuries, setup, teardown),
                cmocka_unit_test_setup_teardown(test_counts_equal_walks, setup, teardown),
                cmocka_unit_test_setup_teardown(test_thirty_cases, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/files.h"
#include "daemon/model/catch-up.h"

static Arena *arena;

static int setup(void **state) {
        arena = arena_new();
        return 0;
}

static int teardown(void **state) {
        arena_free(arena);
        return 0;
}

static Zone *load(const char *name) {
        Buffer bytes = {};
        Zone *z = NULL;
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

/* Daily from 2026-01-01 on, in UTC; settled and now are its only concern. */
static CatchUpFacts facts(MissedPolicy policy, const char *settled, const char *now) {
        return (CatchUpFacts) { .settled = { .instant = at(settled) }, .policy = policy, .now = at(now), .held_since = USEC_NONE };
}

/* The rows as text: "12-01 missed, 12-02 queued", the count where it is not 1. */
static const char *rows_of(const Plan *p, const Zone *z, const CatchUpFacts *f) {
        const char *all = "";
        char local[TIME_TEXT_SIZE];
        CatchUp c;
        RunRow row;

        catch_up_begin(&c, p, z, f);
        while (catch_up_next(&c, &row)) {
                const char *count = row.count == 1 ? "" : arena_printf(arena, " x%lld", (long long) row.count);
                all = arena_printf(arena, "%s%s%.5s %s%s", all, *all ? ", " : "", local_text(&row.local, local) + 5, row.queued ? "queued" : "missed", count);
        }
        return all;
}

static const Plan noon = { .frequency = PLAN_DAILY, .at = 720, .start = { 2026, 1, 1 } };

static void test_on_time(void **state) {
        Zone *utc = load("UTC");
        for (MissedPolicy policy = MISSED_LATEST; policy <= MISSED_NONE; policy++) {
                CatchUpFacts f = facts(policy, "2026-12-01T11:59:00Z", "2026-12-01T12:00:00Z");
                assert_string_equal(rows_of(&noon, utc, &f), "12-01 queued");
                f.now = at("2026-12-01T12:01:00Z");
                assert_string_equal(rows_of(&noon, utc, &f), "12-01 queued");
                f.now = at("2026-12-01T11:59:59Z");
                assert_string_equal(rows_of(&noon, utc, &f), "");
                /* Settled is settled, whatever the clock says. */
                f = facts(policy, "2026-12-01T12:00:00Z", "2026-12-01T12:00:30Z");
                assert_string_equal(rows_of(&noon, utc, &f), "");
                f = facts(policy, "2026-01-01", "2026-12-01T12:00:30Z");
                f.settled.has_local = true;
                f.settled.local = (CivilTime) { 2026, 12, 1, 12, 0 };
                assert_string_equal(rows_of(&noon, utc, &f), "");
                f.now = at("1970-01-01");
                assert_string_equal(rows_of(&noon, utc, &f), "");
        }
}

static void test_down_for_days(void **state) {
        Zone *utc = load("UTC");
        CatchUpFacts f = facts(MISSED_LATEST, "2026-12-01T12:00:00Z", "2026-12-04T15:00:00Z");
        assert_string_equal(rows_of(&noon, utc, &f), "12-02 missed, 12-03 missed, 12-04 queued");
        f.policy = MISSED_ALL;
        assert_string_equal(rows_of(&noon, utc, &f), "12-02 queued, 12-03 queued, 12-04 queued");
        f.policy = MISSED_NONE;
        assert_string_equal(rows_of(&noon, utc, &f), "12-02 missed, 12-03 missed, 12-04 missed");
        /* Back again just at noon. */
        f.now = at("2026-12-04T12:00:05Z");
        assert_string_equal(rows_of(&noon, utc, &f), "12-02 missed, 12-03 missed, 12-04 queued");
        f.now = at("2026-12-04T12:01:01Z");
        assert_string_equal(rows_of(&noon, utc, &f), "12-02 missed, 12-03 missed, 12-04 missed");
}

static void test_down_beyond_the_end(void **state) {
        Plan p = noon;
        p.has_end = true;
        p.end = (CivilDate) { 2026, 12, 3 };
        CatchUpFacts f = facts(MISSED_LATEST, "2026-12-01T12:00:00Z", "2027-06-01T15:00:00Z");
        assert_string_equal(rows_of(&p, load("UTC"), &f), "12-02 missed, 12-03 queued");
}

/* What fell due while the clock was held is not late, and nothing else is excused by it. */
static void test_after_a_hold(void **state) {
        Zone *utc = load("UTC");
        CatchUpFacts f = facts(MISSED_NONE, "2026-12-01T12:00:00Z", "2026-12-04T12:05:00Z");
        f.held_since = at("2026-12-04T11:55:00Z");
        assert_string_equal(rows_of(&noon, utc, &f), "12-02 missed, 12-03 missed, 12-04 queued");
        f.held_since = at("2026-12-04T12:01:00Z");
        assert_string_equal(rows_of(&noon, utc, &f), "12-02 missed, 12-03 missed, 12-04 missed");
        f.held_since = at("2026-12-04T12:00:00Z");
        assert_string_equal(rows_of(&noon, utc, &f), "12-02 missed, 12-03 missed, 12-04 queued");
        f.now = at("2026-12-04T12:15:01Z");
        assert_string_equal(rows_of(&noon, utc, &f), "12-02 missed, 12-03 missed, 12-04 missed");
}

static void test_two_at_one_instant(void **state) {
        Plan midnight = { .frequency = PLAN_DAILY, .at = 0, .start = { 2011, 1, 1 } };
        Zone *apia = load("Pacific/Apia");
        CatchUpFacts f = facts(MISSED_LATEST, "2011-12-29T12:00:00Z", "2011-12-30T10:00:00Z");
        assert_string_equal(rows_of(&midnight, apia, &f), "12-30 queued, 12-31 queued");
        f.policy = MISSED_NONE;
        assert_string_equal(rows_of(&midnight, apia, &f), "12-30 queued, 12-31 queued");
        f.policy = MISSED_LATEST;
        f.now = at("2011-12-31T15:00:00Z");
        assert_string_equal(rows_of(&midnight, apia, &f), "12-30 missed, 12-31 missed, 01-01 queued");
}

/* A clock that was accepted ten years on: a thousand rows and one, and at once. */
static void test_the_oldest_share_a_row(void **state) {
        CatchUpFacts f = facts(MISSED_LATEST, "2026-12-01T12:00:00Z", "2036-12-01T13:00:00Z");
        Zone *utc = load("UTC");
        char local[TIME_TEXT_SIZE];
        int64_t rows = 0, missed = 0, queued = 0;
        CatchUp c;
        RunRow row;

        catch_up_begin(&c, &noon, utc, &f);
        assert_true(catch_up_next(&c, &row));
        assert_int_equal(row.count, 3652 - CATCH_UP_SINGLE);
        assert_string_equal(local_text(&row.local, local), "2034-03-06T12:00");
        assert_true(row.due == at("2034-03-06T12:00:00Z"));
        for (missed = row.count; catch_up_next(&c, &row); rows++) {
                assert_int_equal(row.count, 1);
                missed += !row.queued;
                queued += row.queued;
        }
        assert_int_equal(rows, CATCH_UP_SINGLE + 1);
        assert_int_equal(missed, 3652);
        assert_int_equal(queued, 1);
        assert_string_equal(local_text(&row.local, local), "2036-12-01T12:00");

        /* A thousand are a thousand rows, and one more is one more. */
        f.now = f.settled.instant + (CATCH_UP_SINGLE + 1) * USEC_DAY;
        catch_up_begin(&c, &noon, utc, &f);
        assert_true(catch_up_next(&c, &row) && row.count == 1);
        f.now += USEC_DAY;
        catch_up_begin(&c, &noon, utc, &f);
        assert_true(catch_up_next(&c, &row) && row.count == 1);
        assert_true(row.local.day == 2);
}

/* Whoever stops after any row and begins anew comes to the same end. */
static void test_in_parts(void **state) {
        CatchUpFacts f = facts(MISSED_LATEST, "2026-12-01T12:00:00Z", "2031-12-01T13:00:00Z");
        Zone *utc = load("UTC");
        int64_t missed = 0, queued = 0, rows = 0;
        CatchUp c;
        RunRow row;

        while (rows < 10000) {
                catch_up_begin(&c, &noon, utc, &f);
                int n = 0;
                while (n < 7 && catch_up_next(&c, &row)) {
                        n++;
                        rows++;
                        missed += row.queued ? 0 : row.count;
                        queued += row.queued;
                        f.settled.has_local = true;
                        f.settled.local = row.local;
                }
                if (n == 0)
                        break;
        }
        assert_int_equal(missed, 1825);
        assert_int_equal(queued, 1);
        assert_int_equal(rows, CATCH_UP_SINGLE + 2);
}

static void test_words(void **state) {
        Problem problem = {};
        MissedPolicy policy;
        assert_int_equal(missed_policy_parse("none", &policy, &problem), 0);
        assert_int_equal(policy, MISSED_NONE);
        assert_int_equal(missed_policy_parse("None", &policy, &problem), 1);
        assert_string_equal(problem.field, "missed");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_on_time, setup, teardown),
                cmocka_unit_test_setup_teardown(test_down_for_days, setup, teardown),
                cmocka_unit_test_setup_teardown(test_down_beyond_the_end, setup, teardown),
                cmocka_unit_test_setup_teardown(test_after_a_hold, setup, teardown),
                cmocka_unit_test_setup_teardown(test_two_at_one_instant, setup, teardown),
                cmocka_unit_test_setup_teardown(test_the_oldest_share_a_row, setup, teardown),
                cmocka_unit_test_setup_teardown(test_in_parts, setup, teardown),
                cmocka_unit_test(test_words),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

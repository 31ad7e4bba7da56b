/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "daemon/model/clock-guard.h"

/* A machine with two clocks, ticking once a minute. */
typedef struct Machine {
        ClockGuard guard;
        Usec wall, boot;
} Machine;

#define START (1796083200 * USEC_SEC)                            /* 2026-12-01T00:00:00Z */

static Machine started(Usec newest) {
        Machine m = { .wall = START, .boot = 5 * USEC_MINUTE };
        clock_guard_start(&m.guard, m.wall, m.boot, newest);
        return m;
}

static bool held(const Machine *m) {
        return m->guard.held;
}

static void pass(Machine *m, Usec time) {
        for (; time > 0; time -= USEC_MINUTE) {
                Usec step = time < USEC_MINUTE ? time : USEC_MINUTE;
                m->wall += step;
                m->boot += step;
                clock_guard_tick(&m->guard, m->wall, m->boot);
        }
}

/* The clock is set; the tick comes a second later. */
static void jump(Machine *m, Usec by) {
        m->wall += by;
        pass(m, USEC_SEC);
}

static void test_an_ordinary_day(void **state) {
        Machine m = started(START - USEC_DAY);
        assert_false(held(&m));
        pass(&m, USEC_DAY);
        assert_false(held(&m));
        assert_true(clock_guard_held_until(&m.guard) == USEC_NONE);
        assert_true(clock_guard_held_since(&m.guard) == USEC_NONE);
}

static void test_forward_jump(void **state) {
        Machine m = started(START);
        pass(&m, USEC_HOUR);
        jump(&m, 25 * USEC_HOUR);
        assert_false(held(&m));
        m = started(START);
        pass(&m, USEC_HOUR);
        jump(&m, 25 * USEC_HOUR + USEC_SEC);
        assert_true(held(&m));
        assert_true(clock_guard_held_until(&m.guard) == m.wall + 10 * USEC_MINUTE);
        assert_true(clock_guard_held_since(&m.guard) == m.wall);
        Usec since = m.wall;
        pass(&m, 10 * USEC_MINUTE - USEC_SEC);
        assert_true(held(&m));
        assert_true(clock_guard_held_until(&m.guard) == m.wall + USEC_SEC);
        pass(&m, USEC_SEC);
        assert_false(held(&m));
        /* For a minute it is still told that it was. */
        assert_true(clock_guard_held_since(&m.guard) == since);
        pass(&m, USEC_MINUTE);
        assert_true(clock_guard_held_since(&m.guard) == since);
        pass(&m, USEC_SEC);
        assert_true(clock_guard_held_since(&m.guard) == USEC_NONE);
        /* And the next jump counts from there. */
        jump(&m, 20 * USEC_HOUR);
        assert_false(held(&m));
        pass(&m, 11 * USEC_MINUTE);
        jump(&m, 26 * USEC_HOUR);
        assert_true(held(&m));
}

static void test_accepted(void **state) {
        Machine m = started(START);
        jump(&m, 3650 * USEC_DAY);
        assert_true(held(&m));
        clock_guard_accept(&m.guard);
        assert_false(held(&m));
        assert_true(clock_guard_held_since(&m.guard) == m.wall);
        pass(&m, USEC_MINUTE);
        assert_false(held(&m));
        /* Accepting what is not held changes nothing. */
        clock_guard_accept(&m.guard);
        jump(&m, 26 * USEC_HOUR);
        assert_true(held(&m));
}

/* 2036 for a minute, and 1970 for a minute: as if nothing had been. */
static void test_there_and_back(void **state) {
        Machine m = started(START);
        pass(&m, USEC_HOUR);
        jump(&m, 3500 * USEC_DAY);
        pass(&m, USEC_MINUTE);
        assert_true(held(&m));
        jump(&m, -3500 * USEC_DAY);
        assert_false(held(&m));
        pass(&m, USEC_HOUR);
        assert_false(held(&m));

        jump(&m, -m.wall);
        assert_false(held(&m));
        pass(&m, USEC_MINUTE);
        jump(&m, START);
        assert_false(held(&m));
}

/* A clock that stays back is believed in time; its way forward is a jump. */
static void test_back_for_long(void **state) {
        Machine m = started(START);
        jump(&m, -10 * USEC_DAY);
        pass(&m, USEC_HOUR);
        assert_false(held(&m));
        jump(&m, 10 * USEC_DAY);
        assert_true(held(&m));
        pass(&m, 10 * USEC_MINUTE);
        assert_false(held(&m));
}

static void test_jumps_add_up(void **state) {
        Machine m = started(START);
        jump(&m, 20 * USEC_HOUR);
        assert_false(held(&m));
        pass(&m, 5 * USEC_MINUTE);
        jump(&m, 20 * USEC_HOUR);
        assert_true(held(&m));
}

/* Each step begins the ten minutes anew, but not the trimming of a second. */
static void test_restless(void **state) {
        Machine m = started(START);
        jump(&m, 30 * USEC_DAY);
        pass(&m, 9 * USEC_MINUTE);
        jump(&m, 30 * USEC_DAY);
        assert_true(clock_guard_held_until(&m.guard) == m.wall + 10 * USEC_MINUTE);
        assert_true(clock_guard_held_since(&m.guard) == m.wall);
        pass(&m, 9 * USEC_MINUTE);
        assert_true(held(&m));
        jump(&m, -10 * USEC_DAY);
        pass(&m, 9 * USEC_MINUTE);
        assert_true(held(&m));
        jump(&m, 2 * USEC_SEC);
        jump(&m, -USEC_SEC);
        pass(&m, USEC_MINUTE);
        assert_false(held(&m));
}

/* While it sleeps, both clocks go on. */
static void test_suspend_is_no_jump(void **state) {
        Machine m = started(START);
        pass(&m, USEC_MINUTE);
        m.wall += 30 * USEC_DAY;
        m.boot += 30 * USEC_DAY;
        assert_false(clock_guard_tick(&m.guard, m.wall, m.boot));
        /* A jump during the sleep is one. */
        m.wall += 60 * USEC_DAY;
        m.boot += 30 * USEC_DAY;
        assert_true(clock_guard_tick(&m.guard, m.wall, m.boot));
}

/* Slewing, 500 ppm for a year, is no jump either. */
static void test_drift(void **state) {
        Machine m = started(START);
        for (int i = 0; i < 365 * 24 * 60; i++) {
                m.wall += USEC_MINUTE + 30 * USEC_MSEC;
                m.boot += USEC_MINUTE;
                assert_false(clock_guard_tick(&m.guard, m.wall, m.boot));
        }
        jump(&m, 25 * USEC_HOUR);
        assert_false(held(&m));
}

static void test_at_start(void **state) {
        Machine m = started(USEC_NONE);
        assert_false(held(&m));
        m = started(START - 32 * USEC_DAY);
        assert_false(held(&m));
        m = started(START + 100 * USEC_DAY);
        assert_false(held(&m));
        m = started(START - 32 * USEC_DAY - USEC_SEC);
        assert_true(held(&m));
        assert_true(clock_guard_held_until(&m.guard) == m.wall + 10 * USEC_MINUTE);
        pass(&m, 10 * USEC_MINUTE - USEC_SEC);
        assert_true(held(&m));
        pass(&m, USEC_SEC);
        assert_false(held(&m));

        m = started(START - 1000 * USEC_DAY);
        clock_guard_accept(&m.guard);
        assert_false(held(&m));
        pass(&m, USEC_MINUTE);
        assert_false(held(&m));

        /* Put right before the ten minutes are over. */
        m = started(START - 1000 * USEC_DAY);
        pass(&m, USEC_MINUTE);
        jump(&m, -990 * USEC_DAY);
        assert_false(held(&m));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_an_ordinary_day),  cmocka_unit_test(test_forward_jump),       cmocka_unit_test(test_accepted),
                cmocka_unit_test(test_there_and_back),   cmocka_unit_test(test_back_for_long),      cmocka_unit_test(test_jumps_add_up),
                cmocka_unit_test(test_restless),         cmocka_unit_test(test_suspend_is_no_jump), cmocka_unit_test(test_drift),
                cmocka_unit_test(test_at_start),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

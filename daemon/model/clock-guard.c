/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/model/clock-guard.h"

static void release(ClockGuard *g) {
        if (g->held)
                g->released = g->boot;
        g->held = false;
}

static bool judge(ClockGuard *g, Usec wall, Usec boot) {
        Usec difference = wall - boot;
        bool believed = difference <= g->limit;

        g->wall = wall;
        g->boot = boot;
        if (believed)
                release(g);
        else if (!g->held || g->steady_since == boot)
                g->held_since = wall;
        g->held = !believed;
        return g->held;
}

bool clock_guard_start(ClockGuard *g, Usec wall, Usec boot, Usec newest) {
        *g = (ClockGuard) { .steady = wall - boot, .steady_since = boot, .held_since = USEC_NONE, .released = USEC_NONE };
        if (newest != USEC_NONE && wall > newest + CLOCK_GUARD_START)
                g->limit = newest + CLOCK_GUARD_START - boot;
        else
                g->limit = g->steady + CLOCK_GUARD_JUMP;
        return judge(g, wall, boot);
}

bool clock_guard_tick(ClockGuard *g, Usec wall, Usec boot) {
        Usec difference = wall - boot, moved = difference - g->steady;

        if (moved > CLOCK_GUARD_STEADY || moved < -CLOCK_GUARD_STEADY) {
                g->steady = difference;
                g->steady_since = boot;
        } else if (boot - g->steady_since >= CLOCK_GUARD_HOLD)
                g->limit = difference + CLOCK_GUARD_JUMP;
        return judge(g, wall, boot);
}

void clock_guard_accept(ClockGuard *g) {
        g->steady = g->wall - g->boot;
        g->limit = g->steady + CLOCK_GUARD_JUMP;
        release(g);
}

Usec clock_guard_held_until(const ClockGuard *g) {
        return g->held ? g->wall + (g->steady_since + CLOCK_GUARD_HOLD - g->boot) : USEC_NONE;
}

Usec clock_guard_held_since(const ClockGuard *g) {
        bool fresh = g->held || (g->released != USEC_NONE && g->boot - g->released <= USEC_MINUTE);
        return fresh ? g->held_since : USEC_NONE;
}

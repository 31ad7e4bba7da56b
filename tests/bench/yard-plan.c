/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Occurrences a second of a daily time in a zone, one after the other up to 2090 and then anew. Prints one number.
 *
 *   yard-plan ours FILE SECONDS    plan_next(); FILE: the zone's, from tzdata
 *   yard-plan ical NAME SECONDS    libical's iterator, and the instant of what it gives */
#include <libical/ical.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/files.h"
#include "daemon/model/plan.h"
#include "tests/bench/bench.h"

enum { HOUR = 2, MINUTE = 30, LAST_YEAR = 2090, ZONE_MAX = 1 << 20, LOOK = 64 };

static double ours(const char *path, Usec wanted) {
        const Plan plan = { .frequency = PLAN_DAILY, .at = HOUR * 60 + MINUTE, .start = { 2026, 11, 25 } };
        PlanPoint after = { .instant = USEC_NONE };
        Arena *a = arena_new();
        Buffer bytes = {};
        Usec begin, spent;
        int64_t count = 0;
        Zone *zone;

        bench_must(file_read(path, ZONE_MAX, &bytes), path);
        bench_must(zone_parse(a, bytes.data, bytes.size, &zone), path);
        begin = clock_monotonic();
        do {
                for (int i = 0; i < LOOK; i++, count++) {
                        Occurrence o;
                        if (!plan_next(&plan, zone, &after, &o))
                                bench_die("plan_next", "it ended");
                        after = o.local.year >= LAST_YEAR ? (PlanPoint) { .instant = USEC_NONE } : (PlanPoint) { o.due, true, o.local };
                }
                spent = clock_monotonic() - begin;
        } while (spent < wanted);
        buffer_done(&bytes);
        arena_free(a);
        return (double) count * 1e6 / (double) spent;
}

static icalrecur_iterator *iterator(icaltimezone *zone) {
        struct icaltimetype start = { .year = 2026, .month = 11, .day = 25, .hour = HOUR, .minute = MINUTE, .zone = zone };
        icalrecur_iterator *i = icalrecur_iterator_new(icalrecurrencetype_from_string("FREQ=DAILY"), start);
        if (!i)
                bench_die("libical", "no iterator");
        return i;
}

static double ical(const char *name, Usec wanted) {
        icaltimezone *zone = icaltimezone_get_builtin_timezone(name);
        icalrecur_iterator *i = iterator(zone);
        int64_t count = 0, sum = 0;
        Usec begin, spent;

        if (!zone)
                bench_die(name, "libical does not have it");
        begin = clock_monotonic();
        do {
                for (int k = 0; k < LOOK; k++, count++) {
                        struct icaltimetype t = icalrecur_iterator_next(i);
                        if (icaltime_is_null_time(t) || t.year >= LAST_YEAR) {
                                icalrecur_iterator_free(i);
                                i = iterator(zone);
                                continue;
                        }
                        sum += icaltime_as_timet_with_zone(t, zone);
                }
                spent = clock_monotonic() - begin;
        } while (spent < wanted);
        icalrecur_iterator_free(i);
        return sum ? (double) count * 1e6 / (double) spent : 0;
}

int main(int argc, char **argv) {
        if (argc != 4)
                return 2;
        Usec wanted = (Usec) (atof(argv[3]) * 1e6);
        if (strcmp(argv[1], "ours") == 0)
                printf("%.0f\n", ours(argv[2], wanted));
        else if (strcmp(argv[1], "ical") == 0)
                printf("%.0f\n", ical(argv[2], wanted));
        else
                return 2;
        return 0;
}

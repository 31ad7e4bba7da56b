/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What it costs to ask a stopped daemon's database for what is due when nothing is, as each tick of the clock does:
 *
 *   yard-due STATE SECONDS         µs of one question for the due ones and one for the next instant, the mean */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/store/schedule-store.h"
#include "tests/bench/bench.h"

enum { LOT = 100 };

static void ask(Db *db, Arena *a) {
        Schedule due[LOT];
        Usec next;
        size_t n;

        bench_must(schedule_due(db, a, clock_now(), due, LOT, &n), "due");
        bench_must(schedule_next_due(db, &next), "next");
        if (n > 0 || next == USEC_NONE)
                bench_die("schedules", "something is due, or none is there");
}

int main(int argc, char **argv) {
        Problem problem = {};
        int64_t count = 0;
        Usec begin, spent;
        int status;
        Db *db;

        if (argc != 3)
                return 2;
        int r = db_open_writer(argv[1], NULL, &db, &status, &problem);
        if (r != 0)
                bench_die(argv[1], r > 0 ? problem.text : strerror(-r));
        Arena *a = arena_new();
        ask(db, a);
        begin = clock_monotonic();
        do {
                ask(db, a);
                count++;
        } while ((spent = clock_monotonic() - begin) < (Usec) (atof(argv[2]) * 1e6));
        printf("%.2f\n", (double) spent / (double) count);
        arena_free(a);
        db_close(db);
        return 0;
}

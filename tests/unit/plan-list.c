/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* No test by itself: tests/system/test_plan.py compares its answers with those of another calendar. A line of standard
 * input is a question, its fields separated by tabs:
 *     zone frequency on at start end instant local count until
 * where - is none, and instants are seconds since 1970. The answer is a line: "refused CODE", or how many are due after
 * the point and by until, and then the next count occurrences after the point, each as local/due/note. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/files.h"
#include "daemon/model/plan.h"

enum { ZONE, FREQUENCY, ON, AT, START, END, INSTANT, LOCAL, COUNT, UNTIL, _FIELDS };

static const Zone *zone_of(Arena *a, const char *name) {
        static struct {
                char *name;
                Zone *zone;
        } known[1000];
        static size_t n, last;
        Buffer bytes = {};

        if (n > 0 && str_equal(known[last].name, name))
                return known[last].zone;
        for (last = 0; last < n; last++)
                if (str_equal(known[last].name, name))
                        return known[last].zone;
        if (n == ELEMENTSOF(known) || file_read(arena_printf(a, "/usr/share/zoneinfo/%s", name), 1 << 20, &bytes) != 0 ||
            zone_parse(a, bytes.data, bytes.size, &known[n].zone) != 0) {
                fprintf(stderr, "no zone %s\n", name);
                exit(1);
        }
        buffer_done(&bytes);
        known[n].name = arena_strdup(a, name);
        return known[n++].zone;
}

static const char *none(const char *field) {
        return str_equal(field, "-") ? NULL : field;
}

static int plan_read(char *const *f, Plan *p, Problem *problem) {
        int r = plan_frequency_parse(f[FREQUENCY], &p->frequency, problem);
        if (r == 0)
                r = plan_on_parse(p->frequency, none(f[ON]), &p->on, problem);
        if (r == 0)
                r = plan_at_parse(f[AT], &p->at, problem);
        if (r == 0)
                r = plan_date_parse("start", f[START], &p->start, problem);
        if (r == 0 && (p->has_end = none(f[END]) != NULL))
                r = plan_date_parse("end", f[END], &p->end, problem);
        return r ?: plan_check(p, problem);
}

static void answer(const Plan *p, const Zone *z, char *const *f) {
        PlanPoint point = { .instant = strtoll(f[INSTANT], NULL, 10) * USEC_SEC };
        char text[TIME_TEXT_SIZE];
        Occurrence o;

        if (none(f[LOCAL]) && !(point.has_local = local_parse(f[LOCAL], &point.local))) {
                printf("bad local\n");
                return;
        }
        printf("%lld", (long long) plan_count(p, z, &point, strtoll(f[UNTIL], NULL, 10) * USEC_SEC));
        for (long n = strtol(f[COUNT], NULL, 10); n > 0 && plan_next(p, z, &point, &o); n--) {
                printf(" %s/%lld/%s", local_text(&o.local, text), (long long) (o.due / USEC_SEC),
                       o.after_gap ? "after-gap" : o.first_pass ? "first-pass" : "-");
                /* As a caller goes on: by what it has settled. */
                point.has_local = true;
                point.local = o.local;
        }
        printf("\n");
}

int main(void) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        char *line = NULL;
        size_t size = 0;
        ssize_t n;

        while ((n = getline(&line, &size, stdin)) > 0) {
                char *f[_FIELDS], *rest = NULL;
                Plan p = {};
                Problem problem = {};
                line[n - 1] = 0;
                f[0] = strtok_r(line, "\t", &rest);
                for (size_t i = 1; i < _FIELDS; i++)
                        if (!(f[i] = strtok_r(NULL, "\t", &rest)))
                                return 2;
                if (plan_read(f, &p, &problem) != 0)
                        printf("refused %s\n", problem.code);
                else
                        answer(&p, zone_of(a, f[ZONE]), f);
        }
        free(line);
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/memory.h"
#include "tests/bench/bench.h"

void bench_die(const char *what, const char *why) {
        fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
        exit(1);
}

void bench_must(int r, const char *what) {
        if (r < 0)
                bench_die(what, strerror(-r));
}

sd_bus *bench_connect(const char *address) {
        sd_bus *bus = NULL;
        bench_must(sd_bus_new(&bus), "bus");
        bench_must(sd_bus_set_address(bus, address), "address");
        bench_must(sd_bus_set_bus_client(bus, true), "bus client");
        bench_must(sd_bus_negotiate_fds(bus, true), "descriptors");
        bench_must(sd_bus_start(bus), "connecting");
        return bus;
}

sd_bus_message *bench_call_new(sd_bus *bus, const char *name, const char *interface, const char *member) {
        sd_bus_message *m = NULL;
        char full[100];
        snprintf(full, sizeof(full), BENCH_PREFIX "%s", interface);
        bench_must(sd_bus_message_new_method_call(bus, &m, name, BENCH_PATH, full, member), member);
        return m;
}

const char *bench_country(size_t i) {
        static const char codes[] = "ATBEBGHRCYCZDKEEFIFRDEGRHUIEITLVLTLUMTNLPLPTROSKSIESSEGBUSCANOCHISLIUABAMKALRSMETRMDAMAZGEKZJPKRAUNZ"
                                    "BRARCLPECOMXUYPYBOECVEPACRGTHNSV";
        static char text[64][3];
        _Static_assert(sizeof(codes) >= 64 * 2, "64 countries");

        i %= ELEMENTSOF(text);
        memcpy(text[i], codes + 2 * i, 2);
        return text[i];
}

void samples_add(Samples *s, Usec t) {
        if (s->n == s->size)
                s->items = memory_grow(s->items, (s->size = MAX(2 * s->size, (size_t) 1024)) * sizeof(*s->items));
        s->items[s->n++] = t;
}

static int compare(const void *a, const void *b) {
        Usec x = *(const Usec *) a, y = *(const Usec *) b;
        return x < y ? -1 : x > y;
}

Usec samples_percentile(Samples *s, double percent) {
        if (s->n == 0)
                return 0;
        qsort(s->items, s->n, sizeof(*s->items), compare);
        return s->items[MIN((size_t) ((double) s->n * percent / 100), s->n - 1)];
}

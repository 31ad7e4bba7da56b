/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the programs of the figures share. Faults end them: a figure is right or it is not there. */

#include <systemd/sd-bus.h>

#include "common/clock.h"
#include "common/macro.h"

#define BENCH_PATH "/org/tenantd/Tenant1"
#define BENCH_PREFIX "org.tenantd.Tenant1."

_Noreturn void bench_die(const char *what, const char *why);
void bench_must(int r, const char *what);                        /* r: what sd-bus and common/ return */
sd_bus *bench_connect(const char *address);
sd_bus_message *bench_call_new(sd_bus *bus, const char *name, const char *interface, const char *member);

/* Another one for each i below 64: an edit to what is there already would write nothing. */
const char *bench_country(size_t i);

/* Times of single events. */
typedef struct Samples {
        Usec *items;
        size_t n, size;
} Samples;

void samples_add(Samples *s, Usec t);
Usec samples_percentile(Samples *s, double percent);             /* sorts; 0 of none */

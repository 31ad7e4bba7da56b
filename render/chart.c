/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/memory.h"
#include "common/text.h"
#include "render/chart.h"

void chart_data_done(ChartData *d) {
        for (size_t i = 0; i < d->n; i++)
                free(d->labels[i]);
        free(d->labels);
        free(d->values);
        *d = (ChartData) {};
}

bool chart_data_add(ChartData *d, size_t n_series, const char *label, const double *values) {
        if (d->n == CHART_POINTS_MAX)
                return false;
        if (d->n == d->capacity) {
                d->capacity = MAX(d->capacity * 2, (size_t) 32);
                d->labels = memory_grow(d->labels, d->capacity * sizeof(char *));
                d->values = memory_grow(d->values, d->capacity * n_series * sizeof(double));
        }
        d->n_series = n_series;
        memcpy(d->values + d->n * n_series, values, n_series * sizeof(double));
        d->labels[d->n++] = memory_strdup(label);
        return true;
}

void chart_range(const ChartData *d, ChartKind kind, double *ret_low, double *ret_high) {
        double low = 0, high = 0;

        for (size_t i = 0; i < d->n; i++) {
                double above = 0, below = 0;
                for (size_t k = 0; k < d->n_series; k++) {
                        double v = d->values[i * d->n_series + k];
                        if (isnan(v))
                                continue;
                        if (kind == CHART_STACKED_BARS)
                                *(v > 0 ? &above : &below) += v;
                        else {
                                above = MAX(above, v);
                                below = MIN(below, v);
                        }
                }
                low = MIN(low, below);
                high = MAX(high, above);
        }
        *ret_low = low;
        *ret_high = high;
}

ChartAxis chart_axis(double low, double high, int ticks) {
        static const double steps[] = { 1, 2, 5, 10 };

        if (high <= low)
                high = low + 1;
        double rough = (high - low) / ticks, power = pow(10, floor(log10(rough))), step = 0;
        for (size_t i = 0; i < ELEMENTSOF(steps) && step < rough * (1 - 1e-9); i++)
                step = steps[i] * power;
        step = MAX(step, 1);
        return (ChartAxis) { floor(low / step) * step, ceil(high / step) * step, step };
}

void chart_tick(Buffer *b, const ChartAxis *axis, double value, bool bytes, char point) {
        static const char *const counts[] = { "", "k", "M", "G", "T", "P", "E" };
        static const char *const units[] = { " B", " kB", " MB", " GB", " TB", " PB", " EB" };
        double largest = MAX(fabs(axis->low), fabs(axis->high));
        size_t unit = 0;
        char text[32];

        /* Up to five digits are read faster than any letter. */
        if (largest >= (bytes ? 1000 : 100000))
                for (; largest >= 1000 && unit + 1 < ELEMENTSOF(units); unit++)
                        largest /= 1000;
        double scale = pow(1000, (double) unit);
        int decimals = 0;
        for (double s = axis->step / scale; decimals < 3 && fabs(s - round(s)) > 1e-6; s *= 10)
                decimals++;
        snprintf(text, sizeof(text), "%.*f", decimals, value / scale);
        char *dot = strchr(text, '.');
        if (dot)
                *dot = point;
        buffer_printf(b, "%s%s", text, value == 0 && !bytes ? "" : (bytes ? units : counts)[unit]);
}

bool chart_of_bytes(const Header *h) {
        for (size_t i = 0; i < h->chart.n_series; i++)
                if (!str_starts(h->columns[h->chart.series[i]].name, "bytes"))
                        return false;
        return true;
}

/* The colours of Okabe and Ito, but a grey for their yellow, which no thin line on paper can wear. */
enum { BLUE, ORANGE, GREEN, VERMILLION, SKY, PURPLE, BLACK, GREY };
static const uint32_t palette[CHART_COLORS] = { 0x0072b2, 0xe69f00, 0x009e73, 0xd55e00,
                                                0x56b4e9, 0xcc79a7, 0x333333, 0x999999 };

static int color_of_word(const char *name) {
        static const char *const good[] = { "finished", "active", "working", "initialized", "delivered", "resolved", NULL };
        static const char *const bad[] = { "failed", "expired", "dead", "suspended", NULL };
        static const char *const doubtful[] = { "finished-with-exception", "finished_with_exception", "expiring",
                                                "grace", "warning", "multiple-issues", NULL };
        static const char *const idle[] = { "canceled", "skipped", "none", "not-started", "not_started", "not-applicable",
                                            "not_applicable", "purged", "disabled", NULL };

        return names_find(good, name) >= 0 ? GREEN : names_find(bad, name) >= 0 ? VERMILLION
                : names_find(doubtful, name) >= 0 ? ORANGE : names_find(idle, name) >= 0 ? GREY : -1;
}

void chart_inks(const Header *h, ChartInk ret[HEADER_SERIES_MAX]) {
        unsigned used[CHART_COLORS] = {};
        int wanted[HEADER_SERIES_MAX];

        for (size_t i = 0; i < h->chart.n_series; i++) {
                wanted[i] = color_of_word(h->columns[h->chart.series[i]].name);
                if (wanted[i] >= 0 && used[wanted[i]]++ > 0)
                        wanted[i] = -1;
        }
        for (size_t i = 0; i < h->chart.n_series; i++) {
                unsigned least = 0;
                for (unsigned k = 1; k < CHART_COLORS; k++)
                        if (used[k] < used[least])
                                least = k;
                bool told = wanted[i] >= 0;
                unsigned color = told ? (unsigned) wanted[i] : least;
                ret[i] = (ChartInk) { palette[color], told ? 0 : used[color]++ };
        }
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a chart is drawn from, and the arithmetic of its axis. Pure. */

#include "common/buffer.h"
#include "render/header.h"

enum {
        CHART_POINTS_MAX = 2000,             /* of x; rows beyond are not drawn */
        CHART_COLORS = 8,
};

typedef struct ChartData {
        size_t n, n_series, capacity;
        char **labels;                       /* owned; of each x */
        double *values;                      /* owned; x by x, series by series; NAN: no point */
} ChartData;

void chart_data_done(ChartData *d);
/* false if there is no room for more. values: n_series of them. */
bool chart_data_add(ChartData *d, size_t n_series, const char *label, const double *values);

typedef struct ChartAxis {
        double low, high, step;              /* 0 is one of its ticks */
} ChartAxis;

void chart_range(const ChartData *d, ChartKind kind, double *ret_low, double *ret_high);
ChartAxis chart_axis(double low, double high, int ticks);        /* whole steps of 1, 2 or 5 × 10^n, never below 1 */
void chart_tick(Buffer *b, const ChartAxis *axis, double value, bool bytes, char point);   /* "1.5M", "250 GB" */
bool chart_of_bytes(const Header *h);

/* A colour of the palette that can be told apart by all who see colours otherwise, and from the second use on of the
 * same colour a hatching. */
typedef struct ChartInk {
        uint32_t rgb;
        unsigned hatch;                      /* 0: none */
} ChartInk;

/* Where a series' name says how good the news are its colour does too, in every chart alike. */
void chart_inks(const Header *h, ChartInk ret[HEADER_SERIES_MAX]);

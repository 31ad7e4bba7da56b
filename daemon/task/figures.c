/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "common/json.h"
#include "common/text.h"
#include "common/time.h"
#include "daemon/store/figure-store.h"
#include "daemon/task/figures.h"

enum { SERIES_MAX = 20, DAYS = 30, MONTHS = 12 };

/* A day or month a row, a status a column: figures come ordered by label, so a row is whole when the next begins. */
typedef struct Days {
        Arena *arena;
        const char *labels[DAYS + 1];
        int64_t counts[DAYS + 1][SERIES_MAX];
        const char *series[SERIES_MAX];
        size_t n_labels, n_series;
} Days;

static int collect_day(void *userdata, const Figure *f) {
        Days *d = userdata;
        size_t i = 0, k = 0;

        while (i < d->n_labels && !str_equal(d->labels[i], f->label))
                i++;
        while (k < d->n_series && !str_equal(d->series[k], f->series))
                k++;
        /* A clock that was ahead left days beyond these; they are not of the last thirty. */
        if (i == d->n_labels || k == SERIES_MAX)
                return 0;
        if (k == d->n_series)
                d->series[d->n_series++] = arena_strdup(d->arena, f->series);
        d->counts[i][k] += f->a;
        return 0;
}

static void put_column(Buffer *b, const char *name, const char *type) {
        json_put_object_begin(b);
        json_put_key_string(b, "name", name);
        json_put_key_string(b, "type", type);
        json_put_object_end(b);
}

static void put_chart(Buffer *b, const char *members, const char *kind, const char *x, const char *const *series, size_t n) {
        if (!str_empty(members)) {
                buffer_add_string(b, members);
                buffer_add_char(b, ',');
        }
        Buffer chart = {};
        json_put_object_begin(&chart);
        json_put_key_string(&chart, "kind", kind);
        json_put_key_string(&chart, "x", x);
        json_put_key(&chart, "series");
        json_put_array_begin(&chart);
        for (size_t i = 0; i < n; i++)
                json_put_string(&chart, series[i]);
        json_put_array_end(&chart);
        json_put_object_end(&chart);
        buffer_add_string(b, "\"chart\":");
        buffer_add(b, chart.data, chart.size);
        buffer_done(&chart);
}

/* Columns: x and one for each series. A chart needs at least one. */
static int begin(ReportFile *f, const char *sheet, const char *members, const char *kind, const char *x, const char *const *series, size_t n) {
        Buffer columns = {}, all = {};

        json_put_array_begin(&columns);
        put_column(&columns, x, "text");
        for (size_t i = 0; i < n; i++)
                put_column(&columns, series[i], "int");
        json_put_array_end(&columns);
        if (n > 0)
                put_chart(&all, members, kind, x, series, n);
        else
                buffer_add_string(&all, members ?: "");
        int r = report_section_begin(f, sheet, buffer_string(&all), buffer_string(&columns));
        buffer_done(&columns);
        buffer_done(&all);
        return r;
}

static int put_days(ReportFile *f, const Days *d) {
        int r = 0;
        for (size_t i = 0; i < d->n_labels && r >= 0; i++) {
                Buffer row = {};
                json_put_array_begin(&row);
                json_put_string(&row, d->labels[i]);
                for (size_t k = 0; k < d->n_series; k++)
                        json_put_int(&row, d->counts[i][k]);
                json_put_array_end(&row);
                r = report_section_row(f, &row);
                buffer_done(&row);
        }
        return r;
}

int figures_jobs(ReportFile *f, int64_t customer, Usec now, const char *sheet, const char *members) {
        Days *d = arena_alloc(f->work->arena, sizeof(*d));
        char date[TIME_TEXT_SIZE];

        d->arena = f->work->arena;
        for (int i = DAYS; i >= 0; i--)
                d->labels[d->n_labels++] = arena_strdup(d->arena, date_text(now - i * USEC_DAY, date));
        int r = figure_jobs(f->work->reader, customer, now - (now % USEC_DAY) - DAYS * USEC_DAY, collect_day, d);
        if (r >= 0)
                r = begin(f, sheet, members, "stacked-bars", "day", d->series, d->n_series);
        return r < 0 ? r : d->n_series > 0 ? put_days(f, d) : 0;
}

typedef struct Lines {
        ReportFile *file;
        bool two;
} Lines;

static int put_line(void *userdata, const Figure *f) {
        const Lines *l = userdata;
        Buffer row = {};

        json_put_array_begin(&row);
        json_put_string(&row, f->label);
        f->has_a ? json_put_int(&row, f->a) : json_put_null(&row);
        if (l->two)
                f->has_b ? json_put_int(&row, f->b) : json_put_null(&row);
        json_put_array_end(&row);
        int r = report_section_row(l->file, &row);
        buffer_done(&row);
        return r;
}

int figures_storage(ReportFile *f, int64_t customer, Usec now, const char *sheet, const char *members) {
        static const char *const series[] = { "bytes_stored", "bytes_byos" };
        const CivilTime today = civil_from_usec(now);
        int months = today.year * 12 + today.month - 1 - (MONTHS - 1);
        const char *since = arena_printf(f->work->arena, "%04d-%02d-01", months / 12, months % 12 + 1);
        Lines lines = { f, true };

        int r = begin(f, sheet, members, "lines", "month", series, ELEMENTSOF(series));
        return r < 0 ? r : figure_storage(f->work->reader, customer, since, put_line, &lines);
}

int figures_subscriptions(ReportFile *f, int64_t customer, const char *sheet, const char *members) {
        static const char *const series[] = { "subscriptions" };
        Lines lines = { f, false };

        int r = begin(f, sheet, members, "bars", "state", series, ELEMENTSOF(series));
        return r < 0 ? r : figure_subscriptions(f->work->reader, customer, put_line, &lines);
}

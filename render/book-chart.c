/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "common/memory.h"
#include "render/book-chart.h"
#include "render/cell.h"
#include "render/chart.h"

/* In pixels, of which a cell has 64 × 20. */
enum { CHART_WIDTH = 832, CHART_HEIGHT = 380, CELL_PIXELS_X = 64, CELL_PIXELS_Y = 20, DEFAULT_WIDTH = 480, DEFAULT_HEIGHT = 288 };

/* A cell or more as a formula names them. The sheet's name is quoted already, and always. */
static char *reference(const BookChart *c, size_t column, uint32_t from, uint32_t to) {
        char letters[16];
        Buffer b = {};

        cell_reference(0, (unsigned) column, letters);
        letters[strcspn(letters, "0123456789")] = 0;
        buffer_printf(&b, "=%s!$%s$%u", c->sheet->quoted_name, letters, from + 1);
        if (to != from)
                buffer_printf(&b, ":$%s$%u", letters, to + 1);
        return buffer_take(&b);
}

/* What XML cannot carry becomes a blank: there is no escape for it outside of cells. */
static char *plain_text(const char *text) {
        char *copy = memory_strdup(text);

        for (unsigned char *p = (unsigned char *) copy; *p; p++) {
                if (*p < 0x20)
                        *p = ' ';
                if (p[0] == 0xef && p[1] == 0xbf && (p[2] == 0xbe || p[2] == 0xbf))
                        p[0] = p[1] = p[2] = ' ';
        }
        return copy;
}

static void series_paint(lxw_chart_series *series, ChartKind kind, const ChartInk *ink, size_t i) {
        static const uint8_t marks[] = { LXW_CHART_MARKER_CIRCLE, LXW_CHART_MARKER_DIAMOND, LXW_CHART_MARKER_TRIANGLE,
                                         LXW_CHART_MARKER_SQUARE, LXW_CHART_MARKER_X, LXW_CHART_MARKER_STAR };
        static const uint8_t hatches[] = { LXW_CHART_PATTERN_WIDE_UPWARD_DIAGONAL, LXW_CHART_PATTERN_WIDE_DOWNWARD_DIAGONAL };
        lxw_chart_fill fill = { .color = ink->rgb };
        lxw_chart_line line = { .color = ink->rgb, .width = 2 };

        if (kind == CHART_LINES) {
                if (ink->hatch > 0)
                        line.dash_type = LXW_CHART_LINE_DASH_DASH;
                chart_series_set_line(series, &line);
                chart_series_set_marker_type(series, marks[i % ELEMENTSOF(marks)]);
                chart_series_set_marker_size(series, 6);
                chart_series_set_marker_fill(series, &fill);
                line.width = 1;
                line.dash_type = 0;
                chart_series_set_marker_line(series, &line);
        } else if (ink->hatch > 0) {
                lxw_chart_pattern pattern = { .fg_color = 0xffffff, .bg_color = ink->rgb,
                                              .type = hatches[ink->hatch % 2] };
                chart_series_set_pattern(series, &pattern);
        } else
                chart_series_set_fill(series, &fill);
}

static int series_add(const BookChart *c, lxw_chart *chart, const ChartInk *ink, size_t i) {
        uint32_t last = MAX(MIN(c->rows, (uint32_t) CHART_POINTS_MAX), 1u);
        size_t column = c->header->chart.series[i];
        char *x = reference(c, c->header->chart.x, 1, last), *values = reference(c, column, 1, last),
             *name = reference(c, column, 0, 0);
        lxw_chart_series *series = chart_add_series(chart, x, values);

        if (series) {
                chart_series_set_name(series, name);
                series_paint(series, c->header->chart.kind, ink, i);
        }
        free(x);
        free(values);
        free(name);
        return series ? 0 : -ENOMEM;
}

/* The cells are not copied into the chart, so it is told what they hold. */
static void axes_format(lxw_chart *chart, const Header *h) {
        static const char bytes[] = "[>=1000000000000]0.0,,,,\" TB\";[>=1000000000]0.0,,,\" GB\";#,##0";
        lxw_chart_line light = { .color = 0xd9d9d9, .width = 0.5 };
        CellType type = h->columns[h->chart.x].type;

        if (type == CELL_DATE || type == CELL_TIME)
                chart_axis_set_num_format(chart->x_axis, type == CELL_DATE ? "yyyy-mm-dd" : "yyyy-mm-dd hh:mm");
        chart_axis_set_num_format(chart->y_axis, chart_of_bytes(h) ? bytes : "#,##0");
        chart_axis_major_gridlines_set_line(chart->y_axis, &light);
        chart_axis_set_label_position(chart->x_axis, LXW_CHART_AXIS_LABEL_POSITION_LOW);
}

int book_chart_add(const BookChart *c, lxw_col_t *ret_column, lxw_row_t *ret_row) {
        static const uint8_t types[] = { LXW_CHART_COLUMN_STACKED, LXW_CHART_LINE, LXW_CHART_COLUMN };
        lxw_chart_options options = { .x_scale = (double) CHART_WIDTH / DEFAULT_WIDTH,
                                      .y_scale = (double) CHART_HEIGHT / DEFAULT_HEIGHT };
        lxw_chart *chart = workbook_add_chart(c->workbook, types[c->header->chart.kind]);
        lxw_col_t column = (lxw_col_t) (c->header->n_columns + 1);
        ChartInk inks[HEADER_SERIES_MAX];
        int r = chart ? 0 : -ENOMEM;

        chart_inks(c->header, inks);
        for (size_t i = 0; i < c->header->chart.n_series && r == 0; i++)
                r = series_add(c, chart, &inks[i], i);
        if (r < 0)
                return r;
        /* Not by the library's function, for which a title that begins with '=' is a formula. */
        if (str_empty(c->header->chart.title))
                chart_title_off(chart);
        else
                chart->title.name = plain_text(c->header->chart.title);
        lxw_chart_font font = { .size = 13, .bold = LXW_TRUE };
        chart_title_set_name_font(chart, &font);
        axes_format(chart, c->header);
        if (c->header->chart.kind != CHART_LINES)
                chart_set_series_gap(chart, 40);
        chart_legend_set_position(chart, LXW_CHART_LEGEND_BOTTOM);
        if (worksheet_insert_chart_opt(c->sheet, 1, column, chart, &options) != LXW_NO_ERROR)
                return -EIO;
        *ret_column = (lxw_col_t) (column + CHART_WIDTH / CELL_PIXELS_X);
        *ret_row = 1 + CHART_HEIGHT / CELL_PIXELS_Y;
        return 0;
}

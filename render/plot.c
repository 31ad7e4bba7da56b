/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "render/plot.h"

static const double plot_width_most = 640, plot_high = 165, title_gap = 5, legend_gap = 6, swatch = 8, label_gap = 4,
                    after = 14, bar_most = 42;
static const uint32_t black = 0x1a1a1a, grey = 0x505050, line_color = 0xdcdcdc, axis_color = 0x707070;
static const InkStyle title_style = { .size = 10, .bold = true, .lines = 2 }, legend_style = { .size = 8 },
                      tick_style = { .size = 7.5 }, label_style = { .size = 7.5, .align = INK_CENTER },
                      wrapped_style = { .size = 7.5, .align = INK_CENTER, .lines = 2 };

enum { TICKS = 6, WRAPPED_MOST = 16, MARKS_MOST = 120 };

/* Where the inside of the axes lies, and what it shows. */
typedef struct Plot {
        Paper *paper;
        const Section *section;
        const ChartData *data;
        ChartInk inks[HEADER_SERIES_MAX];
        ChartAxis axis;
        double x, y, width, height;
        double slot;                         /* of one x value */
} Plot;

static double text_width(Paper *p, const InkStyle *style, const char *text) {
        PangoLayout *layout = ink_layout(p->ink, style, -1, text, strlen(text));
        double w = ink_width(layout);
        g_object_unref(layout);
        return w;
}

static double value_of(const Plot *l, size_t i, size_t series) {
        return l->data->values[i * l->data->n_series + series];
}

static double y_of(const Plot *l, double value) {
        return l->y + l->height * (l->axis.high - value) / (l->axis.high - l->axis.low);
}

static double x_of(const Plot *l, size_t i) {
        return l->x + l->slot * ((double) i + 0.5);
}

/* ---- ink ---- */

static void hatch(cairo_t *cr, unsigned kind, const double box[4]) {
        static const double gap = 3.5;

        cairo_save(cr);
        cairo_rectangle(cr, box[0], box[1], box[2], box[3]);
        cairo_clip(cr);
        cairo_set_source_rgb(cr, 1, 1, 1);
        cairo_set_line_width(cr, 1);
        double step = gap / (1 + (kind - 1) / 2 * 0.5);
        for (double d = -box[3]; d < box[2] + step; d += step) {
                bool rising = kind % 2 == 1;
                cairo_move_to(cr, box[0] + d, rising ? box[1] + box[3] : box[1]);
                cairo_line_to(cr, box[0] + d + box[3], rising ? box[1] : box[1] + box[3]);
        }
        cairo_stroke(cr);
        cairo_restore(cr);
}

static void box_fill(Paper *p, const ChartInk *ink, const double box[4]) {
        paper_color(p, ink->rgb);
        cairo_rectangle(p->cr, box[0], box[1], box[2], box[3]);
        cairo_fill(p->cr);
        if (ink->hatch > 0)
                hatch(p->cr, ink->hatch, box);
}

/* A shape for every series: lines are told apart without their colours too. */
static void mark_draw(Paper *p, size_t series, double x, double y, double r) {
        static const int corners[] = { 0, 4, 3, 4, 3, 6 };
        static const double turned[] = { 0, M_PI / 4, -M_PI / 2, 0, M_PI / 2, 0 };
        size_t shape = series % ELEMENTSOF(corners);
        int n = corners[shape];

        cairo_new_path(p->cr);
        if (n == 0)
                cairo_arc(p->cr, x, y, r, 0, 2 * M_PI);
        for (int i = 0; i < n; i++)
                cairo_line_to(p->cr, x + 1.25 * r * cos(turned[shape] + 2 * M_PI * i / n),
                              y + 1.25 * r * sin(turned[shape] + 2 * M_PI * i / n));
        cairo_close_path(p->cr);
        cairo_fill(p->cr);
}

/* ---- legend ---- */

/* Draws it, if there is something to draw on, and returns how high it is. */
static double legend(Paper *p, const Section *s, double y, double width) {
        const HeaderChart *c = &s->header.chart;
        double x = 0, height = ink_line_height(p->ink, &legend_style);
        ChartInk inks[HEADER_SERIES_MAX];
        double begin = y;

        chart_inks(&s->header, inks);
        for (size_t i = 0; i < c->n_series; i++) {
                const char *name = s->header.columns[c->series[i]].label;
                double w = MIN(text_width(p, &legend_style, name), width - swatch - label_gap);
                if (x > 0 && x + swatch + label_gap + w > width) {
                        x = 0;
                        y += height + 2;
                }
                if (p->cr) {
                        InkStyle one = legend_style;
                        double at = PAPER_SIDE + x, middle = y + height / 2;
                        one.lines = 1;
                        if (c->kind == CHART_LINES) {
                                paper_color(p, inks[i].rgb);
                                mark_draw(p, i, at + swatch / 2, middle, 3);
                        } else
                                box_fill(p, &inks[i], (double[]){ at, middle - swatch / 2, swatch, swatch });
                        paper_color(p, black);
                        ink_show_text(p->ink, p->cr, &one, (double[]){ at + swatch + label_gap, y, w + 1 }, name);
                }
                x += swatch + label_gap + w + 14;
        }
        return y + height - begin;
}

/* ---- axes ---- */

static void axis_y_draw(Plot *l) {
        Paper *p = l->paper;
        bool bytes = chart_of_bytes(&l->section->header);
        double half = ink_line_height(p->ink, &tick_style) / 2;
        int n = (int) lround((l->axis.high - l->axis.low) / l->axis.step);
        InkStyle end = tick_style;

        end.align = INK_END;
        cairo_set_line_width(p->cr, 0.5);
        for (int i = 0; i <= n; i++) {
                double v = l->axis.low + i * l->axis.step, y = y_of(l, v);
                Buffer text = {};
                chart_tick(&text, &l->axis, v, bytes, p->words->point);
                paper_color(p, grey);
                ink_show_text(p->ink, p->cr, &end, (double[]){ PAPER_SIDE, y - half, l->x - PAPER_SIDE - label_gap },
                              buffer_string(&text));
                buffer_done(&text);
                paper_color(p, v == 0 ? axis_color : line_color);
                cairo_move_to(p->cr, l->x, y);
                cairo_line_to(p->cr, l->x + l->width, y);
                cairo_stroke(p->cr);
        }
}

static double axis_y_width(const Plot *l) {
        bool bytes = chart_of_bytes(&l->section->header);
        int n = (int) lround((l->axis.high - l->axis.low) / l->axis.step);
        double widest = 0;

        for (int i = 0; i <= n; i++) {
                Buffer text = {};
                chart_tick(&text, &l->axis, l->axis.low + i * l->axis.step, bytes, l->paper->words->point);
                widest = MAX(widest, text_width(l->paper, &tick_style, buffer_string(&text)));
                buffer_done(&text);
        }
        return widest + label_gap + 2;
}

/* Every label where there is room, wrapped if they are few; else as many as do not touch. */
static void axis_x_draw(Plot *l) {
        const HeaderChart *c = &l->section->header.chart;
        CellType type = l->section->header.columns[c->x].type;
        const ChartData *d = l->data;
        double widest = 0, y = l->y + l->height + 3;

        for (size_t i = 0; i < d->n; i++)
                widest = MAX(widest, text_width(l->paper, &label_style, d->labels[i]));
        bool words = type != CELL_DATE && type != CELL_TIME && type != CELL_INT && d->n <= WRAPPED_MOST;
        bool all = widest + label_gap <= l->slot;
        size_t every = all || words ? 1 : (size_t) ceil((widest + 2 * label_gap) / l->slot);
        for (size_t i = 0; i < d->n; i += every) {
                double w = all || words ? l->slot - label_gap : widest + 1;
                double x = x_of(l, i) - w / 2, right = PAPER_SIDE + MIN(paper_body_width(l->paper), plot_width_most);
                /* The last one may lie half outside, where no page is. */
                x = MIN(x, right - w);
                paper_color(l->paper, grey);
                ink_show_text(l->paper->ink, l->paper->cr, words ? &wrapped_style : &label_style,
                              (double[]){ x, y, w }, d->labels[i]);
                if (!all && !words) {
                        paper_color(l->paper, axis_color);
                        cairo_move_to(l->paper->cr, x_of(l, i), l->y + l->height);
                        cairo_line_to(l->paper->cr, x_of(l, i), l->y + l->height + 2.5);
                        cairo_stroke(l->paper->cr);
                }
        }
}

/* ---- the three kinds ---- */

static void stacks_draw(Plot *l) {
        double width = MIN(l->slot * (l->slot > 4 ? 0.72 : 1), bar_most);

        for (size_t i = 0; i < l->data->n; i++) {
                double above = 0, below = 0;
                for (size_t k = 0; k < l->data->n_series; k++) {
                        double v = value_of(l, i, k);
                        if (isnan(v) || v == 0)
                                continue;
                        double *sum = v > 0 ? &above : &below, from = *sum;
                        *sum += v;
                        double top = y_of(l, MAX(from, *sum)), bottom = y_of(l, MIN(from, *sum));
                        box_fill(l->paper, &l->inks[k], (double[]){ x_of(l, i) - width / 2, top, width, bottom - top });
                }
        }
}

static void bars_draw(Plot *l) {
        size_t n = l->data->n_series;
        double group = MIN(l->slot * (l->slot > 4 ? 0.72 : 1), bar_most * (double) n), width = group / (double) n;

        for (size_t i = 0; i < l->data->n; i++)
                for (size_t k = 0; k < n; k++) {
                        double v = value_of(l, i, k);
                        if (isnan(v) || v == 0)
                                continue;
                        double top = y_of(l, MAX(v, 0)), bottom = y_of(l, MIN(v, 0));
                        box_fill(l->paper, &l->inks[k],
                                 (double[]){ x_of(l, i) - group / 2 + width * (double) k, top, width, bottom - top });
                }
}

/* A gap where there is no value. What stands alone between gaps is seen by its mark, however many points there are. */
static void lines_draw(Plot *l) {
        cairo_t *cr = l->paper->cr;
        size_t n = l->data->n;

        for (size_t k = 0; k < l->data->n_series; k++) {
                paper_color(l->paper, l->inks[k].rgb);
                cairo_set_line_width(cr, 1.4);
                cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
                if (l->inks[k].hatch > 0)
                        cairo_set_dash(cr, (double[]){ 4, 2.0 * l->inks[k].hatch }, 2, 0);
                bool drawing = false;
                for (size_t i = 0; i < n; i++) {
                        double v = value_of(l, i, k);
                        if (!isnan(v) && drawing)
                                cairo_line_to(cr, x_of(l, i), y_of(l, v));
                        else if (!isnan(v))
                                cairo_move_to(cr, x_of(l, i), y_of(l, v));
                        drawing = !isnan(v);
                }
                cairo_stroke(cr);
                cairo_set_dash(cr, NULL, 0, 0);
                for (size_t i = 0; i < n; i++) {
                        double v = value_of(l, i, k);
                        bool alone = (i == 0 || isnan(value_of(l, i - 1, k))) && (i + 1 == n || isnan(value_of(l, i + 1, k)));
                        if (!isnan(v) && (alone || n <= MARKS_MOST))
                                mark_draw(l->paper, k, x_of(l, i), y_of(l, v), n > 40 ? 1.6 : 2.6);
                }
        }
}

static void inside_draw(Plot *l) {
        static void (*const draw[])(Plot *) = { stacks_draw, lines_draw, bars_draw };
        Paper *p = l->paper;

        axis_y_draw(l);
        if (l->data->n == 0) {
                const double y = l->y + l->height / 2 - tick_style.size;
                paper_color(p, grey);
                ink_show_text(p->ink, p->cr, &label_style, (double[]){ l->x, y, l->width }, p->words->no_data);
                return;
        }
        axis_x_draw(l);
        draw[l->section->header.chart.kind](l);
        if (l->axis.low < 0 || l->section->header.chart.kind != CHART_LINES) {
                paper_color(p, axis_color);
                cairo_set_line_width(p->cr, 0.5);
                cairo_move_to(p->cr, l->x, y_of(l, 0));
                cairo_line_to(p->cr, l->x + l->width, y_of(l, 0));
                cairo_stroke(p->cr);
        }
}

/* NULL if there is none, or if the heading just above says the same. */
static const char *title_of(const Section *s) {
        const char *title = s->header.chart.title;
        return str_empty(title) || str_equal(title, s->header.heading) ? NULL : title;
}

static double title_height(Paper *p, const Section *s, double width) {
        const char *title = title_of(s);
        return !title ? 0
                : ink_text_height(p->ink, &title_style, width, title, strlen(title)) + title_gap;
}

double plot_height(Paper *p, const Section *s) {
        double width = MIN(paper_body_width(p), plot_width_most);
        cairo_t *cr = TAKE_PTR(p->cr);
        double h = title_height(p, s, width) + legend(p, s, 0, width) + legend_gap + plot_high +
                   2 * ink_line_height(p->ink, &label_style) + 3 + after;
        p->cr = cr;
        return h;
}

void plot_draw(Paper *p, const Section *s) {
        double end = p->y + plot_height(p, s), width = MIN(paper_body_width(p), plot_width_most), low, high;
        Plot l = { .paper = p, .section = s, .data = &s->chart };

        if (p->cr) {
                if (title_of(s)) {
                        paper_color(p, black);
                        ink_show_text(p->ink, p->cr, &title_style, (double[]){ PAPER_SIDE, p->y, width },
                                      title_of(s));
                }
                p->y += title_height(p, s, width);
                p->y += legend(p, s, p->y, width) + legend_gap;
                chart_inks(&s->header, l.inks);
                chart_range(l.data, s->header.chart.kind, &low, &high);
                l.axis = chart_axis(low, high, TICKS);
                l.x = PAPER_SIDE + axis_y_width(&l);
                l.y = p->y + 4;
                l.width = PAPER_SIDE + width - l.x - 4;
                l.height = plot_high - 4;
                l.slot = l.width / (double) MAX(l.data->n, (size_t) 1);
                inside_draw(&l);
        }
        p->y = end;
}

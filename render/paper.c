/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <cairo-pdf.h>

#include "common/time.h"
#include "render/paper.h"

static const double rule_width = 0.5, number_width = 90, foot_gap = 18;
static const uint32_t grey = 0x606060, light = 0xb0b0b0;

void paper_color(Paper *p, uint32_t rgb) {
        cairo_set_source_rgb(p->cr, (rgb >> 16 & 0xff) / 255.0, (rgb >> 8 & 0xff) / 255.0, (rgb & 0xff) / 255.0);
}

void paper_rule(Paper *p, double y, double width, uint32_t rgb) {
        if (!p->cr)
                return;
        paper_color(p, rgb);
        cairo_set_line_width(p->cr, rule_width);
        cairo_move_to(p->cr, PAPER_SIDE, y);
        cairo_line_to(p->cr, PAPER_SIDE + width, y);
        cairo_stroke(p->cr);
}

double paper_body_width(const Paper *p) {
        return (p->landscape ? PAPER_LONG : PAPER_SHORT) - 2 * PAPER_SIDE;
}

double paper_body_height(const Paper *p) {
        return (p->landscape ? PAPER_SHORT : PAPER_LONG) - PAPER_TOP - PAPER_BOTTOM;
}

bool paper_fits(const Paper *p, double height) {
        return p->page > 0 && p->y + height <= p->height - PAPER_BOTTOM;
}

/* Title and date at the left, "3 / 12" at the right. */
static void foot_draw(Paper *p) {
        static const InkStyle left = { .size = 8, .lines = 1 }, right = { .size = 8, .align = INK_END };
        double y = p->height - PAPER_BOTTOM + foot_gap, width = p->width - 2 * PAPER_SIDE;
        Buffer text = {};
        char date[TIME_TEXT_SIZE];

        if (!p->cr)
                return;
        paper_rule(p, y - 5, width, light);
        paper_color(p, grey);
        /* The date before a title that may be longer than the line. */
        if (p->first->document.date != USEC_NONE)
                buffer_printf(&text, "%s · ", date_text(p->first->document.date, date));
        buffer_add_string(&text, header_title(p->first));
        ink_show_text(p->ink, p->cr, &left, (double[]){ PAPER_SIDE, y, width - number_width }, buffer_string(&text));
        buffer_clear(&text);
        buffer_printf(&text, "%u / %u", p->page, p->pages);
        ink_show_text(p->ink, p->cr, &right,
                      (double[]){ PAPER_SIDE + width - number_width, y, number_width }, buffer_string(&text));
        buffer_done(&text);
}

void paper_end(Paper *p) {
        if (p->page == 0)
                return;
        foot_draw(p);
        if (p->cr)
                cairo_show_page(p->cr);
}

void paper_page(Paper *p) {
        paper_end(p);
        p->page++;
        p->width = p->landscape ? PAPER_LONG : PAPER_SHORT;
        p->height = p->landscape ? PAPER_SHORT : PAPER_LONG;
        p->y = PAPER_TOP;
        if (p->surface)
                cairo_pdf_surface_set_size(p->surface, p->width, p->height);
}

void paper_text(Paper *p, const InkStyle *style, uint32_t rgb, const char *text) {
        PangoLayout *layout = ink_layout(p->ink, style, paper_body_width(p), text, strlen(text));
        if (p->cr) {
                paper_color(p, rgb);
                ink_show(p->ink, p->cr, layout, PAPER_SIDE, p->y);
        }
        p->y += ink_height(layout);
        g_object_unref(layout);
}

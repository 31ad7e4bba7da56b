/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <cairo.h>
#include <stdlib.h>

#include "common/memory.h"
#include "common/time.h"
#include "render/paper.h"
#include "render/picture.h"

static const double logo_height = 44, logo_width = 180;
static const uint32_t black = 0x1a1a1a, grey = 0x606060, light = 0xb0b0b0;

struct Logo {
        cairo_surface_t *surface;
        uint32_t *pixels;
        double width, height;
};

void logo_free(Logo *l) {
        if (!l)
                return;
        cairo_surface_destroy(l->surface);
        free(l->pixels);
        free(l);
}

/* A photograph stays one: its own compression is many times smaller. What goes into the document is written anew. */
static void jpeg_attach(Logo *l, const Picture *p) {
        Buffer jpeg = {};

        if (p->type == PICTURE_JPEG && jpeg_encode(p, &jpeg) == 0 &&
            cairo_surface_set_mime_data(l->surface, CAIRO_MIME_TYPE_JPEG, (unsigned char *) jpeg.data, jpeg.size, free,
                                        jpeg.data) == CAIRO_STATUS_SUCCESS)
                return;
        buffer_done(&jpeg);
}

int logo_read(const HeaderPicture *picture, const char *field, Logo **ret, Problem *problem) {
        Picture p = {};

        *ret = NULL;
        if (!picture->data)
                return 0;
        int r = picture_decode(picture->data, picture->size, &p, problem);
        if (r > 0)
                snprintf(problem->field, sizeof(problem->field), "%s", field);
        if (r == 0) {
                Logo *l = memory_new(sizeof(Logo));
                l->width = p.width;
                l->height = p.height;
                l->pixels = memory_new((size_t) p.width * p.height * sizeof(uint32_t));
                for (size_t i = 0; i < (size_t) p.width * p.height; i++)
                        l->pixels[i] = picture_argb(&p, i);
                l->surface = cairo_image_surface_create_for_data((unsigned char *) l->pixels, CAIRO_FORMAT_ARGB32,
                                                                 (int) p.width, (int) p.height, (int) p.width * 4);
                jpeg_attach(l, &p);
                *ret = l;
        }
        picture_done(&p);
        return r;
}

/* As large as it may be, but never blown up; right: its right edge is at x. */
static void logo_draw(Paper *p, const Logo *l, double x, bool right) {
        double scale = MIN(MIN(logo_height / l->height, logo_width / l->width), 1);

        if (!p->cr)
                return;
        cairo_save(p->cr);
        cairo_translate(p->cr, right ? x - l->width * scale : x, p->y + (logo_height - l->height * scale) / 2);
        cairo_scale(p->cr, scale, scale);
        cairo_set_source_surface(p->cr, l->surface, 0, 0);
        cairo_paint(p->cr);
        cairo_restore(p->cr);
}

void paper_title(Paper *p, const Logo *logo, const Logo *symbol) {
        static const InkStyle title = { .size = 20, .bold = true, .lines = 4 }, customer = { .size = 13, .lines = 3 },
                              small = { .size = 9.5, .lines = 2 };
        const HeaderDocument *d = &p->first->document;
        char date[TIME_TEXT_SIZE];
        Buffer line = {};

        if (logo)
                logo_draw(p, logo, PAPER_SIDE, false);
        if (symbol)
                logo_draw(p, symbol, p->width - PAPER_SIDE, true);
        if (logo || symbol)
                p->y += logo_height + 14;
        paper_text(p, &title, black, header_title(p->first));
        if (d->customer)
                paper_text(p, &customer, black, d->customer);
        if (d->partner)
                buffer_add_string(&line, d->partner);
        if (d->date != USEC_NONE)
                buffer_printf(&line, "%s%s %s", line.size > 0 ? " · " : "", p->words->data_of, date_text(d->date, date));
        if (line.size > 0)
                paper_text(p, &small, grey, buffer_string(&line));
        buffer_done(&line);
        p->y += 7;
        paper_rule(p, p->y, paper_body_width(p), light);
        p->y += 14;
}

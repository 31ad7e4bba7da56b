/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Pages of A4, one after the other, with their feet. The number of all pages is in every foot, so a document is made
 * twice: once without drawing, to count. Lengths are points. */

#include <cairo.h>

#include "common/problem.h"
#include "render/ink.h"
#include "render/words.h"

#define PAPER_SHORT 595.276
#define PAPER_LONG 841.89
#define PAPER_SIDE 40.0                      /* margins */
#define PAPER_TOP 42.0
#define PAPER_BOTTOM 56.0

typedef struct Paper {
        Ink *ink;
        const Words *words;
        const Header *first;
        cairo_surface_t *surface;            /* NULL: counting */
        cairo_t *cr;                         /* NULL: counting */
        double width, height;                /* of the page */
        double y;                            /* the next free line */
        unsigned page, pages;                /* this one; all of them (0 while counting) */
        bool landscape;                      /* of the page to come */
} Paper;

void paper_page(Paper *p);                                       /* ends the page, if there is one, and begins the next */
void paper_end(Paper *p);                                        /* the last page */
bool paper_fits(const Paper *p, double height);
double paper_body_width(const Paper *p);
double paper_body_height(const Paper *p);                        /* of an empty page */
void paper_color(Paper *p, uint32_t rgb);
void paper_rule(Paper *p, double y, double width, uint32_t rgb);
void paper_text(Paper *p, const InkStyle *style, uint32_t rgb, const char *text);    /* over the whole width; moves y */

/* What stands at the beginning: pictures, title, for whom and of when. Pictures that cannot be read are refused. */
typedef struct Logo Logo;
int logo_read(const HeaderPicture *picture, const char *field, Logo **ret, Problem *problem);    /* NULL if there is none */
void logo_free(Logo *l);
DEFINE_CLEANUP(Logo, logo_free)
void paper_title(Paper *p, const Logo *logo, const Logo *symbol);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Text on paper: any script, in the fonts that are there. Lengths are points (1/72 inch). Measuring and drawing give
 * the same lines, with or without a page to draw on. */

#include <pango/pangocairo.h>

#include "common/buffer.h"
#include "render/notes.h"

typedef enum InkAlign { INK_START, INK_CENTER, INK_END } InkAlign;

typedef struct InkStyle {
        double size;
        bool bold;
        InkAlign align;
        int lines;                           /* at most; the rest becomes '…'. 0: as many as it takes */
} InkStyle;

typedef struct Ink Ink;

Ink *ink_new(void) _warn_unused_;            /* before the sandbox: fonts are looked for */
void ink_free(Ink *ink);
DEFINE_CLEANUP(Ink, ink_free)

void ink_set_language(Ink *ink, const char *tag);                /* which forms of Han letters, for one */

/* What libraries would choke on: NULs and the characters that are none (U+FFFE …) become boxes, told to notes (which may
 * be NULL). Appended. */
void ink_clean(const char *text, size_t n, Buffer *ret, Notes *notes);

/* Valid text, cleaned as above; width < 0: one line of any width. Unreference it with
 * g_object_unref(). */
PangoLayout *ink_layout(Ink *ink, const InkStyle *style, double width, const char *text, size_t n) _warn_unused_;
double ink_width(PangoLayout *layout);
double ink_height(PangoLayout *layout);
double ink_text_height(Ink *ink, const InkStyle *style, double width, const char *text, size_t n);
double ink_line_height(Ink *ink, const InkStyle *style);

/* Fast and near enough to plan with: the widest line, and the widest word, of text in size 1. */
void ink_estimate(const Ink *ink, bool bold, const char *text, size_t n, double *ret_line, double *ret_word);

/* Characters that no font has go to notes. */
void ink_show(Ink *ink, cairo_t *cr, PangoLayout *layout, double x, double y);
/* Lines from *line on, as many as fit into height; *line is moved behind them. cr NULL: only moves. Returns the height
 * they take. At least one is shown if force is set. */
double ink_show_lines(Ink *ink, cairo_t *cr, PangoLayout *layout, int *line, const double place[3], bool force);
void ink_show_text(Ink *ink, cairo_t *cr, const InkStyle *style, const double place[3], const char *text);

const Notes *ink_notes(const Ink *ink);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A section's chart on paper. */

#include "render/table.h"

double plot_height(Paper *p, const Section *s);
void plot_draw(Paper *p, const Section *s);                      /* moves y */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The fonts of this machine, for a program that can open no file.
 *
 * Which fonts a document needs is known only when its text is read, and by then the sandbox stands. Letting it open
 * files for reading would be simple, but a document goes to others: who takes the helper over with a hostile logo must
 * not be able to put the daemon's keys or another customer's rows into it. So every font file that fontconfig knows
 * is opened before, and this program brings its own open() and open64(), which the dynamic linker prefers to libc's:
 * FreeType and HarfBuzz, which open fonts by name, get a copy of the descriptor that is there. Nothing else opens. */

#include "common/problem.h"

/* Before the sandbox. Refusals: no-fonts. */
int fonts_open(Problem *problem);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A bar on stderr, where a line can be redrawn; elsewhere nothing. */

#include "common/macro.h"

void progress_show(const char *what, uint64_t done, uint64_t total);
void progress_clear(void);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one source of random bytes: getrandom(2). A test may set a seed and gets the same bytes every time. */

#include "common/macro.h"

void random_bytes(void *ret, size_t n);
uint64_t random_below(uint64_t limit);                           /* 0..limit-1; limit > 0 */
void random_seed_for_tests(uint64_t seed);                       /* from here on not random at all */

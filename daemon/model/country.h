/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* ISO 3166-1 alpha-2 codes, and XK. UK and EL are refused with the hint GB, GR. */

#include "common/problem.h"

int country_check(Arena *a, const char *field, const char **text, Problem *ret);   /* any case; *text becomes upper case */

/* The code of an English name, short, official or usual, in any case, with or without marks and points; NULL if unknown
 * (codes are no names). For imports. */
const char *country_from_name(const char *name);

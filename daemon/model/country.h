/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* ISO 3166-1 alpha-2 codes, and XK. UK and EL are refused with the hint GB, GR. */

#include "common/problem.h"

int country_check(Arena *a, const char *field, const char **text, Problem *ret);   /* any case; *text becomes upper case */
const char *country_from_name(const char *name);                 /* English name, any case; NULL if unknown. For imports */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* ISO 4217 codes of what is paid with: no metals, units of account or test codes. */

#include "common/problem.h"

int currency_check(Arena *a, const char *field, const char **text, Problem *ret);   /* any case; *text becomes upper case */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lists of strings as they are stored: JSON arrays, in the arena. */

#include "common/memory.h"

const char **json_list_read(Arena *a, const char *json, size_t *ret_n);      /* what is no string is "" */
const char *json_list(Arena *a, const char *const *items, size_t n);

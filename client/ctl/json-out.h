/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* JSON as it came from the daemon, written again for people or programs without building a tree: the same value, with
 * blanks as the mode wants them, and with what could disturb a terminal as \u escapes. */

#include <stdio.h>

#include "client/ctl/command.h"

void json_out(FILE *f, const char *json, size_t n, JsonMode mode);
/* The pieces of an array: begin, an element at a time, end. */
typedef struct JsonArray {
        FILE *f;
        JsonMode mode;
        bool some;
} JsonArray;
void json_array_begin(JsonArray *a);
void json_array_add(JsonArray *a, const char *json, size_t n);
void json_array_end(JsonArray *a);

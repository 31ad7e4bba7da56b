/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A JSON value as text in one line: nothing in it can disturb a terminal. */

#include <jansson.h>

#include "common/buffer.h"

/* key says what the value is, since times, contacts and the like have their own look. */
void cell_put(Buffer *b, const char *key, const json_t *value);
/* What the daemon says in words, with the times in it as they are shown elsewhere. */
void cell_put_sentence(Buffer *b, const char *s);
bool cell_is_time(const char *key);
/* The SGR parameters that the word has on a terminal ("31"), or NULL. */
const char *cell_color(const char *key, const json_t *value);
/* 12000 as 12,000 */
void cell_put_number(Buffer *b, int64_t n);

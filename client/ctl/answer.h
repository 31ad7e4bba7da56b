/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a changing call answered, printed: an object's id and revision, an operation, or a dry run. */

#include <jansson.h>
#include <stdio.h>

#include "client/ctl/command.h"

/* Parses an answer; NULL after it was said that this is no JSON object. */
json_t *answer_parse(const char *json);
bool answer_is_operation(const json_t *answer);
/* An operation that another user has to approve before anything of it is done. */
bool answer_is_pending(const json_t *answer);
void answer_print_pending(const json_t *answer);       /* what waits, for whom, and how it goes on */
void answer_warn(const json_t *answer);      /* its "warnings" go to stderr */
/* Prints and returns the exit code that the answer itself asks for. */
int answer_print(Command *c, const char *json, const json_t *parsed);
/* The table of an operation's or dry run's items; only_bad leaves the ok ones out. */
int answer_print_items(Command *c, const json_t *answer, bool only_bad, FILE *f);

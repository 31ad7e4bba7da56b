/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the programs here tell whoever started them: one line of JSON on standard output, and the exit status. */

#include "common/buffer.h"
#include "common/problem.h"

enum { DOCUMENT_FD = 3 };

/* The line is taken. All return the exit status. */
int answer(Buffer *line, int exit_code);
int answer_error(const char *code, const char *text);
int answer_failure(int r, const Problem *problem);               /* r < 0: a fault, r > 0: the problem */

int document_prepare(void);                                      /* an earlier attempt may have left something in it */

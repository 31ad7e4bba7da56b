/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Two kinds of failure, and never a third:
 *   r < 0   a fault (-errno): forwarded as it is, logged once at the edge, shown to callers as Failed.
 *   r > 0   a refusal (always 1): a documented answer of this very function; *ret says which.
 *   r == 0  done.
 * A function that can refuse takes a Problem * as its last argument; it must not be NULL. */

#include "common/macro.h"
#include "common/memory.h"

typedef enum ProblemKind {
        PROBLEM_NONE,
        PROBLEM_INVALID_ARGUMENT,
        PROBLEM_AMBIGUOUS,
        PROBLEM_NOT_FOUND,
        PROBLEM_NOT_AUTHORIZED,
        PROBLEM_EXISTS,
        PROBLEM_CONFLICT,
        PROBLEM_REFUSED,
        PROBLEM_LIMIT_EXCEEDED,
        PROBLEM_BUSY,
        PROBLEM_READ_ONLY,
        PROBLEM_UNAVAILABLE,
        PROBLEM_FAILED,
        _PROBLEM_KIND_MAX,
} ProblemKind;

enum { PROBLEM_TEXT_MAX = 600, PROBLEM_CANDIDATES_MAX = 10 };

typedef struct Problem {
        ProblemKind kind;
        char code[48];                               /* the refusal's or the broken rule's name: seats-insufficient */
        char field[96];                              /* wire name of the field, "" if none */
        char text[PROBLEM_TEXT_MAX];                 /* one sentence with cause and next step, valid UTF-8 */
        char candidates[PROBLEM_CANDIDATES_MAX][96]; /* names a caller may have meant */
        size_t n_candidates;
} Problem;

/* Fills *ret and returns 1, so that "return problem_set(ret, …)" is a whole refusal. field may be NULL. Text too
 * long is cut at a character. Control characters in the text are shown as \\xNN. */
int problem_set(Problem *ret, ProblemKind kind, const char *code, const char *field, const char *format, ...)
        _printf_(5, 6);
void problem_add_candidate(Problem *p, const char *name);        /* more than the maximum are dropped */

/* "InvalidArgument" …; NULL for PROBLEM_NONE. The D-Bus error is org.tenantd.Tenant1.Error.NAME. */
const char *problem_kind_name(ProblemKind kind);
ProblemKind problem_kind_from_name(const char *name);            /* PROBLEM_NONE if unknown */

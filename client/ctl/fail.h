/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How tenantctl ends, and what it says on stderr then. With --json an error is one JSON object. */

#include "common/problem.h"

enum {
        EXIT_OK = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
        EXIT_NOT_FOUND = 3,
        EXIT_NOT_AUTHORIZED = 4,
        EXIT_REFUSED = 5,
        EXIT_UNREACHABLE = 6,
        EXIT_ITEMS = 7,
        EXIT_INTERRUPTED = 130,
};

void fail_as_json(bool json);

/* Says it and returns exit. code is the machine's word, field may be NULL, the text a sentence without full stop. */
int fail(int exit, const char *code, const char *field, const char *format, ...) _printf_(4, 5);
int fail_problem(int exit, const Problem *problem);
/* A usage error with the nearest of some names (NULL-terminated, may be NULL). */
int fail_usage(const char *word, const char *const *names, const char *format, ...) _printf_(3, 4);
void warn(const char *format, ...) _printf_(1, 2);
/* A line on stderr that is no complaint: progress in words. Never with --json. */
void note(const char *format, ...) _printf_(1, 2);

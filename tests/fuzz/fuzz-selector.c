/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A selector of any bytes against every dataset, up to the SQL text, which must be made of our own words alone.
 * clang -fsanitize=fuzzer,address … without replay.c: a fuzzer. Built by make check: replays its corpus. */
#include <stdio.h>
#include <stdlib.h>

#include "common/files.h"
#include "common/text.h"
#include "daemon/store/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_problem(const Problem *problem, const char *text) {
        const char *place = problem->text;
        unsigned at = 0;

        assert(problem->kind == PROBLEM_INVALID_ARGUMENT && strcmp(problem->code, "bad-selector") == 0);
        assert(utf8_valid(problem->text, strlen(problem->text)));
        if (sscanf(place, "at character %u:", &at) == 1)
                assert(at >= 1 && at <= strlen(text) + 1);
}

static void check_sql(const char *sql) {
        static const char ours[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.,?()+-*=<>'[]";

        assert(strspn(sql, ours) == strlen(sql));
        assert(!strstr(sql, "--") && !strstr(sql, "/*"));
}

static void try_dataset(const char *kind, const char *text) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const QueryRequest request = {
                .dataset = dataset_find(kind), .selector = text, .limit = 10,
        };
        Problem problem = {};
        Query *q;

        if (query_compile(a, &request, &q, &problem) == 0)
                check_sql(query_sql(q));
        else
                check_problem(&problem, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        static const char *const kinds[] = { "customers", "views", "operations", "items", "tasks", "reports", "audit" };
        char *text = memory_new(n + 1);

        if (n > 0)
                memcpy(text, data, n);
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                try_dataset(kinds[i], text);
        free(text);
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>

#include "common/problem.h"
#include "common/text.h"

static const char *const kind_names[_PROBLEM_KIND_MAX] = {
        [PROBLEM_INVALID_ARGUMENT] = "InvalidArgument",
        [PROBLEM_AMBIGUOUS] = "Ambiguous",
        [PROBLEM_NOT_FOUND] = "NotFound",
        [PROBLEM_NOT_AUTHORIZED] = "NotAuthorized",
        [PROBLEM_EXISTS] = "Exists",
        [PROBLEM_CONFLICT] = "Conflict",
        [PROBLEM_REFUSED] = "Refused",
        [PROBLEM_LIMIT_EXCEEDED] = "LimitExceeded",
        [PROBLEM_BUSY] = "Busy",
        [PROBLEM_READ_ONLY] = "ReadOnly",
        [PROBLEM_UNAVAILABLE] = "Unavailable",
        [PROBLEM_FAILED] = "Failed",
};

static void copy_shown(char *to, size_t size, const char *from) {
        Buffer shown = {};
        text_escape_controls(&shown, from, strlen(from));
        text_copy_cut(to, size, buffer_string(&shown));
        buffer_done(&shown);
}

int problem_set(Problem *ret, ProblemKind kind, const char *code, const char *field, const char *format, ...) {
        char text[2048];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);

        *ret = (Problem) { .kind = kind };
        text_copy_cut(ret->code, sizeof(ret->code), code);
        copy_shown(ret->field, sizeof(ret->field), field ? field : "");
        copy_shown(ret->text, sizeof(ret->text), text);
        return 1;
}

void problem_add_candidate(Problem *p, const char *name) {
        if (p->n_candidates < PROBLEM_CANDIDATES_MAX)
                copy_shown(p->candidates[p->n_candidates++], sizeof(p->candidates[0]), name);
}

const char *problem_kind_name(ProblemKind kind) {
        return kind_names[kind];
}

ProblemKind problem_kind_from_name(const char *name) {
        for (ProblemKind k = PROBLEM_NONE + 1; k < _PROBLEM_KIND_MAX; k++)
                if (str_equal(kind_names[k], name))
                        return k;
        return PROBLEM_NONE;
}

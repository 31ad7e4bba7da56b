/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A delivery status notification of any bytes: what is read is printable and within its limits.
 * clang -fsanitize=fuzzer,address … without replay.c: a fuzzer. Built by make check: replays its corpus. */
#include <stdio.h>
#include <stdlib.h>

#include "common/files.h"
#include "common/text.h"
#include "daemon/model/bounce.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_text(const char *s) {
        assert(s && strlen(s) <= 500 && utf8_valid(s, strlen(s)));
        for (; *s; s++)
                assert((unsigned char) *s >= ' ' && *s != 0x7f);
}

static void check_id(const char *id) {
        for (; *id; id++)
                assert(*id > ' ' && *id < 0x7f && *id != '<' && *id != '>');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        /* A copy that ends where the input does, so that a byte too far is seen. */
        char *text = malloc(n > 0 ? n : 1);
        Problem problem = {};
        Bounce bounce;

        if (n > 0)
                memcpy(text, data, n);
        if (bounce_read(a, text, n, &bounce, &problem) == 0) {
                assert(bounce.n_recipients >= 1 && bounce.n_recipients <= BOUNCE_RECIPIENTS_MAX);
                check_id(bounce.message_id);
                for (size_t i = 0; i < bounce.n_recipients; i++) {
                        const BounceRecipient *r = &bounce.recipients[i];
                        check_text(r->final);
                        check_text(r->original);
                        check_text(r->action);
                        check_text(r->status);
                        check_text(r->diagnostic);
                        assert(!bounce_is_hard(r) || strcmp(r->action, "failed") == 0);
                }
        } else
                assert(problem.kind == PROBLEM_INVALID_ARGUMENT && *problem.code);
        free(text);
        return 0;
}

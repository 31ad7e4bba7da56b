/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A delivery status notification of any bytes: what is read is printable and within its limits.
 * clang -fsanitize=fuzzer,address -DFUZZER …: a fuzzer. Built by make check: replays its corpus. */
#include <dirent.h>
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

#ifndef FUZZER
static int replay(const char *path) {
        _cleanup_(buffer_done) Buffer b = {};

        if (file_read(path, 1 << 20, &b) < 0) {
                fprintf(stderr, "%s cannot be read\n", path);
                return 1;
        }
        return LLVMFuzzerTestOneInput((const uint8_t *) b.data, b.size);
}

int main(int argc, char **argv) {
        char path[4200];
        int failed = 0, n = 0;

        for (int i = 1; i < argc; i++)
                failed |= replay(argv[i]);
        DIR *folder = argc > 1 ? NULL : opendir(FUZZ_CORPUS);
        for (struct dirent *e; folder && (e = readdir(folder));)
                if (e->d_name[0] != '.') {
                        snprintf(path, sizeof(path), "%s/%s", FUZZ_CORPUS, e->d_name);
                        failed |= replay(path);
                        n++;
                }
        if (folder)
                closedir(folder);
        return failed || (argc == 1 && n == 0);
}
#endif

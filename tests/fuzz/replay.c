/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <stdio.h>

#include "common/files.h"

/* Where there is no fuzzer: the main() that gives a target every file of its corpus (FUZZ_CORPUS), or those named. */

enum { INPUT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int replay(const char *path) {
        _cleanup_(buffer_done) Buffer b = {};

        if (file_read(path, INPUT_MAX, &b) < 0) {
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
        for (const struct dirent *e; folder && (e = readdir(folder));)
                if (e->d_name[0] != '.') {
                        snprintf(path, sizeof(path), "%s/%s", FUZZ_CORPUS, e->d_name);
                        failed |= replay(path);
                        n++;
                }
        if (folder)
                closedir(folder);
        return failed || (argc == 1 && n == 0);
}

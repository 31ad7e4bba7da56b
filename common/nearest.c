/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/macro.h"
#include "common/nearest.h"

enum { WORD_MAX = 63 };

static size_t distance(const char *a, const char *b) {
        size_t row[WORD_MAX + 1], n = strlen(b);

        for (size_t j = 0; j <= n; j++)
                row[j] = j;
        for (size_t i = 1; a[i - 1]; i++) {
                size_t diagonal = row[0];
                row[0] = i;
                for (size_t j = 1; j <= n; j++) {
                        size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
                        diagonal = row[j];
                        row[j] = MIN(MIN(row[j] + 1, row[j - 1] + 1), replaced);
                }
        }
        return row[n];
}

const char *nearest_name(const char *const *names, const char *word) {
        const char *best = NULL;
        size_t length = strlen(word), least = MAX(length / 3, (size_t) 1) + 1;

        if (length > WORD_MAX)
                return NULL;
        for (size_t i = 0; names[i]; i++) {
                if (strlen(names[i]) > WORD_MAX)
                        continue;
                size_t d = distance(word, names[i]);
                if (d < least) {
                        least = d;
                        best = names[i];
                }
        }
        return best;
}

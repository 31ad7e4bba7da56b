/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/random.h"

static uint64_t test_state;
static bool test_seeded;

/* getrandom() costs a system call of a microsecond; ids are made by the thousand, so bytes are fetched in lots. */
static __thread uint8_t lot[256];
static __thread size_t lot_left;

static void fetch(uint8_t *p, size_t n) {
        while (n > 0) {
                ssize_t k = getrandom(p, n, 0);
                if (k < 0) {
                        if (errno == EINTR)
                                continue;
                        abort();
                }
                p += k;
                n -= (size_t) k;
        }
}

void random_bytes(void *ret, size_t n) {
        uint8_t *p = ret;

        if (test_seeded) {
                for (size_t i = 0; i < n; i++) {
                        test_state = test_state * 6364136223846793005u + 1442695040888963407u;
                        p[i] = (uint8_t) (test_state >> 56);
                }
                return;
        }
        if (n > sizeof(lot)) {
                fetch(p, n);
                return;
        }
        if (lot_left < n) {
                fetch(lot, sizeof(lot));
                lot_left = sizeof(lot);
        }
        memcpy(p, lot + sizeof(lot) - lot_left, n);
        memset(lot + sizeof(lot) - lot_left, 0, n);
        lot_left -= n;
}

uint64_t random_below(uint64_t limit) {
        uint64_t v, top = UINT64_MAX - UINT64_MAX % limit;
        do
                random_bytes(&v, sizeof(v));
        while (v >= top);
        return v % limit;
}

void random_seed_for_tests(uint64_t seed) {
        test_state = seed;
        test_seeded = true;
}

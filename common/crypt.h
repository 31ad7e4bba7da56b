/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* SHA-256 over libcrypto. One Sha256 belongs to one thread. */

#include "common/macro.h"

enum { SHA256_SIZE = 32 };

typedef struct Sha256 Sha256;

Sha256 *sha256_new(void);                                        /* ready for the first byte */
void sha256_free(Sha256 *s);
static inline void sha256_freep(Sha256 **s) {
        sha256_free(*s);
}
void sha256_add(Sha256 *s, const void *data, size_t n);
void sha256_end(Sha256 *s, uint8_t ret[SHA256_SIZE]);            /* and ready for the next first byte */

void sha256(const void *data, size_t n, uint8_t ret[SHA256_SIZE]);

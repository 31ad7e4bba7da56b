/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/crypt.h"
#include "common/memory.h"

struct Sha256 {
        EVP_MD_CTX *context;
};

/* Looked up once and kept for good: every look-up costs as much as hashing a kilobyte. */
static EVP_MD *sha256_md;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void sha256_find(void) {
        sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
}

/* Only a broken installation of libcrypto has no SHA-256. */
static void must(int ok) {
        if (ok != 1)
                abort();
}

Sha256 *sha256_new(void) {
        Sha256 *s = memory_new(sizeof(*s));

        pthread_once(&sha256_once, sha256_find);
        s->context = EVP_MD_CTX_new();
        must(sha256_md && s->context);
        must(EVP_DigestInit_ex2(s->context, sha256_md, NULL));
        return s;
}

void sha256_free(Sha256 *s) {
        if (!s)
                return;
        EVP_MD_CTX_free(s->context);
        free(s);
}

void sha256_add(Sha256 *s, const void *data, size_t n) {
        must(EVP_DigestUpdate(s->context, data, n));
}

void sha256_end(Sha256 *s, uint8_t ret[SHA256_SIZE]) {
        must(EVP_DigestFinal_ex(s->context, ret, NULL));
        must(EVP_DigestInit_ex2(s->context, sha256_md, NULL));
}

void sha256(const void *data, size_t n, uint8_t ret[SHA256_SIZE]) {
        _cleanup_(sha256_freep) Sha256 *s = sha256_new();
        sha256_add(s, data, n);
        sha256_end(s, ret);
}

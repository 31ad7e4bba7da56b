/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "common/memory.h"
#include "common/random.h"
#include "common/seal.h"

enum { MARK = 4, NONCE = 12, TAG = 16 };

/* Only a broken installation of libcrypto lacks these algorithms. */
static void must(int ok) {
        if (ok != 1)
                abort();
}

static void hmac(const uint8_t key[KEY_SIZE], const void *data, size_t n, uint8_t ret[KEYED_HASH_SIZE]) {
        unsigned size = 0;
        must(HMAC(EVP_sha256(), key, KEY_SIZE, data, n, ret, &size) != NULL);
}

void key_derive(const uint8_t master[KEY_SIZE], Key *ret) {
        uint8_t mark[KEYED_HASH_SIZE];

        hmac(master, "tenantd seal 1", 14, ret->seal);
        hmac(master, "tenantd hash 1", 14, ret->hash);
        hmac(master, "tenantd mark 1", 14, mark);
        memcpy(ret->mark, mark, MARK);
}

void key_done(Key *k) {
        memory_wipe(k, sizeof(*k));
}

void key_copy(Key *to, const Key *from) {
        const volatile uint8_t *in = (const volatile uint8_t *) from;
        volatile uint8_t *out = (volatile uint8_t *) to;

        for (size_t i = 0; i < sizeof(*to); i++)
                out[i] = in[i];
}

void seal(const Key *k, const char *context, const void *plain, size_t n, Buffer *ret) {
        uint8_t nonce[NONCE], tag[TAG];
        int size = 0;

        random_bytes(nonce, sizeof(nonce));
        buffer_add(ret, (const char *) k->mark, MARK);
        buffer_add(ret, (const char *) nonce, NONCE);
        uint8_t *out = memory_new(n + 1);
        EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
        must(EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, k->seal, nonce));
        must(EVP_EncryptUpdate(c, NULL, &size, (const uint8_t *) context, (int) strlen(context)));
        must(EVP_EncryptUpdate(c, out, &size, plain, (int) n));
        must(EVP_EncryptFinal_ex(c, out + size, &size));
        must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, tag));
        EVP_CIPHER_CTX_free(c);
        buffer_add(ret, (const char *) out, n);
        buffer_add(ret, (const char *) tag, TAG);
        free(out);
}

int seal_open(const Key *k, const char *context, const void *sealed, size_t n, Buffer *ret) {
        const uint8_t *in = sealed;
        uint8_t tag[TAG];
        int size = 0;

        if (n < MARK + NONCE + TAG || n > INT32_MAX)
                return -EBADMSG;
        if (memcmp(in, k->mark, MARK) != 0)
                return -ENOKEY;
        size_t body = n - MARK - NONCE - TAG;
        memcpy(tag, in + n - TAG, TAG);
        uint8_t *out = (uint8_t *) buffer_reserve(ret, body);
        EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
        must(EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, k->seal, in + MARK));
        must(EVP_DecryptUpdate(c, NULL, &size, (const uint8_t *) context, (int) strlen(context)));
        must(EVP_DecryptUpdate(c, out, &size, in + MARK + NONCE, (int) body));
        must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, tag));
        int ok = EVP_DecryptFinal_ex(c, out + size, &size);
        EVP_CIPHER_CTX_free(c);
        if (ok == 1)
                ret->size += body;
        else
                memory_wipe(out, body);
        ret->data[ret->size] = 0;
        return ok == 1 ? 0 : -EBADMSG;
}

void keyed_hash(const Key *k, const char *purpose, const char *text, uint8_t ret[KEYED_HASH_SIZE]) {
        Buffer b = BUFFER_SECRET;

        buffer_add(&b, purpose, strlen(purpose) + 1);
        buffer_add_string(&b, text);
        hmac(k->hash, b.data, b.size, ret);
        buffer_done(&b);
}

bool hash_equal(const uint8_t a[KEYED_HASH_SIZE], const uint8_t b[KEYED_HASH_SIZE]) {
        return CRYPTO_memcmp(a, b, KEYED_HASH_SIZE) == 0;
}

void memory_wipe(void *p, size_t n) {
        OPENSSL_cleanse(p, n);
}

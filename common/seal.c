/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
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

/* Looked up once and kept for good: a look-up costs more than the hash of anything that is sealed in a commit. */
static EVP_MAC *hmac_mac;
static pthread_once_t hmac_once = PTHREAD_ONCE_INIT;

static void hmac_find(void) {
        hmac_mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

/* Of two parts, one after the other: no copy of them is made, secret or not. */
static void hmac(const uint8_t key[KEY_SIZE], const void *first, size_t n_first, const void *second, size_t n_second, uint8_t ret[KEYED_HASH_SIZE]) {
        static char digest[] = "SHA256";
        const OSSL_PARAM parameters[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end() };

        pthread_once(&hmac_once, hmac_find);
        EVP_MAC_CTX *c = hmac_mac ? EVP_MAC_CTX_new(hmac_mac) : NULL;
        must(c != NULL);
        must(EVP_MAC_init(c, key, KEY_SIZE, parameters));
        must(EVP_MAC_update(c, first, n_first));
        must(EVP_MAC_update(c, second, n_second));
        must(EVP_MAC_final(c, ret, NULL, KEYED_HASH_SIZE));
        EVP_MAC_CTX_free(c);
}

void key_derive(const uint8_t master[KEY_SIZE], Key *ret) {
        uint8_t mark[KEYED_HASH_SIZE];

        hmac(master, "tenantd seal 1", 14, "", 0, ret->seal);
        hmac(master, "tenantd hash 1", 14, "", 0, ret->hash);
        hmac(master, "tenantd mark 1", 14, "", 0, mark);
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
        hmac(k->hash, purpose, strlen(purpose) + 1, text, strlen(text), ret);
}

bool hash_equal(const uint8_t a[KEYED_HASH_SIZE], const uint8_t b[KEYED_HASH_SIZE]) {
        return CRYPTO_memcmp(a, b, KEYED_HASH_SIZE) == 0;
}

void memory_wipe(void *p, size_t n) {
        OPENSSL_cleanse(p, n);
}

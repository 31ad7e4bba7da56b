/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sealing (AES-256-GCM) and keyed hashes (HMAC-SHA-256) over libcrypto, and what keeps secrets short-lived. */

#include "common/buffer.h"

enum { KEY_SIZE = 32, KEYED_HASH_SIZE = 32 };

/* Two 256-bit keys derived from the one in the key file. Wiped by key_done(). */
typedef struct Key {
        uint8_t seal[KEY_SIZE], hash[KEY_SIZE];
        uint8_t mark[4];                     /* which key it is: the begin of everything sealed */
} Key;

void key_derive(const uint8_t master[KEY_SIZE], Key *ret);
void key_done(Key *k);
void key_copy(Key *to, const Key *from);     /* byte by byte: a whole copy would stay in the registers of a thread that sleeps */

/* Context: "TABLE/ROW/COLUMN", which the sealed bytes are bound to. Appends mark ‖ nonce ‖ ciphertext ‖ tag. */
void seal(const Key *k, const char *context, const void *plain, size_t n, Buffer *ret);
/* -ENOKEY: another key's. -EBADMSG: changed, cut, or sealed for another place. *ret is a BUFFER_SECRET. */
int seal_open(const Key *k, const char *context, const void *sealed, size_t n, Buffer *ret);

/* Of codes and tokens: what is stored instead of them. purpose keeps equal texts of different use apart. */
void keyed_hash(const Key *k, const char *purpose, const char *text, uint8_t ret[KEYED_HASH_SIZE]);
bool hash_equal(const uint8_t a[KEYED_HASH_SIZE], const uint8_t b[KEYED_HASH_SIZE]);     /* in constant time */

void memory_wipe(void *p, size_t n);

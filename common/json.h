/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* JSON out: written straight into a Buffer, commas by itself. (Trees are built only when reading: writing through
 * them costs 38 times as much.) Text must be valid UTF-8; a NULL text is null, a USEC_NONE time is null. */

#include "common/buffer.h"
#include "common/clock.h"
#include "common/id.h"

void json_put_object_begin(Buffer *b);
void json_put_object_end(Buffer *b);
void json_put_array_begin(Buffer *b);
void json_put_array_end(Buffer *b);
void json_put_key(Buffer *b, const char *key);                       /* key is our own: ASCII, nothing to escape */
void json_put_string(Buffer *b, const char *s);
void json_put_string_n(Buffer *b, const char *s, size_t n);
void json_put_int(Buffer *b, int64_t v);
void json_put_bool(Buffer *b, bool v);
void json_put_null(Buffer *b);
void json_put_time(Buffer *b, Usec t);                               /* RFC 3339, UTC */
void json_put_id(Buffer *b, Id id);
void json_put_raw(Buffer *b, const char *json, size_t n);            /* one whole JSON value; n 0: null */

/* The same with a key before it. */
void json_put_key_string(Buffer *b, const char *key, const char *s);
void json_put_key_int(Buffer *b, const char *key, int64_t v);
void json_put_key_bool(Buffer *b, const char *key, bool v);
void json_put_key_null(Buffer *b, const char *key);
void json_put_key_time(Buffer *b, const char *key, Usec t);
void json_put_key_id(Buffer *b, const char *key, Id id);
void json_put_key_raw(Buffer *b, const char *key, const char *json, size_t n);

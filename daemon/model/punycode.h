/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Punycode (RFC 3492): one label of a domain name in ASCII, without its "xn--". Pure. */

#include "common/buffer.h"

enum { PUNYCODE_MAX = 1024 };        /* code points; far more than a label can have */

/* Appends the encoded label. false, and *b as it was, if n is above PUNYCODE_MAX or a code point above U+10FFFF. */
bool punycode_encode(const uint32_t *codes, size_t n, Buffer *b);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What an SMTP server answers. Pure; the server may be hostile or mad. */

#include "common/macro.h"

enum { REPLY_SIZE_MAX = 65536, REPLY_ENHANCED_SIZE = 12, REPLY_TEXT_SIZE = 512 };

typedef struct Reply {
        int code;                            /* 200..599 */
        char enhanced[REPLY_ENHANCED_SIZE];  /* RFC 3463, of the code's own class: "5.1.1"; "" if there is none */
        char text[REPLY_TEXT_SIZE];          /* of all lines, without codes, blanks between; printable UTF-8, cut */
} Reply;

/* Reads one reply of one or many lines at the start of n bytes. Its length; 0: more bytes are needed; -EBADMSG: it is no
 * reply, and never will be one. */
ssize_t reply_read(const char *data, size_t n, Reply *ret);

typedef struct Capabilities {
        bool pipelining, smtputf8, has_size;
        uint64_t size;                       /* the most bytes of a message; 0: no limit, or none is said */
        bool plain, login, xoauth2;          /* what AUTH may use, be it written "AUTH PLAIN" or "AUTH=PLAIN" */
} Capabilities;

/* Out of a whole reply to EHLO, as reply_read() took it. */
void capabilities_read(const char *data, size_t n, Capabilities *ret);

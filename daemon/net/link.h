/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One connection to a relay, greeted and, if asked for, within TLS: bytes out, bytes in, each with its deadline. The only
 * place that knows libcurl. One thread. */

#include "common/buffer.h"
#include "daemon/net/smtp.h"

typedef struct Link Link;

typedef struct LinkFault {
        int code;                            /* the relay's last answer, 0: none */
        bool unusable;                       /* by its settings: trying again is no use */
        char text[400];                      /* printable */
} LinkFault;

/* 0; 1: not connected, *fault tells why; -ECANCELED. */
int link_open(const SmtpRelay *relay, const atomic_bool *cancel, Link **ret, LinkFault *fault);
void link_close(Link *l);                                        /* NULL is taken */

Usec link_opened(const Link *l);                                 /* monotonic */
Buffer *link_input(Link *l);                                     /* what has come and was not yet taken */
void link_take(Link *l, size_t n);                               /* the first n bytes of it */
bool link_is_quiet(Link *l);                                     /* open as far as can be seen, and nothing has come */

/* 0: bytes have come. -ETIMEDOUT, -ECANCELED, -ECONNRESET (closed, too). cancel may be NULL. */
int link_receive(Link *l, Usec deadline, const atomic_bool *cancel);
/* 0: all has left. 1: the relay does not read but has said something. Else as link_receive(): the last byte has not left. */
int link_send(Link *l, const void *data, size_t n, Usec wait, const atomic_bool *cancel);

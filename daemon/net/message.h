/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A mail as RFC 5322 bytes: our own few headers, every text in base64, CR LF alone, lines of at most 76 characters (an
 * address or id that is longer has a line of its own). Pure: nothing but the Message decides what comes out, no clock,
 * no locale. Any thread. */

#include "common/buffer.h"
#include "common/clock.h"
#include "common/problem.h"

enum { MESSAGE_SUBJECT_MAX = 4000, MESSAGE_NAME_MAX = 1000, MESSAGE_ID_MAX = 250 };      /* bytes */

typedef struct MessageAttachment {
        const char *name;                    /* the file's, shown to the recipient; at most MESSAGE_NAME_MAX bytes */
        const char *type;                    /* text/csv; charset=utf-8 */
        int fd;                              /* a file, read at its offsets 0..size: it is not moved and may be shared */
        uint64_t size;
} MessageAttachment;

typedef struct Message {
        const char *sender_name;             /* NULL: none */
        const char *sender, *recipient;      /* NAME@DOMAIN; a domain may be an IDN */
        const char *subject;
        Usec date;                           /* shown in UTC */
        const char *id;                      /* of the Message-ID: ASCII, LEFT@RIGHT, without angle brackets */
        const char *language;                /* of the text: a language tag; NULL: not said */
        const char *text;                    /* UTF-8; LF, CR and CR LF all end a line */
        bool secret;                         /* the text tells a code: no copy of it stays in memory */
        const MessageAttachment *attachments;
        size_t n_attachments;
} Message;

/* Writes the message to fd, from its offset on, and its length to *ret_size (NULL: not asked). Attachments are streamed.
 * Refused (InvalidArgument): a control character or bytes that are no UTF-8 in what becomes a header
 * (bad-header), addresses as mailbox_wire() does, an id, type or language that is none, a date out of the years
 * 1..9999. Faults: what reading and writing gives, -ENODATA if an attachment is shorter than its size. What stands in fd
 * after either is no message. */
int message_write(const Message *m, int fd, uint64_t *ret_size, Problem *problem);
int message_build(const Message *m, Buffer *ret, Problem *problem);       /* the same into memory, appended */

/* Can it go only over relays with SMTPUTF8? That is when a local part is not ASCII; all else has an ASCII form. */
bool message_needs_smtputf8(const Message *m);

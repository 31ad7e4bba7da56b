/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Hands messages to the relay. Plain blocking code for a worker's thread; one Smtp belongs to one thread and holds at most
 * one connection, which is kept for the next message. libcurl resolves, connects, and speaks up to the end of STARTTLS;
 * what comes after (AUTH and the messages) is ours: libcurl would go on without AUTH if the relay offers none, sends line
 * ends inside addresses as they are, hangs up after a refusal, and does not tell whether the final dot had left. */

#include <stdatomic.h>

#include "common/clock.h"
#include "daemon/net/reply.h"

typedef enum SmtpSecurity {
        SMTP_STARTTLS,                       /* required: never a message, nor a name, without TLS */
        SMTP_TLS,                            /* from the first byte */
        SMTP_OFF,                            /* to this host alone: any other address is not even connected to */
} SmtpSecurity;

/* Everything stays the caller's, and in place until smtp_free(). */
typedef struct SmtpRelay {
        const char *host;                    /* a name or an address; IPv6 without brackets */
        uint16_t port;
        SmtpSecurity security;
        const char *user;                    /* NULL: the relay asks for none */
        const char *password, *token;        /* bytes; NULL: none; never logged, in no reason */
        size_t password_size, token_size;
        const char *ca_file;                 /* the only certificates trusted; NULL: the system's */
        const char *ehlo;                    /* who we are: a name or an address literal */
        Usec wait_max;                       /* 0: waits are RFC 5321's; a test's are shorter */
} SmtpRelay;

typedef enum SmtpOutcome {
        SMTP_DELIVERED,                      /* the relay has taken it and answers for it */
        SMTP_TEMPORARY,                      /* try again */
        SMTP_PERMANENT,                      /* trying this message again is no use */
        SMTP_TOO_BIG,                        /* nor this one; the reason has both sizes */
        SMTP_NO_AUTH,                        /* the relay is to be paused: it does not take us, or its settings cannot work */
        SMTP_UNKNOWN,                        /* the final dot has left and no answer came: repeat with the same Message-ID */
        _SMTP_OUTCOME_MAX,
} SmtpOutcome;

enum { SMTP_REASON_SIZE = 600 };

typedef struct SmtpResult {
        SmtpOutcome outcome;
        int code;                            /* the relay's answer; 0: there was none */
        char enhanced[REPLY_ENHANCED_SIZE];  /* "5.1.1"; "": none */
        char reason[SMTP_REASON_SIZE];       /* for operators: one sentence, printable, no secrets; "" if delivered */
        bool relay;                          /* it says nothing about this message: another would have fared the same */
} SmtpResult;

typedef struct SmtpMail {
        const char *sender, *recipient;      /* the envelope: one recipient a transaction */
        const char *data;                    /* the message as message_build() made it; NULL: it is in fd */
        int fd;                              /* the message as message_write() made it; read at 0..size, not moved */
        uint64_t size;
        bool secret;                         /* it tells a code: no copy of it stays in memory */
} SmtpMail;

typedef struct Smtp Smtp;

Smtp *smtp_new(const SmtpRelay *relay) _warn_unused_;            /* connects with the first message */
void smtp_free(Smtp *s);                                         /* says QUIT and waits a second at most */
DEFINE_CLEANUP(Smtp, smtp_free)

/* 0: *ret tells what came of it. A connection that the relay has closed while it was idle is opened again without a word.
 * Faults: -ECANCELED when *cancel was set before the final dot left (after it, the answer is waited for 5 s); what
 * reading fd gives; -EBADMSG if it holds no message (a line end that is not CR LF, a NUL, a line above 998 bytes, no
 * line end at its end). After a fault nothing was delivered. */
int smtp_send(Smtp *s, const SmtpMail *mail, const atomic_bool *cancel, SmtpResult *ret);

/* The same in two steps, so that what comes between relay and message may be said ahead of its time. Nothing is delivered
 * before the second one. begin: 1 if the relay waits for the message, 0 if *ret tells what came of it, or a fault. finish: of
 * the same mail; begins anew if the relay has not waited. */
int smtp_begin(Smtp *s, const SmtpMail *mail, const atomic_bool *cancel, SmtpResult *ret);
int smtp_finish(Smtp *s, const SmtpMail *mail, const atomic_bool *cancel, SmtpResult *ret);
/* what() is called, each time it is waited for an answer, when none has come for a minute; then the wait goes on. */
void smtp_on_silence(Smtp *s, void (*what)(void *userdata), void *userdata);
void smtp_abandon(Smtp *s);                                      /* what was begun is not finished: hangs up */

const char *smtp_outcome_name(SmtpOutcome outcome);              /* delivered temporary permanent too-big no-auth unknown */
bool smtp_host_is_loopback(const char *host);                    /* may security be off? localhost, 127.0.0.0/8, ::1 */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Into the outbox: a mail is written, in its recipient's language, in the same savepoint as what it is about. */

#include "daemon/action/action.h"
#include "daemon/model/mail-text.h"
#include "daemon/store/mail-template-store.h"

enum { COURIERS_MAX = 4 };           /* connections to the relay at one time */

typedef struct Letter {
        const char *event;
        const char *address;
        const char *language;                /* NULL: the partner's */
        const MailVariable *variables;       /* besides partner */
        int64_t report, customer;            /* what is attached; whose it is. 0: none */
        int64_t addressee;                   /* another customer, whose address it is; 0: none */
        bool secret;                         /* it tells a code: its body is sealed, and wiped when it has left */
} Letter;

int outbox_put(Context *c, const Letter *letter, int64_t *ret_message);
/* A courier is on its way, or will be: for messages that are due. */
int outbox_call(Context *c);
/* The same where mail has been due for half a minute and nobody comes for it, for the task that would have was canceled. */
int outbox_look(Context *c);

/* What a mail of this event says: in the given language, else in the partner's, else in English. */
int outbox_template(Context *c, const char *event, const char *language, MailTemplate *ret);
int outbox_sender(Context *c, const char **ret_address, const char **ret_name);
/* What a mail verb has to say about where mail goes: NULL, or a sentence for its answer's warnings. */
const char *outbox_warning(Context *c);

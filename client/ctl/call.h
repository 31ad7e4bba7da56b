/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calls to the daemon. A call whose reply is lost (the daemon or the bus went away while it was under way) is repeated once
 * when the daemon is back; a changing call carries a request_id, so that the repeat does nothing twice. */

#include "client/ctl/command.h"

typedef struct sd_bus_message sd_bus_message;
typedef struct Pending Pending;

typedef struct Call {
        const char *interface, *method;      /* without the prefix: "Customers", "Edit" */
        /* What goes in, a letter each: s id, a ids, q query, F format, f fields, o options, h fd. */
        const char *shape;
        const char *id;
        const char *const *ids;
        size_t n_ids;
        const Dict *query, *fields, *options;
        const char *format;
        int fd;
        bool changes;
        bool slow;                           /* the reply may take as long as it takes */
        bool quiet;                          /* a failure is returned and not said, and no password asked for */
        /* Of a slow one: what is asked beside once it has taken some seconds, and who gets the answer to that. May be NULL. */
        Pending *(*late)(Command *c);
        void (*late_told)(Command *c, sd_bus_message *reply);
} Call;

/* The usual ones: about one object; an act on one; the command's own verb. */
Call call_about(const char *interface, const char *method, const char *id);
Call call_act(const char *interface, const char *method, const char *id, const Dict *options);
Call call_verb(const Command *c, const char *shape);

/* *ret_reply is the caller's: sd_bus_message_unref. */
int call(Command *c, const Call *what, sd_bus_message **ret_reply);
/* The same where the answer is one string; it lives as long as the command. */
int call_text(Command *c, const Call *what, const char **ret);

/* A read sent beside another call and collected after it: one round trip for both. Its failure is no failure: NULL. Needs
 * a connection; what it answers lives as long as the command. */
Pending *call_beside(Command *c, const Call *what);
sd_bus_message *call_collect(Command *c, Pending *p);            /* NULL: no answer */

/* The connection, made at the first call. */
int bus_connect(Command *c);
int bus_try(Command *c);                     /* the same, but a bus that is not there is no failure: c->bus stays NULL */
void bus_close(Command *c);
/* The daemon's unique name on the bus, which is another one after each of its starts; NULL: it is not there. */
const char *bus_daemon(Command *c);
/* Waits until the daemon is there (under another name than before, unless that is NULL). 0: it is; else EXIT_UNREACHABLE, and nothing
 * was said. patience: µs. */
int bus_wait_back(Command *c, const char *before, int64_t patience);
/* Whether this sd-bus failure means that daemon or bus went away. error is a sd_bus_error's name or NULL. */
bool bus_is_lost(int r, const char *error);

void reply_free(sd_bus_message *m);
DEFINE_CLEANUP(sd_bus_message, reply_free)

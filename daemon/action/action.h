/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What can be asked. An action is one use case: a plain function that runs in a turn, in a savepoint of its own, and
 * knows no bus, socket, loop or thread. It reads and writes through store/, judges by model/, and leaves its answer
 * (JSON) and, if it changes something, what the audit shall say. */

#include "common/crypt.h"
#include "daemon/model/clock-guard.h"
#include "daemon/model/customer.h"
#include "daemon/model/selector.h"
#include "daemon/model/settings.h"
#include "daemon/store/turn.h"

typedef struct Caller {
        int64_t uid;
        const char *user;                    /* its name, or the number as text */
        const char *behalf;                  /* for whom a gateway speaks; NULL: for itself */
        const uint32_t *gids;
        size_t n_gids;
        bool all;                            /* may do everything: root, the service itself, its administrators */
        int64_t granted;                     /* polkit let this very call through: 1 + the RightGroup it was asked for; 0: it was not asked */
} Caller;

#define CALLER_SYSTEM ((Caller) { .uid = 0, .user = "system", .all = true })

typedef struct Reloader Reloader;    /* reload-action.h */

/* One call, decoded and frozen. Dicts are never NULL. */
typedef struct Request {
        const char *id;                      /* "" where there is one of the thing */
        const char *const *ids;
        size_t n_ids;
        int64_t *keys;                       /* of the ids, where they are many and were looked up before; NULL: not yet */
        const Problem *unresolved;           /* what was wrong with one of them then; NULL: nothing */
        const Dict *query, *fields, *options;
        const char *format;                  /* of Query: jsonl or csv */
        const Buffer *file;                  /* what a file descriptor held, read before; NULL: none */
        const char *spool;                   /* where it was put, relative to the state directory; NULL: nowhere */
        int64_t newest_erasure;              /* of a backup: the last one that was known when it was judged */
        const char *file_digest;             /* its SHA-256 in hex; NULL: none */
        int64_t lines;                       /* of a customer list, counted before */
        const char *warning;                 /* what its reader had to say; NULL: nothing */
        int64_t who;                         /* the number that options.who has on this host; -1: it has none */
        bool secret;                         /* its arguments hold one: no copy of them stays in memory */
        const char *picture;                 /* of a picture: {"type":…}; file holds the decoded and re-encoded one */
        int64_t *ret_revision;               /* where request_check_revision() tells what the object has; NULL: nowhere */
} Request;

/* What an action leaves for the audit. */
typedef struct Trail {
        const char *object;                  /* id as text; NULL: nothing in particular */
        int64_t customer;                    /* whose values they are; 0: nobody's */
        const char *organization;            /* of that customer, for dry runs; NULL: of none */
        const char *before, *after;          /* JSON or NULL */
        const Id *operation;                 /* this is an item of it */
        bool keep;                           /* what a refusal wrote stays (a wrong code is counted) */
} Trail;

typedef struct Context {
        Db *db;
        Arena *arena;                        /* of the call */
        const Caller *caller;
        const Selector *scope;               /* the customers that the caller may do this with; NULL: all */
        Usec now;
        const Settings *settings;
        const CustomerRules *rules;
        const char *host;                    /* fully qualified name of this host */
        const ClockGuard *clock;             /* on the loop; NULL elsewhere */
        const Reloader *reloader;            /* the same */
        bool approved;                       /* a second person has approved this very call */
        Trail trail;
} Context;

/* A read may run on the loop's connection or on a worker's. The answer is appended to *answer; a list puts its next
 * cursor there too, see list_action(). */
typedef int (*Action)(Context *c, const Request *request, Buffer *answer, Problem *problem);

/* Whether a call for this verb waits for a second person (admin.two_person), and none has approved this one. */
bool action_needs_second_person(const Context *c, const char *verb);

/* A change with all that belongs to it: the options' grammar, the remembered answer of its request_id, the savepoint,
 * the audit record, dry runs. verb is NOUN.VERB. extra_options: names besides request_id, revision, dry_run, confirm and
 * on_behalf_of, NULL-terminated or NULL: any. The same call again is told the same and leaves no second record. */
typedef struct ChangeRow {
        const char *verb;
        Action action;
        const char *const *extra_options;
} ChangeRow;
int action_change(Context *c, const ChangeRow *row, const Request *request, Buffer *answer, Problem *problem);

/* What a remembered request_id is compared by: everything but that id, sorted; files by their digest. */
void request_digest(Arena *a, const Request *request, uint8_t ret[SHA256_SIZE]);

/* A change that never came to its action (malformed arguments of a caller with rights): its audit record. */
int action_refuse(Context *c, const char *verb, const Request *request, const Problem *problem);

/* The options of a call: their types, and, unless extra is NULL, that no others are there. action_change() does it. */
int request_check_options(const Request *request, const char *const *extra, Problem *problem);

/* options.dry_run, options.revision; the grammar was checked by action_change(). */
bool request_dry_run(const Request *request);
int request_check_revision(const Request *request, int64_t revision, Problem *problem);

/* A member "warnings" with this sentence. */
void answer_warning(Buffer *answer, const char *text);
/* {"id":…,"revision":…} */
void answer_object(Buffer *answer, Id id, int64_t revision);

/* One item of a dry run, as an operation would show it. Text is NULL where there is none. action_change() writes the one
 * of whatever does not write its own: what Exists, Conflict and Refused say is an item there, the rest stays an error. */
typedef struct DryItem {
        int64_t n, line;                     /* line 0: none */
        const char *customer, *organization;
        const char *before, *after;          /* JSON */
        const char *reason, *message;
        bool refused;
} DryItem;
void answer_dry_item(Buffer *answer, const DryItem *item);
/* {"dry_run":true,…}; items: what is between the brackets; note: what else there is to say, or NULL. */
void answer_dry_run(Buffer *answer, int64_t count, int64_t refused, const Buffer *items, const char *note);
/* That the call itself would wait for a second person, if it would; or NULL. */
const char *dry_run_note(const Context *c, const char *verb);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One call on its way, and who makes it. For the files of bus/ alone. */

#include <systemd/sd-bus.h>

#include "daemon/bus/bus.h"
#include "daemon/bus/dispatch.h"
#include "daemon/model/right.h"
#include "daemon/task/import.h"

typedef struct Call Call;
typedef struct Peer Peer;

typedef struct CallList {
        Call *first, **end;
} CallList;

/* A user of the host, see user.c. */
typedef struct User User;
struct User {
        int64_t uid;
        CallList queue;                      /* calls that wait for their turn */
        size_t in_flight;
        size_t long_ones;                    /* of them under way, see call-work.c */
        size_t asking;                       /* of them waiting for polkit */
        size_t subscriptions;
        size_t memory;                       /* bytes of their arguments, or of messages that wait to be decoded */
        double tokens;                       /* calls that may come at once */
        Usec filled;                         /* when tokens was counted, monotonic */
        User *next;
};

struct Peer {
        char *name;                          /* unique name */
        int64_t uid;                         /* -1: a stranger */
        const char *user;
        uint32_t *gids;                      /* of its process when it connected */
        size_t n_gids;
        bool all;                            /* may do everything */
        bool looking;                        /* a worker looks its name up */
        bool known;                          /* uid was asked for and answered, and its name found */
        User *owner;                         /* NULL until the bus has told its uid */
        size_t in_flight;
        CallList waiting;                    /* until it is known, in order */
        sd_bus_slot *slot;                   /* of that question */
        bool subscribed;
        int64_t granted;                     /* what polkit let it see of signals, as in a Caller */
        char **kinds;                        /* NULL: all */
        size_t n_kinds;
        bool gone;
        Bus *bus;
        Peer *next;
};

typedef enum PolkitAnswer { POLKIT_YES, POLKIT_NO, POLKIT_CHANGED } PolkitAnswer;

enum { QUESTION_OBJECTS_MAX = 64 };

/* What must not change while polkit thinks. */
typedef struct Watched {
        char kind[24];                       /* as effects call it */
        Id id;
        bool any;                            /* all of the kind */
} Watched;

/* A question to polkit, and what the call that waits for the answer is about. */
typedef struct Question {
        sd_bus_slot *slot;
        User *asker;                         /* counts it; NULL: it was not put */
        RightGroup group;
        void (*then)(Call *c, PolkitAnswer answer, const char *why);
        Watched watched[QUESTION_OBJECTS_MAX + 4];
        size_t n_watched;
        size_t look_ups;                     /* of customers by name */
        bool changed;
} Question;

struct Call {
        Bus *bus;
        Peer *peer;
        sd_bus_message *message;             /* owned */
        const MethodRow *row;
        Arena *arena;
        Caller caller;
        const char *behalf;                  /* for whom it wants to speak: the caller's when the right to that is there */
        const Selector *scope;               /* the customers it may be about; NULL: all */
        Question *question;                  /* put to polkit; NULL: none is open */
        int64_t granted;                     /* as in a Caller */

        Request request;                     /* points to the following */
        Dict query, fields, options;
        int fd;                              /* that came as an argument of its own; -1 */
        Buffer file;                         /* what was read from a descriptor */

        size_t memory;                       /* counted against its user; see user_hold() */
        int result;                          /* 0, > 0 with problem, < 0 */
        Problem problem;
        Buffer answer;                       /* JSON, or bytes of a SAVE */
        const char *next_cursor;
        int64_t count;
        int out_fd;                          /* -1: none */

        bool counted_long;                   /* among the long ones of its user, see call-work.c */
        bool keeps_file;                     /* its descriptors stay open, see call-restore.c */
        bool restores;                       /* it is the one restore under way */
        bool spool_kept;                     /* an operation has taken over request.spool */
        ImportDryRun *import_dry_run;        /* NULL: it is none */
        BulkDryRun *bulk_dry_run;
        Id task;                             /* an export waits for this */
        Call *next;
};

typedef struct RowReference {
        Bus *bus;
        const MethodRow *row;
        const char *interface;
} RowReference;

struct Bus {
        BusConfig config;
        sd_bus *bus;
        int64_t own_uid;
        bool lost, refusing;
        bool restoring;                      /* a restore is under way */
        sd_bus_message **kept;               /* whose descriptors stay open */
        size_t n_kept;
        Peer *peers;
        User *users, *next_user;             /* next_user: whose turn it is */
        size_t n_queued;
        CallList held;                       /* answered when the turn is on disk */
        CallList exports;                    /* wait for their task */
        CallList ready;                      /* their task has ended */
        CallList later;                      /* wait until fewer long ones of their user are under way */
        CallList asking;                     /* wait for polkit */
        size_t n_calls;
        void (*begin)(Call *c);              /* what a call does once its caller is known */
        RowReference *references;
        sd_bus_vtable **vtables;
        size_t n_vtables;
        struct {
                int64_t uid;
                char name[64];
        } names[64];                         /* of users seen; the newest take the places of the oldest */
        size_t n_names;
        struct {
                Id id;
                Usec sent;
        } progress[64];
        Usec stranger_logged;
};

void call_list_add(CallList *l, Call *c);
Call *call_list_take(CallList *l);

/* call.c */
void call_free(Call *c);
void question_free(Question *q);             /* its answer, should there be one, reaches nobody */
Context call_context(Call *c);
bool call_changes(const Call *c);            /* its row is no read */
bool call_names_many(const Call *c);         /* its ids are looked up on a worker */
bool call_is_bulk_dry_run(const Call *c);    /* of many: found on a worker, looked at in slices */
int call_context_run(Call *c, Context *context);     /* runs the row's action on whichever connection */
int call_named_fd(const Call *c, const char **ret_name);     /* of its fields and options, and its key; -1: none */
int call_given_fd(const Call *c);            /* the file that came with it, named or not; -1: none */
void call_finish(Call *c, int result);       /* holds the reply until the turn is on disk */

/* call-right.c */
int call_refuse_stranger(Call *c, const char *verb, const char *why);     /* > 0, with c->problem; logged, but not more than once a second */
int call_decide_again(Call *c);              /* of one that has waited: 0 and its scope of now; > 0: its right is gone, with c->problem */

/* dispatch.c */
void call_new(Bus *b, Peer *peer, const RowReference *reference, sd_bus_message *m);
void call_admit(Call *c);                    /* its caller is known: it waits for its turn, or is over a limit */
void call_wait(Call *c);                     /* until its caller is known, unless it is over a limit */
void call_begin(Call *c);                    /* its turn has come */

/* polkit.c: asked where no role decides. */
/* Puts the question and returns 0; then(c, …) follows, once, unless the caller leaves: then the call is dropped. > 0: refused,
 * with c->problem. then() must not be called for an object that changed meanwhile: that is POLKIT_CHANGED. */
int polkit_ask(Call *c, RightGroup group, void (*then)(Call *c, PolkitAnswer answer, const char *why));
void polkit_note_changes(Bus *b);            /* after a turn: of what the asked calls are about */

/* reply.c */
void call_export_ready(Call *c);

/* call-work.c: what a call does on a worker. */
void call_start_work(Call *c);

/* call-restore.c */
int call_refuse_own(Call *c, const Work *work);      /* > 0: the file that came with it is the database */
int call_judge_backup(Call *c, Work *work);  /* on a worker: copies, judges and, of a restore, gets it ready */
int call_claim_restore(Call *c);             /* one at a time */

/* peer.c */
Peer *peer_find(Bus *b, const char *name);   /* made, and asked who it is, if it is new */
void peer_gone(Bus *b, const char *name);
void peers_free(Bus *b);

/* user.c */
User *user_find(Bus *b, int64_t uid);        /* made if it is new; stays */
void users_free(Bus *b);
int user_check(const Peer *p, Problem *problem);     /* one more call: > 0 and LimitExceeded */
int user_check_count(const Peer *p, Problem *problem);       /* of that only how many are under way */
int user_hold(Call *c, Problem *problem);            /* its message while it waits to be decoded: > 0 if it is too much */
int user_take_memory(Call *c, Problem *problem);     /* in its place its decoded arguments; given back by call_free() */
void user_queue(Call *c);
void users_run(Bus *b, Usec until);          /* starts what is queued, a call a user in turn; one at least */

/* signals.c */
void signals_send(Bus *b);
int signals_subscribe(Peer *peer, const char *const *kinds, size_t n, int64_t granted, Problem *problem);

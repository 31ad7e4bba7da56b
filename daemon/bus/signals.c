/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "common/log.h"
#include "common/names.h"
#include "daemon/action/access.h"
#include "daemon/action/list-action.h"
#include "daemon/bus/call.h"

/* Signals go to subscribers one by one, after the replies of the turn, and carry ids only. */

enum {
        PROGRESS_EVERY = 250 * USEC_MSEC,
        IDS_MAX = 500,                       /* in one Changed; beyond it: no ids, "look again" */
        IDS_SEEN_MAX = 50,                   /* the same to who may not see everything: they are looked up */
        IDS_ASKED = 500,                     /* in one look-up */
        SUBSCRIPTIONS_PER_UID_MAX = 64,
        TOLD_MAX = 256,                      /* signals a turn and peer */
        KINDS_MAX = 32,
        KIND_BYTES_MAX = 64,
        QUEUE_MAX = 20000,                   /* messages waiting on the connection: signals are dropped, calls are not */
};

static bool wants(const Peer *p, const char *kind) {
        if (!p->subscribed || p->gone)
                return false;
        for (size_t i = 0; i < p->n_kinds; i++)
                if (strcmp(p->kinds[i], kind) == 0)
                        return true;
        return p->n_kinds == 0;
}

static bool anybody(const Bus *b) {
        for (const Peer *p = b->peers; p; p = p->next)
                if (p->subscribed)
                        return true;
        return false;
}

static int new_signal(Bus *b, const char *member, sd_bus_message **ret) {
        return sd_bus_message_new_signal(b->bus, ret, BUS_PATH, BUS_INTERFACE_PREFIX "Manager", member);
}

static void send(Bus *b, Peer *p, sd_bus_message *m, int r) {
        if (r >= 0)
                r = sd_bus_send_to(b->bus, m, p->name, NULL);
        if (r < 0)
                log_debug("a signal to %s was not sent: %s", p->name, strerror(-r));
        sd_bus_message_unref(m);
}

/* ---- who may know ---- */

/* What a peer may see, found out once a turn and peer. Only its ids are told to a peer under a scope. */
typedef struct Sight {
        Peer *peer;
        Arena *arena;
        Caller caller;
        Context context;                     /* with its scope */
        bool nothing;
} Sight;

/* The dataset whose rows an effect's kind is about; NULL: of something there is one of, or that all may see. */
static const Dataset *dataset_of(const char *kind) {
        static const char *const kinds[][2] = {
                { "customer", "customers" }, { "operation", "operations" }, { "report", "reports" }, { "schedule", "schedules" },
                { "message", "messages" }, { "report-template", "report-templates" }, { "task", "tasks" },
        };
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (str_equal(kinds[i][0], kind))
                        return dataset_find(kinds[i][1]);
        return NULL;
}

static void sight_begin(Bus *b, Peer *p, Sight *ret) {
        const BusConfig *config = &b->config;
        Problem ignored;

        *ret = (Sight) { .peer = p, .arena = arena_new() };
        ret->caller = (Caller) { .uid = p->uid, .user = p->user, .gids = p->gids, .n_gids = p->n_gids, .all = p->all, .granted = p->granted };
        ret->context = (Context) { .db = config->db, .arena = ret->arena, .caller = &ret->caller, .now = clock_now(), .settings = config->settings };
        ret->nothing = access_enter(&ret->context, "event.monitor", &ignored) != 0;
}

static bool sees(Sight *s, const char *kind, Id id) {
        const Dataset *d = s->context.scope ? dataset_of(kind) : NULL;
        return !d || list_has(&s->context, d, id) > 0;
}

/* Roles and groups are nobody's customers: whoever may list them hears of all. */
static bool may_hear(Sight *s, const char *kind) {
        static const char *const verbs[][2] = { { "role", "role.list" }, { "group", "group.list" } };
        const Selector *unused;
        Problem ignored;

        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (str_equal(verbs[i][0], kind))
                        return access_decide(&s->context, verbs[i][1], &unused, &ignored) == 0;
        return true;
}

static bool is_change(const Effect *e, const char *kind) {
        return e->type == EFFECT_CHANGED && e->kind == kind;
}

/* Which of the changed ones the peer sees, by one question for many of them; *i is where the next begin. */
static size_t seen_of(Sight *s, const Dataset *d, const char *kind, const Effect *effects, size_t n, size_t *i, QueryKey *ret) {
        Buffer selector = {};
        char id[ID_TEXT_SIZE];
        size_t asked = 0, seen = 0;

        for (; *i < n && asked < IDS_ASKED; (*i)++)
                if (is_change(&effects[*i], kind))
                        buffer_printf(&selector, "%s%s", asked++ ? "," : "id in (", id_text(effects[*i].id, id));
        buffer_add_char(&selector, ')');
        const QueryRequest q = { .dataset = d, .selector = buffer_string(&selector), .limit = IDS_SEEN_MAX + 1 };
        if (asked > 0 && list_keys(&s->context, &q, ret, IDS_SEEN_MAX + 1, &seen) < 0)
                seen = 0;
        buffer_done(&selector);
        return seen;
}

typedef struct Told {
        char ids[IDS_MAX][ID_TEXT_SIZE];
        size_t n;
        bool more;                           /* than can be told: no ids, "look again" */
} Told;

static void choose_all(const char *kind, const Effect *effects, size_t n, Told *ret) {
        for (size_t i = 0; i < n && !ret->more; i++) {
                if (!is_change(&effects[i], kind))
                        continue;
                ret->more = ret->n == IDS_MAX;
                if (ret->more)
                        break;
                /* What there is one of has no id. */
                ret->ids[ret->n][0] = 0;
                if (!id_equal(effects[i].id, (Id) {}))
                        id_text(effects[i].id, ret->ids[ret->n]);
                ret->n++;
        }
}

static void choose_seen(Sight *s, const Dataset *d, const char *kind, const Effect *effects, size_t n, Told *ret) {
        QueryKey keys[IDS_SEEN_MAX + 1];

        for (size_t i = 0; i < n && !ret->more;) {
                size_t seen = seen_of(s, d, kind, effects, n, &i, keys);
                ret->more = ret->n + seen > IDS_SEEN_MAX;
                for (size_t k = 0; k < seen && !ret->more; k++)
                        id_text(keys[k].id, ret->ids[ret->n++]);
        }
}

static void send_changed(Bus *b, Sight *sight, const char *kind, const Effect *effects, size_t n) {
        const Dataset *d = sight->context.scope ? dataset_of(kind) : NULL;
        sd_bus_message *m = NULL;
        Told told;

        told.n = told.more = 0;
        if (!may_hear(sight, kind))
                return;
        if (d)
                choose_seen(sight, d, kind, effects, n, &told);
        else
                choose_all(kind, effects, n, &told);
        if (told.n == 0 && !told.more)
                return;
        int r = new_signal(b, "Changed", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", kind);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; i < told.n && r >= 0 && !told.more; i++)
                r = sd_bus_message_append_basic(m, 's', told.ids[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        send(b, sight->peer, m, r);
}

static void send_operation(Bus *b, Peer *p, const Effect *e) {
        sd_bus_message *m = NULL;
        char id[ID_TEXT_SIZE];
        bool finished = e->type == EFFECT_OPERATION_FINISHED;
        int r = new_signal(b, finished ? "OperationFinished" : "OperationProgress", &m);

        id_text(e->id, id);
        if (r >= 0)
                r = finished ? sd_bus_message_append(m, "ss", id, e->word)
                             : sd_bus_message_append(m, "suu", id, (uint32_t) e->done, (uint32_t) e->total);
        send(b, p, m, r);
}

/* At most four a second and operation. */
static bool progress_due(Bus *b, Id id) {
        Usec now = clock_monotonic();
        size_t oldest = 0;

        for (size_t i = 0; i < ELEMENTSOF(b->progress); i++) {
                if (id_equal(b->progress[i].id, id)) {
                        if (now - b->progress[i].sent < PROGRESS_EVERY)
                                return false;
                        b->progress[i].sent = now;
                        return true;
                }
                if (b->progress[i].sent < b->progress[oldest].sent)
                        oldest = i;
        }
        b->progress[oldest].id = id;
        b->progress[oldest].sent = now;
        return true;
}

/* Which of the effects are told: progress not too often, each kind of change once. */
static size_t choose(Bus *b, const Effect *effects, size_t n, const Effect **ret) {
        size_t chosen = 0;

        for (size_t i = 0; i < n; i++) {
                const Effect *e = &effects[i];
                bool known = chosen == TOLD_MAX;
                if (e->type == EFFECT_CHANGED)
                        for (size_t k = 0; k < chosen && !known; k++)
                                known = ret[k]->type == EFFECT_CHANGED && ret[k]->kind == e->kind;
                else if (e->type == EFFECT_OPERATION_PROGRESS)
                        known = known || !progress_due(b, e->id);
                else if (e->type != EFFECT_OPERATION_FINISHED)
                        continue;
                if (!known)
                        ret[chosen++] = e;
        }
        return chosen;
}

static void tell(Bus *b, Peer *p, const Effect *const *told, size_t n_told, const Effect *effects, size_t n) {
        Sight sight = {};

        for (size_t i = 0; i < n_told && !sight.nothing; i++) {
                if (!wants(p, told[i]->kind))
                        continue;
                if (!sight.arena)
                        sight_begin(b, p, &sight);
                if (sight.nothing)
                        break;
                if (told[i]->type == EFFECT_CHANGED)
                        send_changed(b, &sight, told[i]->kind, effects, n);
                else if (sees(&sight, "operation", told[i]->id))
                        send_operation(b, p, told[i]);
        }
        if (sight.arena)
                arena_free(sight.arena);
}

void signals_send(Bus *b) {
        const Effect *told[TOLD_MAX];
        uint64_t queued = 0;
        size_t n;
        const Effect *effects = turn_effects(b->config.db, &n);

        if (n == 0 || !anybody(b) || (sd_bus_get_n_queued_write(b->bus, &queued) >= 0 && queued > QUEUE_MAX))
                return;
        size_t n_told = choose(b, effects, n, told);
        for (Peer *p = b->peers; p && n_told > 0; p = p->next)
                if (p->subscribed && !p->gone)
                        tell(b, p, told, n_told, effects, n);
}

int signals_subscribe(Peer *peer, const char *const *kinds, size_t n, int64_t granted, Problem *problem) {
        if (peer->gone)                      /* it left after it asked, and its count with it */
                return 0;
        if (n > KINDS_MAX)
                return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-many", "kinds", "at most %d kinds, not %zu; none means all", KINDS_MAX, n);
        for (size_t i = 0; i < n; i++)
                if (strlen(kinds[i]) > KIND_BYTES_MAX)
                        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "too-long", "kinds", "%.60s … is no kind of anything", kinds[i]);
        if (!peer->subscribed && peer->owner->subscriptions >= SUBSCRIPTIONS_PER_UID_MAX)
                return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-many-subscriptions", NULL,
                                   "%d connections of this user are subscribed already: close some", SUBSCRIPTIONS_PER_UID_MAX);
        peer->owner->subscriptions += !peer->subscribed;
        for (size_t i = 0; i < peer->n_kinds; i++)
                free(peer->kinds[i]);
        peer->kinds = memory_grow(peer->kinds, (n + 1) * sizeof(*peer->kinds));
        for (size_t i = 0; i < n; i++)
                peer->kinds[i] = memory_strdup(kinds[i]);
        peer->n_kinds = n;
        peer->subscribed = true;
        peer->granted = granted;
        return 0;
}

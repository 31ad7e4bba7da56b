/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "common/log.h"
#include "common/names.h"
#include "daemon/bus/call.h"

/* Signals go to subscribers one by one, after the replies of the turn, and carry ids only. */

enum {
        PROGRESS_EVERY = 250 * USEC_MSEC,
        IDS_MAX = 500,                       /* in one Changed; beyond it: no ids, "look again" */
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

static void send_changed(Bus *b, Peer *p, const char *kind, const Effect *effects, size_t n) {
        sd_bus_message *m = NULL;
        size_t count = 0;
        int r = new_signal(b, "Changed", &m);

        for (size_t i = 0; i < n; i++)
                count += effects[i].type == EFFECT_CHANGED && effects[i].kind == kind;
        if (r >= 0)
                r = sd_bus_message_append(m, "s", kind);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; i < n && r >= 0 && count <= IDS_MAX; i++)
                if (effects[i].type == EFFECT_CHANGED && effects[i].kind == kind) {
                        char id[ID_TEXT_SIZE];
                        /* What there is one of has no id. */
                        r = sd_bus_message_append_basic(m, 's', id_equal(effects[i].id, (Id) {}) ? "" : id_text(effects[i].id, id));
                }
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        send(b, p, m, r);
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

static void to_all(Bus *b, const Effect *e, const Effect *effects, size_t n) {
        for (Peer *p = b->peers; p; p = p->next) {
                if (!wants(p, e->kind))
                        continue;
                if (e->type == EFFECT_CHANGED)
                        send_changed(b, p, e->kind, effects, n);
                else
                        send_operation(b, p, e);
        }
}

void signals_send(Bus *b) {
        uint64_t queued = 0;
        size_t n;
        const Effect *effects = turn_effects(b->config.db, &n);
        const char *sent[16];
        size_t n_sent = 0;

        if (n == 0 || !anybody(b) || (sd_bus_get_n_queued_write(b->bus, &queued) >= 0 && queued > QUEUE_MAX))
                return;
        for (size_t i = 0; i < n; i++) {
                const Effect *e = &effects[i];
                if (e->type == EFFECT_OPERATION_FINISHED) {
                        to_all(b, e, effects, n);
                } else if (e->type == EFFECT_OPERATION_PROGRESS) {
                        if (progress_due(b, e->id))
                                to_all(b, e, effects, n);
                } else if (e->type == EFFECT_CHANGED) {
                        bool known = false;
                        for (size_t k = 0; k < n_sent; k++)
                                known |= sent[k] == e->kind;
                        if (known || n_sent == ELEMENTSOF(sent))
                                continue;
                        sent[n_sent++] = e->kind;
                        to_all(b, e, effects, n);
                }
        }
}

int signals_subscribe(Peer *peer, const char *const *kinds, size_t n, Problem *problem) {
        if (n > KINDS_MAX)
                return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-many", "kinds", "at most %d kinds, not %zu; none means all", KINDS_MAX, n);
        for (size_t i = 0; i < n; i++)
                if (strlen(kinds[i]) > KIND_BYTES_MAX)
                        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "too-long", "kinds", "%.60s … is no kind of anything", kinds[i]);
        for (size_t i = 0; i < peer->n_kinds; i++)
                free(peer->kinds[i]);
        peer->kinds = memory_grow(peer->kinds, (n + 1) * sizeof(*peer->kinds));
        for (size_t i = 0; i < n; i++)
                peer->kinds[i] = memory_strdup(kinds[i]);
        peer->n_kinds = n;
        peer->subscribed = true;
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/text.h"
#include "daemon/bus/call.h"
#include "daemon/task/caller.h"

/* ---- its name ---- */

static const char *name_known(const Bus *b, int64_t uid) {
        for (size_t i = 0; i < MIN(b->n_names, ELEMENTSOF(b->names)); i++)
                if (b->names[i].uid == uid)
                        return b->names[i].name;
        return NULL;
}

static void peer_is_known(Peer *p, const char *name) {
        Call *c;

        p->user = memory_strdup(name);
        p->known = true;
        while ((c = call_list_take(&p->waiting)))
                call_admit(c);
}

/* Asking for a name may take as long as a name service does: that is for a worker. */
static int look_up(Work *work) {
        work->state = (void *) host_user(work->arena, work->caller.uid);
        return 0;
}

static int looked_up(Work *work, Context *unused) {
        Peer *p = (Peer *) work->userdata;
        Bus *b = p->bus;
        char name[64];

        if (work->state)
                text_copy_cut(name, sizeof(name), work->state);
        else
                snprintf(name, sizeof(name), "%lld", (long long) p->uid);
        if (!name_known(b, p->uid)) {
                size_t i = b->n_names++ % ELEMENTSOF(b->names);
                b->names[i].uid = p->uid;
                memcpy(b->names[i].name, name, sizeof(name));
        }
        p->looking = false;
        if (!p->gone)
                peer_is_known(p, name);
        return SETTLE_DONE;
}

static const TaskKind look_up_kind = { .kind = "who", .work = look_up, .settle = looked_up };

/* From here on its calls count as its user's, also those that wait for the name. */
static void uid_is_known(Peer *p) {
        CallList waiting = p->waiting;
        Call *c;

        p->owner = user_find(p->bus, p->uid);
        p->owner->in_flight += p->in_flight;
        p->waiting.first = NULL;
        while ((c = call_list_take(&waiting)))
                call_wait(c);
}

static void find_name(Peer *p) {
        const char *name = p->uid == 0 ? "root" : p->uid == p->bus->own_uid ? "tenantd" : p->uid < 0 ? "unknown" : name_known(p->bus, p->uid);

        if (name) {
                peer_is_known(p, name);
                return;
        }
        const Caller who = { .uid = p->uid, .user = "" };
        Work *work = runner_call_new(p->bus->config.runner, &look_up_kind, &who);
        work->userdata = p;
        p->looking = true;
        runner_call_start(p->bus->config.runner, work);
}

/* ---- its credentials ---- */

static int read_gids(Peer *p, sd_bus_message *m) {
        const void *gids;
        size_t size = 0;

        int r = sd_bus_message_enter_container(m, 'v', "au");
        if (r > 0)
                r = sd_bus_message_read_array(m, 'u', &gids, &size);
        if (r < 0)
                return r;
        p->gids = memory_grow(p->gids, size + sizeof(*p->gids));
        if (size > 0)
                memcpy(p->gids, gids, size);
        p->n_gids = size / sizeof(*p->gids);
        return sd_bus_message_exit_container(m);
}

static int read_credential(Peer *p, sd_bus_message *m) {
        const char *key;
        uint32_t uid;

        int r = sd_bus_message_read_basic(m, 's', &key);
        if (r < 0)
                return r;
        if (str_equal(key, "UnixUserID")) {
                r = sd_bus_message_read(m, "v", "u", &uid);
                if (r > 0)
                        p->uid = uid;
                return r;
        }
        return str_equal(key, "UnixGroupIDs") ? read_gids(p, m) : sd_bus_message_skip(m, "v");
}

static int credentials_arrived(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Peer *p = userdata;
        int r = -1;

        p->uid = -1;
        if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_enter_container(m, 'a', "{sv}") > 0)
                while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                        r = read_credential(p, m);
                        if (r >= 0)
                                r = sd_bus_message_exit_container(m);
                        if (r < 0)
                                break;
                }
        /* Half an answer is none. */
        if (r < 0) {
                p->uid = -1;
                p->n_gids = 0;
        }
        p->all = p->uid == 0 || p->uid == p->bus->own_uid;
        for (size_t i = 0; i < p->n_gids; i++)
                p->all |= p->gids[i] == p->bus->config.settings->admin_gid;
        uid_is_known(p);
        find_name(p);
        return 0;
}

static void ask(Peer *p) {
        int r = sd_bus_call_method_async(p->bus->bus, &p->slot, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                         "GetConnectionCredentials", credentials_arrived, p, "s", p->name);
        if (r < 0) {
                log_error("asking who %s is: %s", p->name, strerror(-r));
                p->uid = -1;
                uid_is_known(p);
                peer_is_known(p, "unknown");
        }
}

Peer *peer_find(Bus *b, const char *name) {
        for (Peer **link = &b->peers; *link; link = &(*link)->next)
                if (strcmp((*link)->name, name) == 0) {
                        /* The one that asked last is the likeliest to ask next. */
                        Peer *p = *link;
                        *link = p->next;
                        p->next = b->peers;
                        b->peers = p;
                        return p;
                }
        Peer *p = memory_new(sizeof(*p));
        p->name = memory_strdup(name);
        p->bus = b;
        p->next = b->peers;
        b->peers = p;
        ask(p);
        return p;
}

static void peer_free(Peer *p) {
        Call *c;
        while ((c = call_list_take(&p->waiting)))
                call_free(c);
        sd_bus_slot_unref(p->slot);
        for (size_t i = 0; i < p->n_kinds; i++)
                free(p->kinds[i]);
        free(p->kinds);
        free(p->gids);
        free((char *) p->user);
        free(p->name);
        free(p);
}

static void sweep(Bus *b) {
        for (Peer **link = &b->peers; *link;) {
                Peer *p = *link;
                if (p->gone && p->in_flight == 0 && !p->looking) {
                        *link = p->next;
                        peer_free(p);
                } else {
                        link = &p->next;
                }
        }
}

/* Of calls that wait for something long: nobody is there any more to be told, and they would count against their user. */
static void drop_calls(CallList *list, const Peer *p) {
        CallList all = *list;
        Call *c;

        list->first = NULL;
        while ((c = call_list_take(&all)))
                if (c->peer == p)
                        call_free(c);
                else
                        call_list_add(list, c);
}

void peer_gone(Bus *b, const char *name) {
        for (Peer *p = b->peers; p; p = p->next)
                if (strcmp(p->name, name) == 0) {
                        Call *c;
                        p->gone = true;
                        if (p->subscribed)
                                p->owner->subscriptions--;
                        p->subscribed = false;
                        p->slot = sd_bus_slot_unref(p->slot);
                        while ((c = call_list_take(&p->waiting)))
                                call_free(c);
                        drop_calls(&b->exports, p);
                        drop_calls(&b->later, p);
                        drop_calls(&b->asking, p);
                }
        sweep(b);
}

void peers_free(Bus *b) {
        for (Peer *p = b->peers, *next; p; p = next) {
                next = p->next;
                peer_free(p);
        }
        b->peers = NULL;
}


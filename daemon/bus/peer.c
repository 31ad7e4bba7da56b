/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "daemon/bus/call.h"

static int credentials_arrived(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Peer *p = userdata;
        Call *c;

        p->uid = -1;
        if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_enter_container(m, 'a', "{sv}") > 0) {
                const char *key;
                while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                        uint32_t uid;
                        if (sd_bus_message_read_basic(m, 's', &key) < 0)
                                break;
                        if (str_equal(key, "UnixUserID") && sd_bus_message_read(m, "v", "u", &uid) > 0)
                                p->uid = uid;
                        else
                                (void) sd_bus_message_skip(m, "v");
                        (void) sd_bus_message_exit_container(m);
                }
        }
        p->known = true;
        char text[24];
        snprintf(text, sizeof(text), "%lld", (long long) p->uid);
        p->user = memory_strdup(p->uid == 0 ? "root" : p->uid == p->bus->own_uid ? "tenantd" : text);
        while ((c = call_list_take(&p->waiting)))
                p->bus->begin(c);
        return 0;
}

static void ask(Peer *p) {
        int r = sd_bus_call_method_async(p->bus->bus, &p->slot, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                         "GetConnectionCredentials", credentials_arrived, p, "s", p->name);
        if (r < 0) {
                log_error("asking who %s is: %s", p->name, strerror(-r));
                p->known = true;
                p->uid = -1;
                p->user = memory_strdup("unknown");
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
        free((char *) p->user);
        free(p->name);
        free(p);
}

static void sweep(Bus *b) {
        for (Peer **link = &b->peers; *link;) {
                Peer *p = *link;
                if (p->gone && p->in_flight == 0) {
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
                        p->subscribed = false;
                        p->slot = sd_bus_slot_unref(p->slot);
                        while ((c = call_list_take(&p->waiting)))
                                call_free(c);
                        drop_calls(&b->exports, p);
                        drop_calls(&b->later, p);
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

size_t peers_in_flight(const Bus *b, int64_t uid) {
        size_t n = 0;
        for (const Peer *p = b->peers; p; p = p->next)
                if (p->known && p->uid == uid)
                        n += p->in_flight;
        return n;
}

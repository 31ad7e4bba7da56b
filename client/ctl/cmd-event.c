/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>

#include "client/ctl/cell.h"
#include "client/ctl/json-out.h"
#include "client/ctl/output.h"
#include "client/ctl/run.h"
#include "client/ctl/timezone.h"
#include "common/clock.h"
#include "common/names.h"

/* Signals only say that something happened; what happened are the audit records after the last one seen, asked for in
 * order. So a restart, a lost signal or a lost bus costs nothing: the next question brings what was missed, once. */
#define SILENCE (5 * USEC_SEC)

typedef struct Monitor {
        bool woken, owner_changed;
        int64_t last;                        /* number of the newest record printed or passed over; -1: not known yet */
        unsigned connection;                 /* where the matches are */
} Monitor;

static int on_event(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        ((Monitor *) userdata)->woken = true;
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Monitor *monitor = userdata;
        const char *name, *old, *new;

        if (sd_bus_message_read(m, "sss", &name, &old, &new) >= 0 && str_equal(name, BUS_NAME) && *new)
                monitor->owner_changed = true;
        return 0;
}

static int subscribe(Command *c, Monitor *m) {
        sd_bus_message *reply = NULL;

        if (m->connection != c->connection) {
                (void) sd_bus_match_signal_async(c->bus, NULL, BUS_NAME, BUS_PATH,
                                                 BUS_INTERFACE_PREFIX "Manager", NULL, on_event, NULL, m);
                (void) sd_bus_match_signal_async(c->bus, NULL, "org.freedesktop.DBus",
                                                 "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                                 "NameOwnerChanged", on_owner, NULL, m);
        }
        m->connection = c->connection;
        const Call what = {
                .interface = "Manager", .method = "Subscribe", .shape = "a", .quiet = m->last >= 0
        };
        int r = call(c, &what, &reply);
        sd_bus_message_unref(reply);
        return r;
}

static void print_event(Command *c, const json_t *row) {
        static const char *const keys[] = { "time", "actor", "verb", "outcome", "code", "object", NULL };
        Buffer b = {};

        if (c->json != JSON_OFF) {
                char *text = json_dumps(row, JSON_COMPACT);
                json_out(stdout, text, strlen(text), c->json);
                free(text);
                return;
        }
        for (size_t i = 0; keys[i]; i++) {
                const json_t *value = json_object_get(row, keys[i]);
                if (!value || json_is_null(value))
                        continue;
                if (b.size > 0)
                        buffer_add_string(&b, "  ");
                cell_put(&b, keys[i], value);
        }
        buffer_add_char(&b, '\n');
        fwrite(b.data, 1, b.size, stdout);
        buffer_done(&b);
}

static int ask(Command *c, Monitor *m, const char *selector, const char *sort, json_t **ret) {
        _cleanup_(reply_freep) sd_bus_message *reply = NULL;
        const char *text, *next;
        Dict query = {};

        if (selector)
                dict_add(c->arena, &query, "selector", value_of_string(selector));
        dict_add(c->arena, &query, "sort", value_of_string(sort));
        dict_add(c->arena, &query, "limit", value_of_int(selector ? PAGE_MAX : 1));
        Call what = call_verb(c, "q");
        what.query = &query;
        what.quiet = m->last >= 0;
        int r = call(c, &what, &reply);
        if (r != 0)
                return r;
        if (sd_bus_message_read(reply, "ss", &text, &next) < 0)
                return fail(EXIT_FAILED, "bad-answer", NULL,
                            "the daemon's events are not what they should be");
        *ret = json_loads(text, 0, NULL);
        if (!json_is_array(*ret)) {
                json_decref(*ret);
                return fail(EXIT_FAILED, "bad-answer", NULL, "the daemon's events are no JSON array");
        }
        return 0;
}

static int64_t number_of(const json_t *row) {
        return json_integer_value(json_object_get(row, "n"));
}

/* Everything after the last one, a page at a time. */
static int catch_up(Command *c, Monitor *m) {
        size_t n, i;
        char selector[48];
        json_t *rows, *row;

        do {
                snprintf(selector, sizeof(selector), "n > %" PRId64, m->last);
                int r = ask(c, m, selector, "n", &rows);
                if (r != 0)
                        return r;
                n = json_array_size(rows);
                json_array_foreach(rows, i, row)
                        if (number_of(row) > m->last) {
                                m->last = number_of(row);
                                print_event(c, row);
                        }
                json_decref(rows);
                r = output_end(c, NULL);
                if (r != 0)
                        return r;
        } while (n >= PAGE_MAX);
        return 0;
}

/* In memory of its own: a monitor runs for months. */
static int catch_up_alone(Command *c, Monitor *m) {
        Arena *all = c->arena;

        c->arena = arena_new();
        int r = catch_up(c, m);
        arena_free(c->arena);
        c->arena = all;
        return r;
}

static int find_last(Command *c, Monitor *m) {
        json_t *rows;

        int r = ask(c, m, NULL, "-n", &rows);
        if (r != 0)
                return r;
        m->last = json_array_size(rows) > 0 ? number_of(json_array_get(rows, 0)) : 0;
        json_decref(rows);
        return 0;
}

static void listen(Command *c, Monitor *m) {
        Usec until = clock_monotonic() + SILENCE;

        while (!m->woken && !m->owner_changed) {
                int r = sd_bus_process(c->bus, NULL);
                Usec left = until - clock_monotonic();
                if (r == 0 && left > 0)
                        r = sd_bus_wait(c->bus, (uint64_t) left);
                if ((r < 0 && r != -EINTR) || left <= 0)
                        return;
        }
}

static int run_monitor(Command *c) {
        Monitor m = { .last = -1 };

        int r = bus_connect(c);
        if (r != 0)
                return r;
        Pending *zone = timezone_ask(c);
        r = subscribe(c, &m);
        if (r == 0)
                r = find_last(c, &m);
        timezone_use(c, zone);
        while (r == 0) {
                listen(c, &m);
                bool again = m.owner_changed || !c->bus || sd_bus_is_open(c->bus) <= 0;
                m.woken = m.owner_changed = false;
                if (again) {
                        if (c->bus && sd_bus_is_open(c->bus) <= 0)
                                bus_close(c);
                        (void) bus_wait_back(c, NULL, INT64_MAX);
                        (void) subscribe(c, &m);
                }
                int caught = c->bus ? catch_up_alone(c, &m) : 0;
                if (caught == EXIT_NOT_AUTHORIZED)
                        r = fail(EXIT_NOT_AUTHORIZED, "not-authorized", NULL, "the right to event.monitor has ended");
                if (caught == EXIT_FAILED && ferror(stdout))
                        return EXIT_FAILED;
        }
        return r;
}

static const Verb verbs[] = {
        { "monitor", FORM_OTHER, "Manager", "ListEvents", NULL, 0, 0, .run = run_monitor,
          .help = "print what happens as it happens; waits out restarts of the daemon" },
        {},
};

const Noun noun_event = { "event", "events", "what happens, as it happens", verbs };

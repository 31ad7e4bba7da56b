/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Services that answer from memory, on the daemon's libraries and nothing more. They run until they are ended.
 *
 *   yard-bus page ADDRESS NAME FILE            answers List with the file's text
 *   yard-bus object ADDRESS NAME SERVICE ID    asks SERVICE for Get of ID once, and answers Get with the like of it
 *   yard-bus minimal ADDRESS NAME DATABASE     opens it, takes the name, answers List: the least that a daemon can do */
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "common/files.h"
#include "common/memory.h"
#include "tests/bench/bench.h"

enum { ENTRIES_MAX = 64, ITEMS_MAX = 64 };

typedef struct Entry {
        char *key, *signature, *text;
        uint64_t number;
        int boolean;
        char *items[ITEMS_MAX];
        size_t n_items;
} Entry;

static Buffer page;
static Entry entries[ENTRIES_MAX];
static size_t n_entries;

/* ---- answering ---- */

static int on_list(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(m, "ss", buffer_string(&page), "a-cursor-that-is-as-long-as-they-usually-are");
}

static int append_entry(sd_bus_message *r, const Entry *e) {
        switch (e->signature[0]) {
        case 's':
                return sd_bus_message_append(r, "{sv}", e->key, "s", e->text);
        case 't':
                return sd_bus_message_append(r, "{sv}", e->key, "t", e->number);
        case 'b':
                return sd_bus_message_append(r, "{sv}", e->key, "b", e->boolean);
        default: {
                int k = sd_bus_message_open_container(r, 'e', "sv");
                if (k >= 0)
                        k = sd_bus_message_append_basic(r, 's', e->key);
                if (k >= 0)
                        k = sd_bus_message_open_container(r, 'v', e->signature);
                if (k >= 0)
                        k = sd_bus_message_open_container(r, 'a', e->signature + 1);
                for (size_t i = 0; i < e->n_items && k >= 0; i++)
                        k = sd_bus_message_append_basic(r, 's', e->items[i]);
                for (int i = 0; i < 3 && k >= 0; i++)
                        k = sd_bus_message_close_container(r);
                return k;
        }
        }
}

static int on_get(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        sd_bus_message *reply = NULL;
        const char *id;
        int r = sd_bus_message_read(m, "s", &id);

        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "{sv}");
        for (size_t i = 0; i < n_entries && r >= 0; i++)
                r = append_entry(reply, &entries[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 1;
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("List", "a{sv}", "ss", on_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Get", "s", "a{sv}", on_get, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

/* ---- the like of an object ---- */

static void learn_value(sd_bus_message *m, Entry *e) {
        const char *signature, *text;

        bench_must(sd_bus_message_peek_type(m, NULL, &signature), "peek");
        e->signature = memory_strdup(signature);
        if (strcmp(e->signature, "s") == 0) {
                bench_must(sd_bus_message_read(m, "v", "s", &text), "text");
                e->text = memory_strdup(text);
        } else if (strcmp(e->signature, "t") == 0) {
                bench_must(sd_bus_message_read(m, "v", "t", &e->number), "number");
        } else if (strcmp(e->signature, "b") == 0) {
                bench_must(sd_bus_message_read(m, "v", "b", &e->boolean), "boolean");
        } else if (strcmp(e->signature, "as") == 0) {
                bench_must(sd_bus_message_enter_container(m, 'v', "as"), "list");
                bench_must(sd_bus_message_enter_container(m, 'a', "s"), "list");
                while (e->n_items < ITEMS_MAX && sd_bus_message_read_basic(m, 's', &text) > 0)
                        e->items[e->n_items++] = memory_strdup(text);
                bench_must(sd_bus_message_exit_container(m), "list");
                bench_must(sd_bus_message_exit_container(m), "list");
        } else {
                /* Maps: empty ones, in the customers of the figures. */
                bench_must(sd_bus_message_skip(m, "v"), "skip");
        }
}

static void learn(sd_bus *bus, const char *service, const char *id) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m = bench_call_new(bus, service, "Customers", "Get"), *reply = NULL;
        const char *key;

        bench_must(sd_bus_message_append(m, "s", id), "append");
        if (sd_bus_call(bus, m, 0, &error, &reply) < 0)
                bench_die("Get", error.message);
        bench_must(sd_bus_message_enter_container(reply, 'a', "{sv}"), "enter");
        while (n_entries < ENTRIES_MAX && sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                Entry *e = &entries[n_entries++];
                bench_must(sd_bus_message_read_basic(reply, 's', &key), "key");
                e->key = memory_strdup(key);
                learn_value(reply, e);
                bench_must(sd_bus_message_exit_container(reply), "exit");
        }
        sd_bus_message_unref(reply);
        sd_bus_message_unref(m);
}

/* ---- the loop ---- */

typedef struct Loop {
        sd_bus *bus;
        uv_loop_t loop;
        uv_poll_t poll;
        uv_prepare_t prepare;
        int mask;
} Loop;

static void on_poll(uv_poll_t *handle, int status, int events) {
        Loop *l = handle->data;
        int r;
        while ((r = sd_bus_process(l->bus, NULL)) > 0)
                ;
        if (r < 0)
                uv_stop(&l->loop);
}

static void on_prepare(uv_prepare_t *handle) {
        Loop *l = handle->data;
        int events = sd_bus_get_events(l->bus), mask = (events & POLLIN ? UV_READABLE : 0) | (events & POLLOUT ? UV_WRITABLE : 0);
        if (mask != l->mask)
                uv_poll_start(&l->poll, l->mask = mask, on_poll);
}

static int serve(sd_bus *bus) {
        Loop l = { .bus = bus };

        uv_loop_init(&l.loop);
        uv_poll_init(&l.loop, &l.poll, sd_bus_get_fd(bus));
        uv_prepare_init(&l.loop, &l.prepare);
        l.poll.data = l.prepare.data = &l;
        uv_prepare_start(&l.prepare, on_prepare);
        on_poll(&l.poll, 0, 0);
        return uv_run(&l.loop, UV_RUN_DEFAULT);
}

static void open_database(const char *path) {
        sqlite3_stmt *s;
        sqlite3 *db;

        if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, "unix-excl") != SQLITE_OK ||
            sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", NULL, NULL, NULL) != SQLITE_OK ||
            sqlite3_prepare_v2(db, "SELECT organization FROM customer ORDER BY organization_key LIMIT 1", -1, &s, NULL) != SQLITE_OK ||
            sqlite3_step(s) != SQLITE_ROW)
                bench_die(path, "cannot be read");
        buffer_printf(&page, "[{\"organization\":\"%s\"}]", sqlite3_column_text(s, 0));
        sqlite3_finalize(s);
}

int main(int argc, char **argv) {
        if (argc < 5)
                return 2;
        const char *what = argv[1];
        sd_bus *bus = bench_connect(argv[2]);
        if (strcmp(what, "page") == 0)
                bench_must(file_read(argv[4], 1 << 24, &page), argv[4]);
        else if (strcmp(what, "object") == 0 && argc == 6)
                learn(bus, argv[4], argv[5]);
        else if (strcmp(what, "minimal") == 0)
                open_database(argv[4]);
        else
                return 2;
        bench_must(sd_bus_add_object_vtable(bus, NULL, BENCH_PATH, BENCH_PREFIX "Customers", vtable, NULL), "vtable");
        bench_must(sd_bus_request_name(bus, argv[3], 0), argv[3]);
        return serve(bus);
}

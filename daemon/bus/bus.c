/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/names.h"
#include "daemon/bus/call.h"

enum { QUEUED_MAX = 1024 };                  /* calls read and not begun: what comes then waits in the socket */

static const InterfaceRows *const interfaces[] = {
        &manager_interface, &partner_interface, &customers_interface, &views_interface,
        &operations_interface, &tasks_interface, &reports_interface, &audit_interface,
        &schedules_interface, &messages_interface, &report_templates_interface, &mail_templates_interface,
        &access_interface,
};

/* What a form takes and gives; the names follow the types, inputs first, each with its NUL. */
static const struct {
        const char *in, *out, *names;
} forms[_FORM_MAX] = {
        [FORM_LIST] = { "a{sv}", "ss", "query\0rows\0next\0" },
        [FORM_QUERY] = { "a{sv}s", "h", "query\0format\0file\0" },
        [FORM_COUNT] = { "a{sv}", "t", "query\0count\0" },
        [FORM_GET] = { "s", "a{sv}", "id\0object\0" },
        [FORM_DESCRIBE] = { "s", "s", "id\0object\0" },
        [FORM_CREATE] = { "a{sv}a{sv}", "s", "fields\0options\0answer\0" },
        [FORM_CHANGE] = { "asa{sv}a{sv}", "s", "ids\0fields\0options\0answer\0" },
        [FORM_ACT] = { "sa{sv}", "s", "id\0options\0answer\0" },
        [FORM_FILE_IN] = { "ha{sv}a{sv}", "s", "file\0fields\0options\0answer\0" },
        [FORM_EXPORT] = { "a{sv}a{sv}", "sh", "fields\0options\0answer\0file\0" },
        [FORM_SAVE] = { "s", "h", "id\0file\0" },
        [FORM_SUBSCRIBE] = { "as", "", "kinds\0" },
        [FORM_ENQUEUE] = { "as", "as", "kinds\0ids\0" },
};

static int on_method(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        RowReference *reference = userdata;
        const char *sender = sd_bus_message_get_sender(m);

        call_new(reference->bus, peer_find(reference->bus, sender ?: ""), reference, m);
        return 1;
}

/* Properties are answered by the library itself, outside of dispatch and rights: constants only. */
static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata,
                       sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", PACKAGE_VERSION);
}

static int get_limit(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata,
                     sd_bus_error *error) {
        return sd_bus_message_append(reply, "u", (uint32_t) (str_equal(property, "PageMax") ? PAGE_MAX : CALLS_PER_CONNECTION_MAX));
}

static const sd_bus_vtable manager_extra[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("PageMax", "u", get_limit, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("CallsMax", "u", get_limit, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_SIGNAL_WITH_NAMES("Changed", "sas", SD_BUS_PARAM(kind) SD_BUS_PARAM(ids), 0),
        SD_BUS_SIGNAL_WITH_NAMES("OperationProgress", "suu", SD_BUS_PARAM(id) SD_BUS_PARAM(done) SD_BUS_PARAM(total), 0),
        SD_BUS_SIGNAL_WITH_NAMES("OperationFinished", "ss", SD_BUS_PARAM(id) SD_BUS_PARAM(state), 0),
        SD_BUS_VTABLE_END,
};

static int add_interface(Bus *b, const InterfaceRows *i, RowReference *references) {
        static const sd_bus_vtable start = SD_BUS_VTABLE_START(0), end = SD_BUS_VTABLE_END;
        bool manager = i == &manager_interface;
        size_t n = 0, extra = manager ? ELEMENTSOF(manager_extra) - 2 : 0;

        while (i->rows[n].member)
                n++;
        sd_bus_vtable *v = memory_new((n + extra + 2) * sizeof(*v));
        b->vtables[b->n_vtables++] = v;
        v[0] = start;
        for (size_t k = 0; k < n; k++) {
                const MethodRow *row = &i->rows[k];
                references[k] = (RowReference) { b, row, i->name };
                v[k + 1] = (sd_bus_vtable) { .type = _SD_BUS_VTABLE_METHOD, .flags = SD_BUS_VTABLE_UNPRIVILEGED | (row->flags & ROW_SECRET ? SD_BUS_VTABLE_SENSITIVE : 0) };
                v[k + 1].x.method.member = row->member;
                v[k + 1].x.method.signature = forms[row->form].in;
                v[k + 1].x.method.result = forms[row->form].out;
                v[k + 1].x.method.names = forms[row->form].names;
                v[k + 1].x.method.handler = on_method;
                v[k + 1].x.method.offset = k * sizeof(RowReference);
        }
        if (extra > 0)
                memcpy(&v[n + 1], &manager_extra[1], extra * sizeof(*v));
        v[n + extra + 1] = end;
        char name[100];
        snprintf(name, sizeof(name), "%s%s", BUS_INTERFACE_PREFIX, i->name);
        return sd_bus_add_object_vtable(b->bus, NULL, BUS_PATH, name, v, references);
}

static int add_interfaces(Bus *b) {
        size_t total = 0, next = 0;

        for (size_t i = 0; i < ELEMENTSOF(interfaces); i++)
                for (const MethodRow *row = interfaces[i]->rows; row->member; row++)
                        total++;
        b->references = memory_new(total * sizeof(*b->references));
        b->vtables = memory_new(ELEMENTSOF(interfaces) * sizeof(*b->vtables));
        for (size_t i = 0; i < ELEMENTSOF(interfaces); i++) {
                int r = add_interface(b, interfaces[i], b->references + next);
                if (r < 0)
                        return r;
                for (const MethodRow *row = interfaces[i]->rows; row->member; row++)
                        next++;
        }
        return 0;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *old, *new;
        if (sd_bus_message_read(m, "sss", &name, &old, &new) >= 0 && *name == ':' && *new == 0)
                peer_gone(userdata, name);
        return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        ((Bus *) userdata)->lost = true;
        return 0;
}

static int connect_to(const char *address, sd_bus **ret) {
        sd_bus *bus = NULL;
        int r;

        if (str_equal(address, "system"))
                return sd_bus_open_system(ret);
        if (str_equal(address, "session") || str_equal(address, "user"))
                return sd_bus_open_user(ret);
        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        if (r >= 0)
                r = sd_bus_negotiate_fds(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0) {
                sd_bus_unref(bus);
                return r;
        }
        *ret = bus;
        return 0;
}

int bus_open(const BusConfig *config, const char *address, Bus **ret) {
        Bus *b = memory_new(sizeof(*b));

        b->config = *config;
        b->own_uid = getuid();
        b->begin = call_begin;
        int r = connect_to(address, &b->bus);
        if (r >= 0)
                r = add_interfaces(b);
        if (r >= 0)
                r = sd_bus_match_signal(b->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged",
                                        on_owner_changed, b);
        if (r >= 0)
                r = sd_bus_match_signal(b->bus, NULL, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local", "Disconnected",
                                        on_disconnected, b);
        if (r >= 0)
                r = sd_bus_request_name(b->bus, BUS_NAME, 0);
        if (r < 0) {
                bus_free(b);
                return r;
        }
        *ret = b;
        return 0;
}

void bus_flush(Bus *b) {
        if (b)
                (void) sd_bus_flush(b->bus);
}

void bus_free(Bus *b) {
        if (!b)
                return;
        Call *c;
        while ((c = call_list_take(&b->held)))
                call_free(c);
        while ((c = call_list_take(&b->exports)))
                call_free(c);
        while ((c = call_list_take(&b->ready)))
                call_free(c);
        while ((c = call_list_take(&b->later)))
                call_free(c);
        while ((c = call_list_take(&b->asking)))
                call_free(c);
        users_free(b);
        for (size_t i = 0; i < b->n_kept; i++)
                sd_bus_message_unref(b->kept[i]);
        free(b->kept);
        peers_free(b);
        sd_bus_flush_close_unref(b->bus);
        for (size_t i = 0; i < b->n_vtables; i++)
                free(b->vtables[i]);
        free(b->vtables);
        free(b->references);
        free(b);
}

int bus_fd(const Bus *b) {
        return sd_bus_get_fd(b->bus);
}

int bus_events(const Bus *b) {
        return sd_bus_get_events(b->bus);
}

Usec bus_timeout(const Bus *b) {
        uint64_t t = UINT64_MAX;
        if (b->n_queued > 0)
                return 0;
        int r = sd_bus_get_timeout(b->bus, &t);
        return r <= 0 || t == UINT64_MAX ? USEC_NONE : (Usec) t;
}

int bus_drain(Bus *b, int messages, Usec time) {
        Usec until = clock_monotonic() + time;
        int r = 1;

        for (int i = 0; i < messages && r > 0 && b->n_queued < QUEUED_MAX; i++) {
                r = sd_bus_process(b->bus, NULL);
                if ((i & 15) == 15 && clock_monotonic() > until)
                        break;
        }
        users_run(b, until);
        return r < 0 ? r : r > 0 || b->n_queued > 0;
}

bool bus_has_ready(const Bus *b) {
        return b->ready.first;
}

void bus_run_ready(Bus *b) {
        CallList ready = b->ready;
        Call *c;

        b->ready.first = NULL;
        while ((c = call_list_take(&ready)))
                call_export_ready(c);
}

bool bus_is_lost(const Bus *b) {
        return b->lost || sd_bus_is_open(b->bus) <= 0;
}

bool bus_is_idle(const Bus *b) {
        return b->n_calls == 0;
}

void bus_use_settings(Bus *b, const Settings *settings) {
        b->config.settings = settings;
}

void bus_refuse_new(Bus *b) {
        b->refusing = true;
}

const ChangeRow *bus_find_change(const char *verb) {
        static ChangeRow found;              /* on the loop thread only, like everything here */

        for (size_t i = 0; i < ELEMENTSOF(interfaces); i++)
                for (const MethodRow *row = interfaces[i]->rows; row->member; row++)
                        if (strcmp(row->verb, verb) == 0 && !(row->flags & ROW_READS)) {
                                found = (ChangeRow) { row->verb, row->action, row->options };
                                return &found;
                        }
        return NULL;
}

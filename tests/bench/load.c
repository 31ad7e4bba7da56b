/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client of the figures: calls in flight over sd-bus, counted and timed. Prints one number: calls a second, or for
 * "latency" the median in µs.
 *
 *   load ADDRESS NAME edit FIELD ID SECONDS IN-FLIGHT     Customers.Edit of one text field, each with a request_id
 *   load ADDRESS NAME get ID SECONDS                      Customers.Get, one after the other
 *   load ADDRESS NAME list SECONDS CURSOR                 a page of 100 × 8 columns, one after the other
 *   load ADDRESS NAME enqueue BATCH SECONDS IN-FLIGHT     Tasks.Enqueue of BATCH no-op tasks */
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>

#include "common/clock.h"
#include "common/macro.h"

#define PATH "/org/tenantd/Tenant1"
#define PREFIX "org.tenantd.Tenant1."

static sd_bus *bus;
static const char *name;
static long done, failed, sent;
static int in_flight;

static void die(const char *what, int r) {
        fprintf(stderr, "load: %s: %s\n", what, strerror(-r));
        exit(1);
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        in_flight--;
        if (sd_bus_message_is_method_error(m, NULL)) {
                if (failed++ == 0)
                        fprintf(stderr, "load: %s\n", sd_bus_message_get_error(m)->message);
        } else {
                done++;
        }
        return 0;
}

static sd_bus_message *new_call(const char *interface, const char *member) {
        sd_bus_message *m = NULL;
        char full[100];
        snprintf(full, sizeof(full), PREFIX "%s", interface);
        int r = sd_bus_message_new_method_call(bus, &m, name, PATH, full, member);
        if (r < 0)
                die("new call", r);
        return m;
}

static sd_bus_message *edit_call(const char *field, const char *id) {
        static const char *const countries[] = { "DE", "AT", "FR", "US", "GB", "IT", "ES", "SE" };
        char value[40], request[40];
        sd_bus_message *m = new_call("Customers", "Edit");

        snprintf(value, sizeof(value), "%ld", sent);
        snprintf(request, sizeof(request), "b%d-%ld", (int) getpid(), sent);
        int r = sd_bus_message_append(m, "asa{sv}a{sv}", 1, id, 1, field, "s", strcmp(field, "country") == 0 ? countries[sent % 8] : value, 1,
                                      "request_id", "s", request);
        if (r < 0)
                die("append", r);
        return m;
}

static sd_bus_message *enqueue_call(int batch) {
        sd_bus_message *m = new_call("Tasks", "Enqueue");
        sd_bus_message_open_container(m, 'a', "s");
        for (int i = 0; i < batch; i++)
                sd_bus_message_append_basic(m, 's', "noop");
        sd_bus_message_close_container(m);
        return m;
}

static char ids[20000][40];
static int n_ids;

static void read_ids(const char *path) {
        FILE *f = fopen(path, "r");
        if (!f)
                die(path, -1);
        while (n_ids < (int) ELEMENTSOF(ids) && fscanf(f, "%39s", ids[n_ids]) == 1)
                n_ids++;
        fclose(f);
}

static sd_bus_message *list_call(const char *cursor) {
        sd_bus_message *m = new_call("Customers", "List");
        sd_bus_message_append(m, "a{sv}", 2, "columns", "as", 8, "organization", "registered_account", "status", "country", "tags", "services",
                              "open_tickets", "created", "cursor", "s", cursor);
        return m;
}

static void pump(void) {
        int r = sd_bus_process(bus, NULL);
        if (r < 0)
                die("process", r);
        if (r == 0 && (r = sd_bus_wait(bus, 100000)) < 0)
                die("wait", r);
}

int main(int argc, char **argv) {
        const char *what = argv[3];
        int most = 1;

        if (argc < 6)
                return 2;
        int r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, argv[1]);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0)
                die("connect", r);
        name = argv[2];
        double seconds = atof(strcmp(what, "list") == 0 ? argv[4] : strcmp(what, "edit") == 0 ? argv[6] : argv[5]);
        if (strcmp(what, "edit") == 0) {
                read_ids(argv[5]);
                most = atoi(argv[7]);
        } else if (strcmp(what, "enqueue") == 0) {
                most = atoi(argv[6]);
        }
        Usec begin = clock_monotonic(), end = begin + (Usec) (seconds * 1e6);
        while (clock_monotonic() < end || in_flight > 0) {
                while (in_flight < most && clock_monotonic() < end) {
                        sd_bus_message *m = strcmp(what, "edit") == 0      ? edit_call(argv[4], ids[sent % n_ids])
                                            : strcmp(what, "enqueue") == 0 ? enqueue_call(atoi(argv[4]))
                                            : strcmp(what, "list") == 0    ? list_call(argv[5])
                                                                           : new_call("Customers", "Get");
                        if (strcmp(what, "get") == 0)
                                sd_bus_message_append(m, "s", argv[4]);
                        r = sd_bus_call_async(bus, NULL, m, on_reply, NULL, UINT64_MAX);
                        sd_bus_message_unref(m);
                        if (r < 0)
                                die("call", r);
                        sent++;
                        in_flight++;
                }
                pump();
        }
        printf("%.1f\n", (double) done * 1e6 / (double) (clock_monotonic() - begin));
        if (failed > 0)
                fprintf(stderr, "load: %ld calls failed\n", failed);
        sd_bus_flush_close_unref(bus);
        return failed > 0;
}

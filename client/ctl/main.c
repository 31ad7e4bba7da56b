/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>

#include "client/ctl/agent.h"
#include "client/ctl/call.h"
#include "client/ctl/help.h"
#include "client/ctl/host.h"
#include "client/ctl/json-out.h"
#include "client/ctl/output.h"
#include "client/ctl/run.h"
#include "common/json.h"
#include "common/names.h"

static char *daemon_version(Command *c) {
        char *version = NULL;

        if (c->bus && sd_bus_get_property_string(c->bus, BUS_NAME, BUS_PATH, BUS_INTERFACE_PREFIX "Manager",
                                                 "Version", NULL, &version) < 0)
                return NULL;
        return version;
}

/* An unreachable daemon is an answer here, so nothing is said on stderr. */
static int show_versions(Command *c) {
        int r = bus_try(c);
        if (r > 0)
                return r;
        _cleanup_(freep) char *version = daemon_version(c);
        if (c->json != JSON_OFF) {
                Buffer b = {};
                json_put_object_begin(&b);
                json_put_key_string(&b, "tenantctl", PACKAGE_VERSION);
                json_put_key_string(&b, "tenantd", version);
                json_put_object_end(&b);
                json_out(stdout, b.data, b.size, c->json);
                buffer_done(&b);
        } else {
                printf("tenantctl %s\n", PACKAGE_VERSION);
                if (version)
                        printf("tenantd %s\n", version);
                else
                        puts("tenantd: cannot be reached (\"systemctl start tenantd\" starts it; --bus names another bus)");
        }
        return output_end(c, NULL);
}

static int run(Command *c, int argc, char **argv) {
        int r = command_parse(c, argc, argv);
        if (r != 0)
                return r;
        if (c->help) {
                help_print(c, stdout);
                return output_end(c, NULL);
        }
        if (command_has(c, "host"))
                return host_run(c);
        if (c->version)
                return show_versions(c);
        if (!c->verb) {
                help_print(c, stderr);
                return EXIT_USAGE;
        }
        return run_verb(c);
}

/* A program started with 0, 1 or 2 closed would take its socket for stdout. What is in its place there cannot be written either: the
 * answer is lost, and whoever asked shall know. */
static void descriptors_fill(void) {
        int fd;
        do
                fd = open("/dev/null", O_RDONLY);
        while (fd >= 0 && fd <= STDERR_FILENO);
        if (fd > STDERR_FILENO)
                close(fd);
}

int main(int argc, char **argv) {
        Command c = { .arena = arena_new() };

        descriptors_fill();
        signal(SIGPIPE, SIG_DFL);
        int r = run(&c, argc, argv);
        agent_close();
        command_done(&c);
        return r;
}

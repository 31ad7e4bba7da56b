/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/names.h"
#include "daemon/app.h"

static const char help[] =
        "tenantd [OPTIONS]\n\n"
        "The service that owns an MSP's customers; tenantctl talks to it over D-Bus.\n\n"
        "  --bus=BUS       system (default), session, or a D-Bus address\n"
        "  --state=DIR     where everything is kept (default " STATE_DIRECTORY ")\n"
        "  --config=FILE   configuration (default " CONFIG_FILE ", if it is there)\n"
        "  --log-level=L   error, warning, info (default) or debug\n"
        "  --help          this text\n"
        "  --version       the version\n\n"
        "Exit status: 0 stopped; 73 the state directory cannot be used or another\n"
        "tenantd holds it; 74 the disk failed; 75 the bus is gone; 78 bad\n"
        "configuration, or a damaged, newer or foreign database.\n";

int main(int argc, char *argv[]) {
        static const struct option options[] = {
                { "bus", required_argument, NULL, 'b' },       { "state", required_argument, NULL, 's' },
                { "config", required_argument, NULL, 'c' },    { "log-level", required_argument, NULL, 'l' },
                { "help", no_argument, NULL, 'h' },            { "version", no_argument, NULL, 'v' },
                {},
        };
        AppOptions app = { .argv = argv, .bus = "system", .state = getenv("STATE_DIRECTORY") ?: STATE_DIRECTORY };
        int c, level;

        log_open("tenantd");
        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'b':
                        app.bus = optarg;
                        break;
                case 's':
                        app.state = optarg;
                        break;
                case 'c':
                        app.config = optarg;
                        break;
                case 'l':
                        level = log_level_from_name(optarg);
                        if (level < 0) {
                                fprintf(stderr, "tenantd: --log-level must be error, warning, info or debug\n");
                                return 64;
                        }
                        log_set_level((LogLevel) level);
                        break;
                case 'h':
                        fputs(help, stdout);
                        return 0;
                case 'v':
                        puts("tenantd " PACKAGE_VERSION);
                        return 0;
                default:
                        fputs("Try tenantd --help.\n", stderr);
                        return 64;
                }
        if (optind < argc) {
                fprintf(stderr, "tenantd: %s: no arguments are taken\nTry tenantd --help.\n", argv[optind]);
                return 64;
        }
        return app_run(&app);
}

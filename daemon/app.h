/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The turn and the loop: the only place where the loop, the bus, the queue and the store meet. */

#include "daemon/model/settings.h"
#include "common/memory.h"

typedef struct AppOptions {
        char **argv;                         /* to start again with */
        const char *bus;                     /* "system", "session" or an address */
        const char *state;
        const char *config;                  /* NULL: the default path, if it is there */
} AppOptions;

/* Runs until it is told to stop; the exit status (0, 73..78). */
int app_run(const AppOptions *options);

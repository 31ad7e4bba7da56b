/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the daemon is made of, opened one after the other before there is a loop: settings, database, key, queue, bus. */

#include "daemon/action/action.h"
#include "daemon/bus/bus.h"
#include "daemon/model/zone.h"
#include "daemon/reload.h"
#include "daemon/strike.h"
#include "daemon/task/runner.h"

enum { EXIT_STATE = 73, EXIT_DISK = 74, EXIT_BUS = 75, EXIT_CONFIGURATION = 78 };

typedef struct Parts {
        Arena *arena;                        /* lives as long as the process */
        const Settings *settings;            /* never changed where it stands: see reload.h */
        Reload reload;
        Reloader reloader;
        CustomerRules rules;
        ZoneNames *zones;                    /* NULL until one is checked */
        char host[256];
        Db *db;
        Runner *runner;
        Bus *bus;
        Strike strike;
} Parts;

/* Of an action that the daemon itself does, now. */
Context parts_context(Parts *p, Arena *arena, const Caller *caller);

/* In this order. 0, or the exit status; the log has been told why. config NULL: the default path, if it is there. */
int parts_open(Parts *p, const char *state, const char *config);
int parts_recover(Parts *p);                 /* the first turn; its effects are to follow */
void parts_clear_leftovers(Parts *p);        /* of deaths and restores, in the state directory */
int parts_open_bus(Parts *p, const char *address);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The configuration read again while the daemon runs. Settings never change where somebody looks at them: what comes of it is
 * another Settings, which whatever begins from then on gets. */

#include "daemon/action/reload-action.h"
#include "daemon/configuration.h"

typedef struct Reload {
        Arena *arena;                        /* of the daemon: what is applied stays, for who still looks at what was before */
        const char *config;                  /* as it was given; NULL: the default path */
        const Settings *now;
        const Settings *next;                /* of a turn that may still be lost; NULL: nothing is to be applied */
} Reload;

int reload_read(void *reload, Arena *a, Reloaded *ret, Problem *problem);       /* a Reloader's */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The configuration, read again: what it says is found by the Reloader of the Context, and applied after the commit. */

#include "daemon/action/action.h"

typedef struct Reloaded {
        const char *const *applied, *const *restart;     /* keys that changed, NULL-terminated */
} Reloaded;

struct Reloader {
        /* Refused: whatever is wrong with a file, by file, line and reason. Nothing changes yet. */
        int (*read)(void *userdata, Arena *a, Reloaded *ret, Problem *problem);
        void *userdata;
};

int admin_reload(Context *c, const Request *request, Buffer *answer, Problem *problem);

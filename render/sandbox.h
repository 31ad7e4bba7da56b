/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the program may still do once it reads bytes that others wrote: compute, read and write the descriptors it
 * has, and end. */

#include "common/macro.h"

typedef enum SandboxMode {
        SANDBOX_TABLE,
        SANDBOX_IMAGE,
        SANDBOX_PAGES,                       /* as a table, and it may start threads: pango looks for fonts in one */
        _SANDBOX_MODE_MAX,
} SandboxMode;

/* Sets the limits (address space, CPU, file size, open files, no core), no-new-privileges and the system call
 * filter, for all threads. -errno: nothing may be read then. It cannot be undone. */
int sandbox_enter(SandboxMode mode);

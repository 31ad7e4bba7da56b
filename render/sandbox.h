/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the program may still do once it reads bytes that others wrote: compute, read and write the descriptors it
 * has, and end. */

#include "common/macro.h"

typedef enum SandboxMode { SANDBOX_TABLE, SANDBOX_IMAGE } SandboxMode;

/* Sets the limits (address space, CPU, file size, open files, no core), no-new-privileges and the system call
 * filter. -errno: nothing may be read then. It cannot be undone. */
int sandbox_enter(SandboxMode mode);

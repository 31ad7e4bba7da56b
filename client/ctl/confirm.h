/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Questions on the terminal before what is hard to undo. 0: go on; else the exit code, and the reason was said. */

#include "client/ctl/call.h"

/* "Really?" unless --yes, --confirm or --dry-run. Without a terminal: a usage error that names --yes. */
int confirm_destructive(Command *c, const char *question);
/* Several at once: shows what a dry run says of the same call, then asks; only on a terminal and without --yes. */
int confirm_bulk(Command *c, const Call *what);
/* A line typed by a person, without its end; NULL: none. In the arena. */
const char *confirm_read(Command *c, const char *question);

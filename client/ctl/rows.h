/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Verbs about one object that answer rows: schedule preview and runs. */

#include "client/ctl/call.h"

/* The verb's method as an act on the first argument; its columns are the verb's. */
int run_rows(Command *c);

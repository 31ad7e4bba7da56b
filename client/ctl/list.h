/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lists: fetched whole, printed as a table or as one JSON array. */

#include "client/ctl/call.h"

int list_query(Command *c, Dict *ret);       /* what the command line asks for: all but cursor and limit */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One connection with the daemon's schema and pragmas. Faults end the program. */

#include <sqlite3.h>

#include "tests/bench/bench.h"

void yard_open(const char *folder);                              /* its tenantd.db, made if it is not there */
sqlite3_stmt *yard_prepare(const char *sql);
void yard_exec(const char *sql);
int64_t yard_number(const char *sql);
void yard_run(sqlite3_stmt *s);                                  /* to its end, and resets it */
bool yard_row(sqlite3_stmt *s);                                  /* false at the end */

void yard_query(const char *folder);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* SQLite writes a commit to its WAL in two small writes a page, some hundred system calls for a full turn. Under this VFS they
 * are gathered and written together: when the WAL is synced, at the latest, and so before the commit is told to anybody. Only for
 * a connection with synchronous=FULL, and only its WAL: every other file is the base's own. */

#include <sqlite3.h>

/* The name of that VFS over another one, which is registered (NULL: "unix-excl"). Kept for good, not to be freed. */
const char *wal_vfs(const char *base);

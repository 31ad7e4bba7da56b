/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Files of an erased customer: unlinked after the commit that forgets them. A death in between would leave them for ever, with no
 * row that names them, so the same commit keeps their names until they are known to be gone. */

#include "daemon/store/turn.h"

/* In the turn: the files that its effects from the given one on will unlink. Only those in reports/ and outbox-mail/ are. */
int going_note(Db *db, const char *state, size_t first);
/* In a turn, when no earlier one still has effects to come: unlinks what is noted, wherever a start may have moved it, and
 * forgets it. < 0: a fault of the database. */
int going_finish(Db *db, const char *state);

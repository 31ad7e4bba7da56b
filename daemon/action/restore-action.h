/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Another database takes this one's place. The call's worker has copied and judged the file and put a note of who asked
 * into it; here the turn is told to stage it. The daemon then starts anew and does what the note says. */

#include "daemon/action/action.h"
#include "daemon/store/judge.h"

/* request->picture: the file's facts; request->spool: where it is. */
int admin_restore(Context *c, const Request *request, Buffer *answer, Problem *problem);
/* What there is now, on whichever connection: {"integrity":"ok","audit":…}. Reads everything: for a worker. */
int admin_verify(Context *c, const Request *request, Buffer *answer, Problem *problem);

/* The answer to a restore of such a file into this database. */
int restore_answer(Context *c, const BackupFacts *facts, Buffer *answer);
/* The note: who asked for what, what they were told, and the epoch that begins. */
int restore_note_write(Context *c, const Request *request, const BackupFacts *facts, Buffer *ret);

/* What was put in place says who asked, and of what epoch it is. A refusal: it cannot be read, and no start will ever do better. */
int restore_note_check(Db *db, const Settings *settings, Problem *problem);
/* In the first turn of a start: if a restored database was put in place, its epoch begins, the queue is paused, the audit and
 * the remembered answer of the request tell of it. */
int restore_begin_epoch(Context *c);

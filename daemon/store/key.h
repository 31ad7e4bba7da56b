/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The key that seals what the database must not tell: the file `key` in the credentials directory, else STATE/key,
 * which is made at the first start. 64 hexadecimal digits and a line end. */

#include "common/seal.h"
#include "daemon/store/turn.h"

/* Refusals (InvalidArgument, exit 78): key-readable, bad-key, key-missing, wrong-key; they tell path and cure.
 * credentials NULL: no such directory. In a turn: the database remembers which key it belongs to. */
int key_open(Db *db, const char *state, const char *credentials, Problem *problem);
const Key *db_key(const Db *db);                                 /* of the writer, after key_open(); never NULL */
/* A reader that checks seals gets a copy of the writer's; wiped when it is closed. */
void key_lend(Db *to, const Db *from);
/* Which key it is, as setting "key-mark" names it: 8 hexadecimal digits. */
enum { KEY_MARK_SIZE = 9 };
char *key_mark(const Key *key, char ret[KEY_MARK_SIZE]);

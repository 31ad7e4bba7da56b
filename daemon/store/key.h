/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The key that seals what the database must not tell: the credential `key`, else STATE/key, which is made at the first start
 * (key-file.h). The database keeps the mark of its key, and that decides: which of two keys counts after a death in the middle
 * of a rotation, and with which one from before it was sealed if it comes from a backup. */

#include "common/seal.h"
#include "daemon/store/turn.h"

enum { KEY_GENERATIONS_MAX = 8 };

/* Where the key comes from, and how the setting key-place says it to whoever reads on a worker. */
typedef enum KeyPlace { KEY_FILE, KEY_CREDENTIAL, KEY_CREDENTIAL_NEW } KeyPlace;
#define KEY_PLACE_FILE "file"
#define KEY_PLACE_CREDENTIAL "credential"
#define KEY_PLACE_CREDENTIAL_NEW "credential-new"

/* Refusals (InvalidArgument, exit 78): key-readable, bad-key, key-missing, wrong-key; they tell path and cure.
 * credentials NULL: no such directory. In a turn: the database remembers which key it belongs to. Afterwards key_next() may be
 * there: the database is an older one, and what is sealed in it is to be sealed anew in this very turn. */
int key_open(Db *db, const char *state, const char *credentials, Problem *problem);
bool key_is_first(const Db *db);             /* the database had none before this key_open() */
/* Of the writer, after key_open(); never NULL: what is sealed, and hashed, from here on. */
const Key *db_key(const Db *db);
KeyPlace key_place(const Db *db);
KeyPlace key_next_place(const Db *db);       /* of a change */
const char *key_next_mark(const Db *db, Arena *a);
const char *key_present_mark(const Db *db, Arena *a);

/* A reader that looks into what is sealed gets a copy of the writer's key, as it is now, from the writer or from another reader that
 * has one; wiped when it is closed. Any thread. */
void key_lend(Db *to, const Db *from);
/* The same of the key of this mark: the present one, or one of before that was kept. 1 lent, 0 there is none; < 0: its file is not
 * one, as at a start, and *problem says so. mark NULL: the present one. */
int key_lend_marked(Db *to, const Db *from, const char *mark, Problem *problem);

/* A change of the key happens in one savepoint: begin, seal everything anew, end. Whatever is sealed later in the same turn is
 * sealed with the new one, and if savepoint or turn are lost, the old one is still the key.
 * Refused: rotation-running, no-new-key, too-many-rotations, unwritable. dry_run: nothing is made. */
int key_change_begin(Db *db, Usec now, bool dry_run, Problem *problem);
const Key *key_old(const Db *db);
const Key *key_next(const Db *db);                               /* NULL: no change is under way */
/* until: hashes of the old key are known that long; 0: there are none. */
int key_change_end(Db *db, Usec now, Usec until);
/* After a turn that had EFFECT_KEY and is on disk: the new key is the key, also of the files. */
void key_changed(Db *db);

/* Of codes and links: whether text is what was hashed, with the present key or one from before that is still known. */
bool key_hash_matches(const Db *db, Usec now, const char *purpose, const char *text, const uint8_t hash[KEYED_HASH_SIZE]);

/* A keyed hash that no change of the key changes, for what is compared for longer than a code lives. Its own key is made with the
 * database and kept in it, sealed. A database without any key (tests) hashes with none. */
void key_lasting_hash(const Db *db, const char *purpose, const char *text, uint8_t ret[KEYED_HASH_SIZE]);

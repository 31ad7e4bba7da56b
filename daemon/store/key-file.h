/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The files that keys are in: 64 hexadecimal digits and a line end each. In the state directory, 0600:
 *   key          the present one
 *   key.new      the next one, while a rotation is under way; after a death the database's mark says which of the two counts
 *   key.MARK     one of before, by its mark: for backups that were made with it
 * and in the credentials directory, which is systemd's to fill: key, key-new, key-old. */

#include "common/problem.h"
#include "common/seal.h"

enum { MARK_TEXT_SIZE = 9 };                 /* of a mark in hex, with its NUL */

const char *key_mark(const Key *k, char ret[MARK_TEXT_SIZE]);

/* Derives the keys of the file. 1 read, 0 not there; -EPERM with *problem set: key-readable, bad-key, which tell path and cure.
 * ours: in the state directory. */
int key_file_read(const char *path, bool ours, Key *ret, Problem *problem);
int key_file_make(const char *path, Key *ret);                   /* a new one, on disk */
/* Whether any of the state directory's is readable by others: -EPERM, with *problem set. */
int key_files_check(const char *state, Problem *problem);
/* key.new becomes key, and what was key becomes key.MARK. Again after a death: it goes on. */
int key_files_install(const char *state);
/* key.new of a rotation that was not committed becomes key.MARK, and what a death left of writing it goes. 1: there was one. */
int key_files_put_aside(const char *state);

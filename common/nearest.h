/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* "Did you mean": the name of a NULL-terminated table that a mistyped word is nearest to (edit distance at most a
 * third of its length), or NULL. Bytes, not characters: names are our own and ASCII. */
const char *nearest_name(const char *const *names, const char *word);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Text from outside: validity, normal form, and the key by which text is searched and sorted (rules: NFD, without
 * U+0300–036F, NFC, full case folding, ı as i). Pure; results live in the arena. */

#include "common/field.h"

enum { TEXT_ONE_LINE, TEXT_FREE };   /* TEXT_FREE may hold LF and TAB */

/* Trims blanks at both ends, normalises to NFC, then judges: valid UTF-8, min..max code points, no character of Cc,
 * Zl, Zp, no bidi control (U+202A–202E, U+2066–2069), no noncharacter, and at least one visible character if min > 0.
 * Blanks are spaces of any script, in free text LF and TAB too. max < 0: no upper limit.
 * Refusals are InvalidArgument with field, rule (invalid-utf8, too-long, too-short, control-character, bidi-control,
 * noncharacter, nothing-visible) and the position (in characters from 1) or length. *text is replaced. */
int text_check(Arena *a, const char *field, int kind, int64_t min, int64_t max, const char **text, Problem *ret);

/* The check of Field.check == NULL: one line, Field.min..max. */
int text_check_field(Arena *a, const Field *field, const char **text, Problem *ret);

char *text_nfc(Arena *a, const char *s);                         /* s must be valid UTF-8 */
char *text_key(Arena *a, const char *s);                         /* s must be valid UTF-8 */
char *text_fold(Arena *a, const char *s);                        /* full case folding in NFC, marks kept; s valid UTF-8 */

bool text_char_invisible(uint32_t c);                            /* blanks, controls, format characters, fillers */
bool text_char_noncharacter(uint32_t c);

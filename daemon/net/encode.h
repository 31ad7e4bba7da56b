/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How text and bytes get into a message: base64 (RFC 4648, 2045), encoded words (RFC 2047), parameters (RFC 2231).
 * Pure. Texts are valid UTF-8 without control characters: text_is_header() says whether one is. */

#include "common/buffer.h"

enum { HEADER_LINE_MAX = 76, BASE64_LINE = 57 };                 /* characters of a line; bytes that fill one */

bool text_is_header(const char *s);                              /* valid, no C0, DEL, C1, U+2028, U+2029, noncharacter */

void base64_add(Buffer *b, const void *data, size_t n);          /* one run, padded */
void base64_add_lines(Buffer *b, const void *data, size_t n);    /* lines of 76 ended by CR LF; n a multiple of 57 but for the last */

/* The header "NAME: text" CR LF: as it is if it is ASCII and can be folded at its blanks, else as encoded words. */
void header_add_text(Buffer *b, const char *name, const char *text);
/* The header "NAME: display <address>" CR LF; display may be NULL. An address is never folded. */
void header_add_mailbox(Buffer *b, const char *name, const char *display, const char *address);

/* ";" CR LF " NAME=…" with the value as encoded words in quotes (what Content-Type's name is given as), or as RFC 2231
 * says; both plain and quoted if the value needs no more. */
void parameter_add_words(Buffer *b, const char *name, const char *value);
void parameter_add_2231(Buffer *b, const char *name, const char *value);

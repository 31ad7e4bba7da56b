/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* E-mail addresses: one mailbox, no display name. The first spelling is kept; two are the same when their keys are. */

#include "common/problem.h"

/* Trims, NFC; refuses (InvalidArgument, code bad-address) what is not local@domain, is too long (64, 255, 254 bytes
 * in all), holds control or invisible characters or blanks, or a domain without a dot or with a bad label. IDN domains
 * are taken. *text is replaced by the spelling to keep. */
int address_check(Arena *a, const char *field, const char **text, Problem *ret);

/* Local part full case folded, domain lower-case A-label; quotes around the local part that it does not need are
 * dropped. Takes any valid UTF-8, so that what someone searches for has a key even if it is no address. */
char *address_key(Arena *a, const char *address);

/* The lower-case A-label form of a domain alone, which must have a dot; NULL if it is no domain name. */
char *domain_key(Arena *a, const char *domain);

/* Recipients as people type them: separated by ; or , outside quotes, empty members ignored, "Name <addr>" taken and
 * the name dropped, doubles (same key) are one in the first spelling. At most max, else LimitExceeded
 * too-many-recipients. A member that is no address refuses the whole list and is named. */
int address_list_check(Arena *a, const char *field, const char *const *texts, size_t n, size_t max,
                       const char ***ret_items, size_t *ret_n, Problem *ret);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An e-mail address as it goes over the wire: LOCAL@DOMAIN without angle brackets, an IDN domain as A-labels. Pure. */

#include "common/problem.h"

/* Refuses (InvalidArgument bad-address) whatever could become more than one address or command: control characters,
 * blanks and angle brackets anywhere, no or several @ outside quotes, a domain that is none (one without a dot is
 * taken if it is ASCII). The spelling of the local part and of an ASCII domain stays. */
int mailbox_wire(Arena *a, const char *field, const char *address, const char **ret, Problem *problem);

bool mailbox_needs_smtputf8(const char *address);                /* is its local part more than ASCII? */

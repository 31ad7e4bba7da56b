/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The relay of the settings: its address, security and secrets, and one connection to it. For a worker. */

#include "common/memory.h"
#include "daemon/model/settings.h"
#include "daemon/net/smtp.h"

typedef struct Relay Relay;

/* Reads the secrets (files of the credentials directory, or what mail.token_command prints). 1: *ret_result says what is
 * wrong with the settings, as if the relay had said it. */
int relay_open(const Settings *settings, const char *host, Relay **ret, SmtpResult *ret_result);
Smtp *relay_smtp(Relay *r);
void relay_close(Relay *r);                                      /* NULL is taken; wipes the secrets */
/* host of "HOST[:PORT]" and "[IPv6]:PORT"; port 0: none was given. false: it is neither. */
bool relay_parse(Arena *a, const char *text, const char **ret_host, int *ret_port);

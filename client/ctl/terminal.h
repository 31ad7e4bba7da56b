/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What stands at the other end of stdin, stdout and stderr. */

#include "common/macro.h"

bool terminal_is_stdout(void);               /* as it was at the first question: a pager changes nothing */
bool terminal_is_dumb(void);                 /* TERM=dumb or none: no colour, pager or bar */
bool terminal_has_color(void);               /* stdout shows colours and the user wants them */
bool terminal_has_bar(void);                 /* stderr can redraw a line */
bool terminal_can_ask(void);                 /* a person can read a question on stderr and answer on stdin */
unsigned terminal_width(void);               /* cells of stdout; 0: not a terminal, nothing is cut */

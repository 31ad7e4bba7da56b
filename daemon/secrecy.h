/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the process holds is nobody else's: no core dump of it is written, also not by a handler of the system's; no other process of
 * its user may look into it or attach to it; and of it and its children the size of one is 0. Before the first secret is read. */
void secrecy_begin(void);

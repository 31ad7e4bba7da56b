/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* On a terminal, stdout goes through TENANTCTL_PAGER, else PAGER, else less. Opened at most once. */

void pager_open(void);
void pager_close(void);                      /* flushed before; waits until the reader has read */

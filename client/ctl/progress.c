/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "client/ctl/cell.h"
#include "client/ctl/progress.h"
#include "client/ctl/terminal.h"

enum { BAR = 30 };

static bool shown;

void progress_show(const char *what, uint64_t done, uint64_t total) {
        Buffer b = {};

        if (!terminal_has_bar())
                return;
        buffer_printf(&b, "\r\033[K%s [", what);
        size_t full = total > 0 ? (size_t) (MIN(done, total) * BAR / total) : 0;
        for (size_t i = 0; i < BAR; i++)
                buffer_add_char(&b, i < full ? '#' : ' ');
        buffer_add_string(&b, "] ");
        cell_put_number(&b, (int64_t) done);
        buffer_add_string(&b, " of ");
        cell_put_number(&b, (int64_t) total);
        fputs(b.data, stderr);
        fflush(stderr);
        buffer_done(&b);
        shown = true;
}

void progress_clear(void) {
        if (shown)
                fputs("\r\033[K", stderr);
        shown = false;
}

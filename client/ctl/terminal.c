/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <sys/ioctl.h>

#include "client/ctl/terminal.h"
#include "common/text.h"

bool terminal_is_stdout(void) {
        static int known = -1;
        if (known < 0)
                known = isatty(STDOUT_FILENO);
        return known;
}

bool terminal_is_dumb(void) {
        const char *term = getenv("TERM");
        return str_empty(term) || str_equal(term, "dumb");
}

bool terminal_has_color(void) {
        return str_empty(getenv("NO_COLOR")) && !terminal_is_dumb() && terminal_is_stdout();
}

bool terminal_has_bar(void) {
        return isatty(STDERR_FILENO) && !terminal_is_dumb();
}

bool terminal_can_ask(void) {
        return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

unsigned terminal_width(void) {
        struct winsize size = {};
        uint64_t columns;
        const char *set = getenv("COLUMNS");

        if (!terminal_is_stdout())
                return 0;
        if (set && number_parse(set, 10000, &columns) && columns > 0)
                return (unsigned) columns;
        if ((ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 || ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) &&
            size.ws_col > 0)
                return size.ws_col;
        return 80;
}

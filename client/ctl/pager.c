/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "client/ctl/pager.h"
#include "client/ctl/terminal.h"

static pid_t pager;

static const char *pager_command(void) {
        const char *own = getenv("TENANTCTL_PAGER"), *common = getenv("PAGER");
        /* Not every host has it. */
        return own ? own : common ? common : "if command -v less >/dev/null; then exec less; else exec cat; fi";
}

static _noreturn_ void run_pager(const char *command, int in) {
        if (dup2(in, STDIN_FILENO) < 0)
                _exit(127);
        /* -F: no page for what fits on the screen; -R: colours; -S: a row stays a row; -X: the text stays afterwards. */
        setenv("LESS", "FRSXMK", 0);
        setenv("LESSCHARSET", "utf-8", 1);
        signal(SIGINT, SIG_DFL);
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
}

void pager_open(void) {
        const char *command = pager_command();
        int ends[2];

        if (pager > 0 || terminal_is_dumb() || !terminal_is_stdout() || str_empty(command) ||
            str_equal(command, "cat"))
                return;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return;
        pager = fork();
        if (pager == 0)
                run_pager(command, ends[0]);
        if (pager > 0) {
                (void) dup2(ends[1], STDOUT_FILENO);
                signal(SIGINT, SIG_IGN);                         /* the pager's own key while it runs */
        }
        close(ends[0]);
        close(ends[1]);
}

void pager_close(void) {
        if (pager <= 0)
                return;
        close(STDOUT_FILENO);
        while (waitpid(pager, NULL, 0) < 0 && errno == EINTR)
                ;
        pager = 0;
        (void) open("/dev/null", O_WRONLY);
}

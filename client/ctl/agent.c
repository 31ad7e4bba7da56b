/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-login.h>

#include "client/ctl/agent.h"

/* Longer than polkitd takes to be started by the bus. */
enum { READY_MSEC = 25 * 1000 };

static pid_t agent;
static bool was_opened;

bool agent_may_ask(const Command *c) {
        return !command_has(c, "no-ask-password");
}

bool agent_is_needed(const Command *c) {
        const char *where = command_text(c, "bus");
        return (!where || str_equal(where, "system")) && geteuid() != 0 && isatty(STDIN_FILENO);
}

bool agent_is_open(void) {
        return was_opened;
}

/* Signals as a program expects to find them, and one more when tenantctl is gone, however that came about. */
static void signals_reset(pid_t parent) {
        sigset_t none;

        for (int i = 1; i < NSIG; i++)
                (void) signal(i, SIG_DFL);
        sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
                _exit(1);
}

/* As polkit finds it: the session this runs in, else the one that shows this user's desktop. */
static bool has_session(void) {
        _cleanup_(freep) char *session = NULL, *display = NULL;
        return sd_pid_get_session(0, &session) >= 0 || sd_uid_get_display(getuid(), &display) >= 0;
}

/* It talks to the person through the terminal alone. stdout and stderr may be pipes whose readers wait for their end. What is
 * left open is the terminal and the descriptor whose end says "ready". The subject is this process: polkit takes no connection
 * as one. An agent of the desktop goes first, but that is only said where there may be one: without a session polkit would
 * take an agent that stands back for none. */
static _noreturn_ void run_agent(pid_t parent, int notify, bool stands_back) {
        char fd_text[32], process_text[32];

        signals_reset(parent);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
                _exit(127);
        if (fcntl(notify, F_SETFD, 0) < 0)
                _exit(127);
        snprintf(fd_text, sizeof(fd_text), "--notify-fd=%d", notify);
        snprintf(process_text, sizeof(process_text), "--process=%ld", (long) parent);
        execlp("pkttyagent", "pkttyagent", fd_text, process_text, stands_back ? "--fallback" : NULL, NULL);
        _exit(127);
}

/* Its end of the pipe is closed when it is registered, and also when it is gone. */
static void wait_ready(int fd) {
        struct pollfd p = { .fd = fd };

        while (poll(&p, 1, READY_MSEC) < 0 && errno == EINTR)
                ;
}

void agent_open(void) {
        int ends[2];
        pid_t self = getpid();

        if (was_opened)
                return;
        was_opened = true;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return;
        bool stands_back = has_session();
        (void) fflush(NULL);
        pid_t child = fork();
        if (child == 0)
                run_agent(self, ends[1], stands_back);
        close(ends[1]);
        if (child > 0) {
                agent = child;
                wait_ready(ends[0]);
        }
        close(ends[0]);
}

/* SIGTERM lets it give the terminal its echo back; a stopped one must go on to hear it. */
void agent_close(void) {
        if (agent <= 0)
                return;
        (void) kill(agent, SIGTERM);
        (void) kill(agent, SIGCONT);
        while (waitpid(agent, NULL, 0) < 0 && errno == EINTR)
                ;
        agent = 0;
}

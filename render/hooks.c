/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "render/hooks.h"

#ifdef TEST_HOOKS
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "render/sandbox.h"

static int probe_read(void) {
        return (int) syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static int probe_write(void) {
        return (int) syscall(SYS_openat, AT_FDCWD, "/tmp/tenantd-render-probe", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static int probe_socket(void) {
        return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int probe_exec(void) {
        char *const argv[] = { (char *) "true", NULL };
        return execv("/bin/true", argv);
}

static int probe_fork(void) {
        return (int) fork();
}

static int probe_ptrace(void) {
        return (int) ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int probe_kill(void) {
        return kill(getppid(), 0);
}

static int probe_code(void) {
        return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
                       ? -1 : 0;
}

/* ENOMEM counts as refused: that is how this wall answers. */
static int probe_memory(void) {
        void *p = mmap(NULL, 2UL << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED && errno == ENOMEM)
                errno = EPERM;
        return p == MAP_FAILED ? -1 : 0;
}

static int probe_unlink(void) {
        return unlink("/tmp/tenantd-render-probe");
}

/* A loop that does not end by itself: for the limit on CPU time, and for a parent that cancels. */
static int probe_spin(void) {
        for (;;)
                __asm__ volatile("");
        return 0;
}

static int probe_abort(void) {
        abort();
}

int hooks_run(const char *kind, const char *name) {
        static const struct {
                const char *name;
                int (*run)(void);
        } probes[] = {
                { "read", probe_read }, { "write", probe_write }, { "socket", probe_socket },
                { "exec", probe_exec }, { "fork", probe_fork }, { "ptrace", probe_ptrace }, { "kill", probe_kill },
                { "code", probe_code }, { "memory", probe_memory }, { "unlink", probe_unlink },
                { "spin", probe_spin }, { "abort", probe_abort },
        };

        for (size_t i = 0; i < ELEMENTSOF(probes); i++)
                if (str_equal(probes[i].name, name)) {
                        if (sandbox_enter(str_equal(kind, "probe-pdf") ? SANDBOX_PAGES : SANDBOX_IMAGE) < 0)
                                return 4;
                        return probes[i].run() >= 0 ? 0 : errno == EPERM ? 3 : 4;
                }
        return 2;
}
#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "render/sandbox.h"

#define MIB (1024ULL * 1024)

typedef struct Limit {
        int resource;
        rlim_t value[_SANDBOX_MODE_MAX];                     /* by SandboxMode */
} Limit;

/* CPU is a backstop only: the parent keeps the time. A table is as large as its rows, its memory is not. */
static const Limit limits[] = {
        { RLIMIT_CORE, { 0, 0, 0 } },
        { RLIMIT_CPU, { 4 * 3600, 20, 4 * 3600 } },
        { RLIMIT_FSIZE, { 256 * 1024 * MIB, 8 * MIB, 256 * 1024 * MIB } },
        { RLIMIT_NOFILE, { 64, 4, 65536 } },         /* every font is open */
#ifndef SANITIZERS
        { RLIMIT_AS, { 512 * MIB, 160 * MIB, 1536 * MIB } },      /* the sanitizers' shadow is terabytes of address space */
#endif
};

static int limits_set(SandboxMode mode) {
        for (size_t i = 0; i < ELEMENTSOF(limits); i++) {
                struct rlimit now, l = { limits[i].value[mode], limits[i].value[mode] };
                if (getrlimit(limits[i].resource, &now) < 0)
                        return -errno;
                l.rlim_max = MIN(l.rlim_max, now.rlim_max);
                l.rlim_cur = MIN(l.rlim_cur, now.rlim_max);
                if (setrlimit(limits[i].resource, &l) < 0)
                        return -errno;
        }
        return 0;
}

/* What a decoder, zlib and libc need. */
static const int allowed[] = {
        SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(lseek), SCMP_SYS(ftruncate),
        SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(close), SCMP_SYS(brk), SCMP_SYS(munmap),
        SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
        SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(restart_syscall), SCMP_SYS(futex),
        SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
        SCMP_SYS(getrusage),
#ifdef SANITIZERS
        SCMP_SYS(sigaltstack), SCMP_SYS(sched_yield), SCMP_SYS(readlink), SCMP_SYS(getrlimit), SCMP_SYS(prlimit64),
        SCMP_SYS(sched_getaffinity),
#endif
};

/* No library of ours ever tries these; who does has been taken over. */
static const int fatal[] = {
        SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork),
        SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(sendto),
        SCMP_SYS(sendmsg), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
        SCMP_SYS(pidfd_getfd), SCMP_SYS(mount), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(bpf),
        SCMP_SYS(io_uring_setup), SCMP_SYS(userfaultfd), SCMP_SYS(perf_event_open), SCMP_SYS(keyctl),
        SCMP_SYS(open_by_handle_at), SCMP_SYS(init_module), SCMP_SYS(finit_module),
};

/* Cairo asks whether a font's file is still there, and gets a copy of the descriptor (fonts.h). A thread is no way out:
 * it has this filter too. Of clone3() the filter cannot see what it is to make; libc then takes clone(). */
static int pages_allow(scmp_filter_ctx f) {
        static const int calls[] = { SCMP_SYS(dup), SCMP_SYS(access), SCMP_SYS(faccessat),
                                     SCMP_SYS(set_robust_list),
                                     SCMP_SYS(rseq), SCMP_SYS(sched_yield) };
        int r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

        if (r == 0)
                r = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1,
                                     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
        if (r == 0)
                r = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
        for (size_t i = 0; i < ELEMENTSOF(calls) && r == 0; i++)
                r = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);
        return r;
}

static int threads_forbid(scmp_filter_ctx f) {
        int r = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 0);
        return r == 0 ? seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone3), 0) : r;
}

static int rules_add(scmp_filter_ctx f, SandboxMode mode) {
        const scmp_datum_t self = (scmp_datum_t) getpid();
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(allowed) && r == 0; i++)
                r = seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0);
        for (size_t i = 0; i < ELEMENTSOF(fatal) && r == 0; i++)
                r = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, fatal[i], 0);
        if (r == 0)
                r = mode == SANDBOX_PAGES ? pages_allow(f) : threads_forbid(f);
        /* Memory, but none that could be run. */
        if (r == 0)
                r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        if (r == 0)
                r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        /* abort() may end this process, as that is what it is for. */
        if (r == 0)
                r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, self));
        if (r == 0)
                r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1, SCMP_A0(SCMP_CMP_EQ, self));
#ifdef SANITIZERS
        /* A report names functions: it reads /proc/self/maps and the program's file. */
        if (r == 0)
                r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                                     SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT, O_RDONLY));
#endif
        return r;
}

/* Everything not listed fails with EPERM and does not kill: a libc newer than this list may try a call for speed and
 * do without it, and a report that was not written is worse than a call that was not made. */
int sandbox_enter(SandboxMode mode) {
        int r;

        if ((r = limits_set(mode)) < 0)
                return r;
        signal(SIGXFSZ, SIG_IGN);            /* the limit is then an error of write() */
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        if (!f)
                return -ENOMEM;
        r = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
        if (r == 0)
                r = rules_add(f, mode);
        if (r == 0)
                r = seccomp_load(f);
        seccomp_release(f);
        return r < 0 ? r : 0;
}

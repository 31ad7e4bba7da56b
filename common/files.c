/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/crash.h"
#include "common/files.h"
#include "common/memory.h"

int fd_write_all(int fd, const void *data, size_t n) {
        const char *p = data;
        while (n > 0) {
                ssize_t k = write(fd, p, n);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                p += k;
                n -= (size_t) k;
        }
        return 0;
}

/* 1: ready, or broken: the call that follows says which; 0: look again. */
static int wait_ready(int fd, short events, Usec until) {
        struct pollfd ready = { .fd = fd, .events = events };
        Usec left = until - clock_monotonic();

        if (left <= 0)
                return -ETIMEDOUT;
        int k = poll(&ready, 1, (int) MIN(left / USEC_MSEC + 1, (Usec) 1000));
        return k < 0 && errno != EINTR ? -errno : k > 0;
}

/* What can be written to a pipe or a socket without waiting, once poll() says so, is at least this much. */
int fd_write_foreign(int fd, const void *data, size_t n, int64_t patience) {
        const char *p = data;
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISREG(st.st_mode))
                return fd_write_all(fd, data, n);
        for (Usec until = clock_monotonic() + patience; n > 0;) {
                int r = wait_ready(fd, POLLOUT, until);
                if (r < 0)
                        return r;
                ssize_t written = r > 0 ? write(fd, p, MIN(n, (size_t) PIPE_BUF)) : 0;
                if (written < 0 && errno != EINTR && errno != EAGAIN)
                        return -errno;
                if (written <= 0)
                        continue;
                p += written;
                n -= (size_t) written;
                until = clock_monotonic() + patience;
        }
        return 0;
}

ssize_t fd_read_foreign(int fd, void *data, size_t n, int64_t patience) {
        for (Usec until = clock_monotonic() + patience;;) {
                int r = wait_ready(fd, POLLIN, until);
                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                ssize_t got = read(fd, data, n);
                if (got >= 0 || (errno != EINTR && errno != EAGAIN))
                        return got < 0 ? -errno : got;
        }
}

int folder_sync(const char *folder) {
        _cleanup_(closep) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int parent_sync(const char *path) {
        _cleanup_(freep) char *copy = memory_strdup(path);
        return folder_sync(dirname(copy));
}

int file_finish(int fd, const char *written, const char *path) {
        if (fsync(fd) < 0 || rename(written, path) < 0)
                return -errno;
        int r = parent_sync(path);
        crash_point("after_rename");
        return r;
}

int file_write(const char *path, const void *data, size_t n, unsigned mode) {
        char temporary[4200];
        int r;

        if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= (int) sizeof(temporary))
                return -ENAMETOOLONG;
        _cleanup_(closep) int fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = fchmod(fd, mode) < 0 ? -errno : fd_write_all(fd, data, n);
        if (r >= 0)
                r = file_finish(fd, temporary, path);
        if (r < 0)
                unlink(temporary);
        return r;
}

int file_read(const char *path, size_t max, Buffer *ret) {
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        return fd < 0 ? -errno : fd_read_all(fd, max, INT64_MAX, ret);
}

int fd_read_all(int fd, size_t max, int64_t deadline, Buffer *ret) {
        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                Usec left = deadline == INT64_MAX ? USEC_HOUR : deadline - clock_monotonic();
                if (left <= 0)
                        return -ETIMEDOUT;
                int ready = poll(&p, 1, (int) MIN(left / USEC_MSEC + 1, (Usec) 1000));
                if (ready == 0 || (ready < 0 && errno == EINTR))
                        continue;
                if (ready < 0)
                        return -errno;
                size_t want = MIN((size_t) 65536, max + 1 - ret->size);
                ssize_t k = read(fd, buffer_reserve(ret, want), want);
                if (k < 0 && (errno == EINTR || errno == EAGAIN))
                        continue;
                if (k < 0)
                        return -errno;
                ret->size += (size_t) k;
                ret->data[ret->size] = 0;
                if (k == 0)
                        return 0;
                if (ret->size > max)
                        return -EFBIG;
        }
}

int memfd_sealed(const char *name, const void *data, size_t n, int *ret_fd) {
        _cleanup_(closep) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return -errno;
        int r = fd_write_all(fd, data, n);
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int spool_open(const char *folder, int *ret_fd) {
        int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
                char path[4200];
                if (snprintf(path, sizeof(path), "%s/spool.XXXXXX", folder) >= (int) sizeof(path))
                        return -ENAMETOOLONG;
                fd = mkostemp(path, O_CLOEXEC);
                if (fd >= 0)
                        unlink(path);
        }
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

int fd_reopen_read_only(int fd, int *ret_fd) {
        char path[40];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        int again = open(path, O_RDONLY | O_CLOEXEC);
        if (again < 0)
                return -errno;
        *ret_fd = again;
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "client/ctl/output.h"
#include "client/ctl/pager.h"
#include "client/ctl/terminal.h"
#include "common/files.h"
#include "common/id.h"

void output_begin(Command *c, bool page) {
        if (page && !command_has(c, "no-pager"))
                pager_open();
}

int output_end(Command *c, const char *created) {
        bool bad = ferror(stdout) != 0;
        int error = 0;

        if (fflush(stdout) != 0) {
                bad = true;
                error = errno;
        }
        pager_close();
        if (!bad)
                return 0;
        return fail(EXIT_FAILED, "cannot-write", NULL, "the answer cannot be written: %s%s%s",
                    error ? strerror(error) : "write error", created ? "; it was done, the id is " : "",
                    created ? created : "");
}

/* ---- files ---- */

static int fail_path(const OutputFile *f, int error) {
        return fail(EXIT_FAILED, "cannot-write", NULL, "%s cannot be written: %s%s%s%s", f->path, strerror(error),
                    f->created ? "; the report is kept: \"tenantctl report save " : "", f->created ?: "", f->created ? "\" gives it again" : "");
}

int output_file_check(Command *c, const char *path, bool binary, OutputFile *ret) {
        struct stat st;

        *ret = (OutputFile) OUTPUT_FILE_INIT;
        ret->path = path;
        if (str_equal(path, "-")) {
                ret->direct = true;
                if (binary && isatty(STDOUT_FILENO))
                        return fail(EXIT_USAGE, "binary-to-terminal", NULL,
                                    "that is binary and stdout is a terminal: give --output FILE");
                return 0;
        }
        if (!*path)
                return fail(EXIT_USAGE, "empty", NULL, "the name of the output file is empty");
        _cleanup_(freep) char *real = realpath(path, NULL);
        if (real)
                ret->path = arena_strdup(c->arena, real);
        if (!real || stat(real, &st) < 0)
                return 0;
        if (S_ISDIR(st.st_mode))
                return fail(EXIT_USAGE, "is-a-directory", NULL, "%s is a directory: give a file's name",
                            path);
        ret->direct = !S_ISREG(st.st_mode);
        if (binary && S_ISCHR(st.st_mode)) {
                _cleanup_(closep) int fd = open(real, O_WRONLY | O_CLOEXEC | O_NOCTTY);
                if (fd >= 0 && isatty(fd))
                        return fail(EXIT_USAGE, "binary-to-terminal", NULL,
                                    "that is binary and %s is a terminal", path);
        }
        return 0;
}

/* Without a name as long as the file system can: a program that is killed leaves nothing behind. */
static int open_beside(OutputFile *f, unsigned mode) {
        _cleanup_(freep) char *copy = memory_strdup(f->path);
        const char *folder = dirname(copy);

        f->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
        if (f->fd >= 0)
                return 0;
        if (errno != EOPNOTSUPP && errno != EISDIR)
                return -errno;
        size_t n = strlen(f->path) + sizeof(".XXXXXX");
        f->temporary = memory_new(n);
        snprintf(f->temporary, n, "%s.XXXXXX", f->path);
        f->fd = mkostemp(f->temporary, O_CLOEXEC);
        if (f->fd < 0) {
                int error = errno;
                free(TAKE_PTR(f->temporary));
                return -error;
        }
        unsigned mask = umask(0);
        umask(mask);
        return fchmod(f->fd, mode & ~mask) < 0 ? -errno : 0;
}

int output_file_open(OutputFile *f, unsigned mode) {
        int r = 0;

        if (str_equal(f->path, "-"))
                f->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        else if (f->direct)
                f->fd = open(f->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        else
                r = open_beside(f, mode);
        if (r == 0 && f->fd < 0)
                r = -errno;
        return r < 0 ? fail_path(f, -r) : 0;
}

int output_file_copy(OutputFile *f, int from) {
        enum { LOT = 1 << 16 };
        _cleanup_(freep) char *lot = memory_new(LOT);

        for (;;) {
                ssize_t k = read(from, lot, LOT);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return fail(EXIT_FAILED, "cannot-read", NULL, "the daemon's file cannot be read: %s",
                                    strerror(errno));
                if (k == 0)
                        return 0;
                int r = fd_write_all(f->fd, lot, (size_t) k);
                if (r < 0)
                        return fail_path(f, -r);
        }
}

static int give_name(OutputFile *f) {
        char proc[40], text[ID_TEXT_SIZE];
        size_t n = strlen(f->path) + 40;

        if (f->temporary)
                return 0;
        snprintf(proc, sizeof(proc), "/proc/self/fd/%d", f->fd);
        f->temporary = memory_new(n);
        snprintf(f->temporary, n, "%s.%.8s", f->path, id_text(id_new(), text));
        if (linkat(AT_FDCWD, proc, AT_FDCWD, f->temporary, AT_SYMLINK_FOLLOW) < 0) {
                int error = errno;
                free(TAKE_PTR(f->temporary));
                return -error;
        }
        return 0;
}

int output_file_finish(OutputFile *f) {
        int r = 0;

        if (!f->direct)
                r = give_name(f);
        if (r == 0 && !f->direct)
                r = file_finish(f->fd, f->temporary, f->path);
        if (r < 0)
                return fail_path(f, -r);
        free(TAKE_PTR(f->temporary));
        if (close(TAKE_FD(f->fd)) < 0)
                return fail_path(f, errno);
        return 0;
}

int output_file_take(OutputFile *f, int from) {
        int r = output_file_open(f, 0666);
        if (r == 0)
                r = output_file_copy(f, from);
        return r == 0 ? output_file_finish(f) : r;
}

void output_file_done(OutputFile *f) {
        if (f->fd >= 0)
                close(TAKE_FD(f->fd));
        if (f->temporary)
                unlink(f->temporary);
        free(TAKE_PTR(f->temporary));
}

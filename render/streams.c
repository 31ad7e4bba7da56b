/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/files.h"
#include "render/streams.h"

enum { STREAM_BUFFER = 64 * 1024 };

typedef struct Stream {
        int fd;
        bool used;
        off_t size;
} Stream;

static Stream streams[STREAMS_MAX];
static int document = -1;
static int first_error;

/* The libraries call these two; nobody else declares them. */
FILE *lxw_tmpfile(char *folder);
FILE *fopen64(const char *restrict name, const char *restrict mode);

static void remember_error(void) {
        if (first_error == 0)
                first_error = errno ? -errno : -EIO;
}

int streams_open(const char *folder, int document_fd) {
        for (size_t i = 0; i < ELEMENTSOF(streams); i++) {
                int r = spool_open(folder, &streams[i].fd);
                if (r < 0)
                        return r;
        }
        document = document_fd;
        return 0;
}

int streams_error(void) {
        return first_error;
}

int64_t streams_spooled(void) {
        int64_t sum = 0;
        for (size_t i = 0; i < ELEMENTSOF(streams); i++)
                sum += streams[i].size;
        return sum;
}

static ssize_t stream_read(void *cookie, char *data, size_t n) {
        Stream *s = cookie;
        return read(s->fd, data, n);
}

static ssize_t stream_write(void *cookie, const char *data, size_t n) {
        Stream *s = cookie;
        int r = fd_write_all(s->fd, data, n);
        if (r < 0) {
                errno = -r;
                remember_error();
                return 0;
        }
        s->size += (off_t) n;
        return (ssize_t) n;
}

static int stream_seek(void *cookie, off64_t *position, int whence) {
        Stream *s = cookie;
        off_t r = lseek(s->fd, *position, whence);
        if (r < 0)
                return -1;
        *position = r;
        return 0;
}

/* The document stays open, a temporary file is emptied for whoever comes next. */
static int stream_close(void *cookie) {
        Stream *s = cookie;
        s->used = false;
        s->size = 0;
        if (s->fd == document)
                return 0;
        return ftruncate(s->fd, 0) < 0 || lseek(s->fd, 0, SEEK_SET) < 0 ? -1 : 0;
}

static FILE *stream_file(Stream *s, const char *mode) {
        static const cookie_io_functions_t functions = { stream_read, stream_write, stream_seek, stream_close };
        FILE *f = fopencookie(s, mode, functions);
        if (!f)
                return NULL;
        setvbuf(f, NULL, _IOFBF, STREAM_BUFFER);
        s->used = true;
        s->size = 0;
        return f;
}

FILE *lxw_tmpfile(char *folder) {
        for (size_t i = 0; i < ELEMENTSOF(streams); i++)
                if (!streams[i].used)
                        return stream_file(&streams[i], "w+");
        errno = EMFILE;
        remember_error();
        return NULL;
}

FILE *fopen64(const char *restrict name, const char *restrict mode) {
        static Stream s;

        if (document < 0 || !str_equal(name, STREAMS_DOCUMENT)) {
                errno = ENOENT;
                return NULL;
        }
        s.fd = document;
        return stream_file(&s, mode);
}

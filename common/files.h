/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Files. Every file that outlives the program is written here: beside its name, fsynced, renamed, its folder
 * fsynced; a failure leaves what was there before. Results are 0 or -errno. */

#include "common/buffer.h"

int folder_sync(const char *folder);                              /* what was made, renamed or deleted in it is on disk */
int file_write(const char *path, const void *data, size_t n, unsigned mode);
int file_finish(int fd, const char *written, const char *path);  /* fsync fd, rename written to path, fsync its folder */
int file_read(const char *path, size_t max, Buffer *ret);        /* -EFBIG above max bytes */

/* Reads a descriptor to its end, whatever it is (file from its current offset, pipe, socket), never mapping it.
 * -EFBIG above max bytes, -ETIMEDOUT when it is not over by the monotonic time given. */
int fd_read_all(int fd, size_t max, int64_t deadline, Buffer *ret);
int fd_write_all(int fd, const void *data, size_t n);
/* From a descriptor of somebody else's, at most n bytes: how many, 0 at its end, -ETIMEDOUT when nothing comes for so long. */
ssize_t fd_read_foreign(int fd, void *data, size_t n, int64_t patience);
/* To a descriptor of somebody else's: -ETIMEDOUT when nobody takes anything of it for so long. */
int fd_write_foreign(int fd, const void *data, size_t n, int64_t patience);

int memfd_sealed(const char *name, const void *data, size_t n, int *ret_fd);    /* read-only from here on */
int spool_open(const char *folder, int *ret_fd);                 /* an unnamed file in folder (O_TMPFILE or unlinked) */
int fd_reopen_read_only(int fd, int *ret_fd);                    /* another descriptor of the same file, O_RDONLY, at 0 */

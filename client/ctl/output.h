/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where results go: stdout (through the pager on a terminal), or a file written beside its name and renamed. */

#include <stdio.h>

#include "client/ctl/command.h"

/* Before the first byte of a result on stdout. Pages if page is wanted and the terminal is one. */
void output_begin(Command *c, bool page);
/* After the last: EXIT_FAILED if it could not be written; then the id (may be NULL) of what was created goes to stderr. */
int output_end(Command *c, const char *created);

/* A file to be, or stdout for "-". */
typedef struct OutputFile {
        const char *path;                    /* what was asked for, symbolic links followed */
        bool direct;                         /* stdout, a pipe or a device: written as it is */
        int fd;                              /* where to write; -1 before output_file_open() */
        char *temporary;                     /* owned; NULL: the file has no name yet */
        const char *created;                 /* of the report that is to be in it: where it cannot be written, its id is said; NULL: none */
} OutputFile;
#define OUTPUT_FILE_INIT { .fd = -1 }

/* Judges the path before anything is asked of the daemon: a directory, or binary to a terminal, is a usage error. */
int output_file_check(Command *c, const char *path, bool binary, OutputFile *ret);
int output_file_open(OutputFile *f, unsigned mode);
int output_file_copy(OutputFile *f, int from);                   /* everything that from holds */
int output_file_finish(OutputFile *f);                           /* now the name means the new file */
int output_file_take(OutputFile *f, int from);                   /* open, copy, finish */
void output_file_done(OutputFile *f);                            /* drops what was not finished */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A VFS over "unix-excl" that counts what SQLite does to its files and lets it fail, or lets the files be as after a
 * death of the process or of the host, where a test says. Give SHIM_VFS as the vfs of db_open_writer() and db_open_reader(). Process-wide; any thread may do I/O,
 * one thread gives orders. */

#include <sqlite3.h>

#include "common/macro.h"

#define SHIM_VFS "shim"

typedef enum ShimOperation {
        SHIM_WRITE = 1, SHIM_SYNC = 2, SHIM_TRUNCATE = 4, SHIM_READ = 8,
        SHIM_CHANGES = SHIM_WRITE | SHIM_SYNC | SHIM_TRUNCATE,
} ShimOperation;

typedef enum ShimFileKind {
        SHIM_DATABASE = 1, SHIM_WAL = 2, SHIM_JOURNAL = 4, SHIM_TEMPORARY = 8,
        SHIM_FILES = SHIM_DATABASE | SHIM_WAL | SHIM_JOURNAL,
} ShimFileKind;

typedef struct ShimFault {
        unsigned operations, files;          /* masks of the above: which calls it is about */
        unsigned after;                      /* so many of them still go well, counted from shim_fail() */
        unsigned times;                      /* so many fail then; 0: all */
        int code;                            /* what they return: SQLITE_FULL, SQLITE_IOERR_FSYNC, … */
        bool grows;                          /* only writes that make the file longer */
        bool torn;                           /* a failing write leaves its first half in the file */
        bool freeze;                         /* from here on nothing reaches the files: what is in them is what a
                                              * process that died at this call leaves behind. Close, shim_heal(), open. */
        bool lose;                           /* and what was not synced is lost, by chance, as in a power cut */
} ShimFault;

void shim_register(void);                                        /* may be called again */
void shim_fail(const ShimFault *fault);
void shim_heal(void);                                            /* no fault from here on */
void shim_plain_disk(bool plain);                                /* one that may spoil what lies beside what is written; for what is opened next */
unsigned shim_hits(void);                                        /* calls that failed since shim_fail() */

void shim_count_anew(void);
unsigned shim_count(unsigned operations, unsigned files);        /* calls since then, failed ones too */

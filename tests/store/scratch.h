/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A state directory of one test with the writer open on it, through the shim. Setup and teardown are cmocka's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/store/row.h"
#include "tests/store/shim-vfs.h"

typedef struct Scratch {
        char directory[128];
        Arena *arena;
        Db *db;
} Scratch;

int scratch_setup(void **state);
int scratch_teardown(void **state);
int scratch_setup_empty(void **state);                           /* only the directory, no database yet */

void scratch_open(Scratch *s);                                   /* must succeed */
void scratch_close(Scratch *s);
void scratch_reopen(Scratch *s);
char *scratch_path(Scratch *s, const char *name);                /* DIRECTORY/name, in the arena */

/* The one row setting(name, value): the smallest thing to keep. Each puts or reads in whatever transaction is open. */
void scratch_put(Db *db, const char *name, const char *value);
bool scratch_has(Db *db, const char *name);
int64_t scratch_int(Db *db, const char *sql);                    /* the first value of the first row; 0 if none */

void scratch_copy(const char *from, const char *to);             /* a whole file */
Buffer scratch_bytes(const char *path);                          /* the caller frees it; fails the test if it is not there */

/* Runs child in a process of its own that holds none of ours open; returns its exit status. */
int scratch_fork(int (*child)(void *userdata), void *userdata);
int scratch_wait(int pid);

/* Test data: seed printed, or taken from TEST_SEED. */
uint64_t scratch_seed(void);

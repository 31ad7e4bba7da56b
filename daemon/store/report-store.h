/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reports that were made: what they are and where their file is. */

#include "daemon/store/turn.h"

typedef struct Report {
        int64_t n;
        Id id;
        const char *kind, *format, *file_name;
        const char *path;                    /* relative to the state directory */
        int64_t rows, bytes;
        uint8_t sha256[32];
        const char *data_date;
        Usec created;
        int64_t task;                        /* n of the task that made it */
        const char *warnings;                /* JSON array of sentences */
        int64_t owner;
} Report;

int report_insert(Db *db, Report *r);                            /* sets n; id is the caller's */
int report_find(Db *db, Arena *a, Id id, Report *ret);           /* 1 found, 0 not */
int report_find_task(Db *db, Arena *a, int64_t task, Report *ret);
int report_wants_file(Db *db, const char *path);                 /* 1: it is one's own, 0: nobody's */
void report_write_json(Buffer *b, const Report *r);
/* Rows older than that; their files go by effects after the commit. */
int report_expire(Db *db, const char *state, Usec before, int64_t max, bool *ret_more);      /* true: there are more */

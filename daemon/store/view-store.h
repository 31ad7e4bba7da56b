/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Views: saved selectors with columns and sort, shared by all who may list customers. */

#include "daemon/store/turn.h"

typedef struct View {
        int64_t n;
        Id id;
        int64_t revision;
        const char *name, *name_key;
        const char *selector, *columns, *sort;       /* columns: JSON array; sort NULL: the default */
        int64_t owner;                               /* uid of its maker */
        Usec created;
} View;

/* By id or exact name. 1 found, 0 not. */
int view_find(Db *db, Arena *a, const char *reference, View *ret);
int view_insert(Db *db, View *v);
int view_update(Db *db, View *v);                                /* revision plus one */
int view_delete(Db *db, int64_t n);

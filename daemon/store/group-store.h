/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Customer groups: names for selectors. */

#include "daemon/model/selector.h"
#include "daemon/store/turn.h"

typedef struct Group {
        int64_t n;
        Id id;
        int64_t revision;
        const char *name, *name_key;         /* distinct by the key */
        const char *selector;
        Usec created;
} Group;

int group_find(Db *db, Arena *a, const char *reference, const char *key, Group *ret);    /* by id, or by the key of a name. 1 found, 0 not */
int group_load(Db *db, Arena *a, int64_t n, Group *ret);
int group_insert(Db *db, Group *g);
int group_update(Db *db, Group *g);                              /* revision plus one */
int group_delete(Db *db, int64_t n);

int groups_all(Db *db, Arena *a, SelectorGroups *ret);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Roles: verbs for customers, and to whom they are granted. */

#include "daemon/store/turn.h"

typedef struct Role {
        int64_t n;
        Id id;
        int64_t revision;
        const char *name, *name_key;
        const char *verbs;                   /* JSON array of patterns, see model/right.h */
        const char *selector, *exclude;      /* which customers; NULL: all, none */
        Usec created;
} Role;

typedef struct RoleGrant {
        const char *who;                     /* user:NAME or group:NAME */
        char kind;                           /* 'u' or 'g' */
        int64_t number;                      /* uid or gid */
        const char *end;                     /* the last day, or NULL: for ever */
        Usec ends;                           /* the instant after that day; USEC_NONE: never */
} RoleGrant;

/* By id or exact name. 1 found, 0 not. */
int role_find(Db *db, Arena *a, const char *reference, Role *ret);
int role_insert(Db *db, Role *r);
int role_update(Db *db, Role *r);                                /* revision plus one */
int role_delete(Db *db, int64_t n);                              /* its grants too */

int role_grants(Db *db, Arena *a, int64_t role, RoleGrant **ret, size_t *ret_n);
int role_grant_put(Db *db, int64_t role, const RoleGrant *g);    /* in the place of an earlier one to the same */
int role_grant_remove(Db *db, int64_t role, const char *who);    /* 1 removed, 0 there was none */

/* The roles granted to a user or to one of the groups, whose end has not come. At most max. */
typedef struct RoleHolder {
        int64_t uid;
        const uint32_t *gids;
        size_t n_gids;
} RoleHolder;
int roles_of(Db *db, Arena *a, const RoleHolder *who, Usec now, Role *ret, size_t max, size_t *ret_n);
int roles_all(Db *db, Arena *a, Role **ret, size_t *ret_n);

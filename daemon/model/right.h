/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Rights. Each verb NOUN.VERB is one; its group is the polkit action that is asked where no role decides. A method whose
 * verb is not in this table cannot be registered. Roles hold patterns of them: customer.edit, customer.*, *.list, *. */

#include "common/problem.h"

typedef enum RightGroup {
        RIGHT_READ,          /* looks and takes away copies */
        RIGHT_MANAGE,        /* changes what can be changed back */
        RIGHT_DESTROY,       /* deletes, disconnects */
        RIGHT_ADMIN,         /* the service itself, and who may do what */
        RIGHT_ACT_FOR,       /* speaks for somebody else */
        _RIGHT_GROUP_MAX,
} RightGroup;

typedef struct Right {
        const char *verb;
        RightGroup group;
} Right;

#define RIGHT_TO_ACT_FOR "admin.act-for"     /* to give on_behalf_of */

/* All of them, sorted by verb; ends with {}. */
extern const Right rights[];

const Right *right_find(const char *verb);                       /* NULL: there is no such verb */
const char *right_action(RightGroup group);                      /* "org.tenantd.tenant1.read" … */
bool right_matches(const char *pattern, const char *verb);
/* A pattern that matches nothing is InvalidArgument unknown-verb, with the nearest verb. */
int right_check_pattern(const char *pattern, Problem *problem);

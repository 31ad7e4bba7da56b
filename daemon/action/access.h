/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who may do what, and with which customers. Roles are read anew for each call and each task: what was revoked is gone
 * with the turn that revoked it. */

#include "daemon/action/action.h"
#include "daemon/model/selector.h"

/* 0: the caller may; *ret_scope are the customers it is about (NULL: all). 1 NotAuthorized: no role has the verb. */
int access_decide(Context *c, const char *verb, const Selector **ret_scope, Problem *problem);

/* No role has the verb, but what came of the caller's own calls may be looked at: all that such a scope lets see. */
bool access_is_own(const Selector *scope);

/* Of a verb that the caller does not have: whether a role of theirs names it, and gives it not because it is for some customers only. */
bool access_is_limited(Context *c, const char *verb);

/* access_decide() for what runs later, in a task: sets c->scope. */
int access_enter(Context *c, const char *verb, Problem *problem);

/* Of what the caller did with verb: widens *scope (which is not NULL) by the customers that verb is about. */
int access_widen(Context *c, const char *verb, const Selector **scope);

/* Beside the verb that was decided, another one for this customer too ("edit --mode needs customer.mode"). */
int access_also(Context *c, const char *verb, int64_t customer, Problem *problem);

/* 1: within c->scope; 0: not; < 0 a fault. */
int access_customer(Context *c, int64_t n);
/* The same for a row of another dataset. */
int access_row(Context *c, const Dataset *d, int64_t n);
/* The same of what a store has just found (found: its result): what the caller may not see was not found. *n is read only if it was. */
int access_found(Context *c, const char *dataset, const int64_t *n, int found);

/* Checks a selector over customers as roles and groups have one, groups in it expanded. */
int access_selector(Context *c, const char *field, const char *text, Selector **ret, Problem *problem);

/* The groups that selectors may name, read if the text could name one (NULL: read). */
int access_groups(Context *c, const char *text, SelectorGroups *ret);

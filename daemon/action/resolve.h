/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The first of the two doors to a customer (the other is the query compiler): what a caller calls it. */

#include "daemon/action/action.h"

/* Exact id, registered account, exact organization, id prefix of 6 or more digits, in this order. Ambiguous and NotFound
 * list candidates of those the caller may see. */
int customer_resolve(Context *c, const char *reference, int64_t *ret_n, Problem *problem);

/* The customer of exactly this name among those that the caller may see. Returns how many there are of them: 0, 1, or more. */
int customer_by_organization(Context *c, const char *organization, int64_t *ret_n);

/* The same rules without a word on what is near: 1, or 0 (nobody, or several). */
int customer_named(Context *c, const char *reference, int64_t *ret_n);

/* 1 and its id and organization, 0 if it is gone. */
int customer_identity(Context *c, int64_t n, Id *ret_id, const char **ret_organization);

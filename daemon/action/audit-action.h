/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/action/action.h"

/* {"records":…,"first":…,"last":…,"erased":…,"state":"intact"}; a broken chain is Failed chain-broken, naming the
 * record. Reads everything: for a worker. */
int audit_verify_action(Context *c, const Request *request, Buffer *answer, Problem *problem);

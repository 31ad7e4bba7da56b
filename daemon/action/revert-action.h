/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Taking back what an operation did: each ok item's before is written again, unless the customer has changed since. */

#include "daemon/action/bulk.h"

extern const BulkVerb revert_bulk_verbs[];   /* operation.revert; its field is operation, an internal key */

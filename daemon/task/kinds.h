/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What tasks there are, each in a file of its own; and the work that calls start. */

#include "common/json.h"
#include "daemon/task/work.h"

extern const TaskKind export_kind, generate_kind, mail_kind, bounce_kind, bulk_kind, import_kind, erase_kind, approval_kind;
#ifdef TEST_HOOKS
extern const TaskKind noop_kind;
#endif
extern const TaskKind *const task_kinds[];                       /* NULL-terminated */

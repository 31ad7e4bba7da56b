/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/crash.h"
#include "daemon/task/kinds.h"

#ifdef TEST_HOOKS
/* Nothing, on a worker: what the queue itself costs. */
static int noop_work(Work *work) {
        return 0;
}

const TaskKind noop_kind = { .kind = "noop", .work = noop_work };
#endif

const TaskKind *const task_kinds[] = {
        &export_kind, &generate_kind, &mail_kind, &bounce_kind, &bulk_kind, &import_kind, &erase_kind, &approval_kind,
#ifdef TEST_HOOKS
        &noop_kind,
#endif
        NULL,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/crash.h"
#include "daemon/action/manager-action.h"
#include "daemon/action/operation-action.h"
#include "daemon/action/report-action.h"
#include "daemon/bus/dispatch.h"

static const char *const none[] = { NULL };

static const MethodRow operation_rows[] = {
        { "List", FORM_LIST, ROW_READS, "operation.list", .dataset = "operations" },
        { "Query", FORM_QUERY, ROW_READS | ROW_WORKER, "operation.list", .dataset = "operations" },
        { "Get", FORM_GET, ROW_READS, "operation.show", operation_get, .dataset = "operations" },
        { "Describe", FORM_DESCRIBE, ROW_READS, "operation.show", operation_show },
        { "Export", FORM_EXPORT, 0, "operation.export", operation_export, .options = none },
        { "Approve", FORM_ACT, 0, "operation.approve", operation_approve, .options = none },
        { "Cancel", FORM_ACT, 0, "operation.cancel", operation_cancel_action, .options = none },
        { "Retry", FORM_ACT, 0, "operation.retry", operation_retry, .options = none },
        { "Revert", FORM_ACT, 0, "operation.revert", operation_revert, .options = none },
        {},
};

static const MethodRow task_rows[] = {
        { "List", FORM_LIST, ROW_READS, "task.list", .dataset = "tasks" },
        { "Query", FORM_QUERY, ROW_READS | ROW_WORKER, "task.list", .dataset = "tasks" },
        { "Get", FORM_GET, ROW_READS, "task.show", task_show, .dataset = "tasks" },
        { "Describe", FORM_DESCRIBE, ROW_READS, "task.show", task_show },
        { "Cancel", FORM_ACT, 0, "task.cancel", task_cancel_action, .options = none },
        { "Retry", FORM_ACT, 0, "task.retry", task_retry_action, .options = none },
        { "Pause", FORM_ACT, 0, "task.pause", task_pause, .options = none },
        { "Resume", FORM_ACT, 0, "task.resume", task_resume, .options = none },
#ifdef TEST_HOOKS
        { "Enqueue", FORM_ENQUEUE, 0, "task.enqueue", task_enqueue },
#endif
        {},
};

const InterfaceRows operations_interface = { "Operations", operation_rows };
const InterfaceRows tasks_interface = { "Tasks", task_rows };

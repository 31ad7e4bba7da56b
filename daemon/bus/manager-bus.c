/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/manager-action.h"
#include "daemon/action/message-action.h"
#include "daemon/action/reload-action.h"
#include "daemon/action/restore-action.h"
#include "daemon/action/rotate-action.h"
#include "daemon/bus/dispatch.h"

static const char *const none[] = { NULL };
static const char *const verify_options[] = { "file", NULL };
static const char *const level_options[] = { "level", NULL };

static const MethodRow rows[] = {
        { "Status", FORM_ACT, ROW_READS, "admin.status", admin_status, .options = none },
        { "Backup", FORM_FILE_IN, ROW_BACKUP, "admin.backup", admin_backup, .options = none },
        { "Restore", FORM_FILE_IN, ROW_RESTORE, "admin.restore", admin_restore, .options = none },
        { "Verify", FORM_ACT, ROW_READS | ROW_WORKER | ROW_VERIFY, "admin.verify", admin_verify, .options = verify_options },
        { "LogLevel", FORM_ACT, 0, "admin.log-level", admin_log_level, .options = level_options },
        { "TestMail", FORM_ACT, 0, "admin.test-mail", admin_test_mail, .options = test_mail_options },
        { "AcceptClock", FORM_ACT, 0, "admin.accept-clock", admin_accept_clock, .options = none },
        { "Reload", FORM_ACT, 0, "admin.reload", admin_reload, .options = none },
        { "RotateKey", FORM_ACT, 0, "admin.rotate-key", admin_rotate_key, .options = none },
        { "Subscribe", FORM_SUBSCRIBE, ROW_READS, "event.monitor" },
        { "ListEvents", FORM_LIST, ROW_READS, "event.monitor", .dataset = "audit" },
#ifdef TEST_HOOKS
        { "QuietHour", FORM_ACT, 0, "admin.quiet-hour", admin_quiet_hour, .options = none },
#endif
        {},
};

const InterfaceRows manager_interface = { "Manager", rows };

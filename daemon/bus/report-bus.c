/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/audit-action.h"
#include "daemon/action/report-action.h"
#include "daemon/bus/dispatch.h"

static const char *const none[] = { NULL };

static const MethodRow report_rows[] = {
        { "Export", FORM_EXPORT, 0, "report.export", report_export, .options = none },
        { "List", FORM_LIST, ROW_READS, "report.list", .dataset = "reports" },
        { "Query", FORM_QUERY, ROW_READS | ROW_WORKER, "report.list", .dataset = "reports" },
        { "Get", FORM_GET, ROW_READS, "report.show", report_show, .dataset = "reports" },
        { "Describe", FORM_DESCRIBE, ROW_READS, "report.show", report_show },
        { "Save", FORM_SAVE, ROW_READS | ROW_FILE, "report.save", report_file },
        {},
};

static const MethodRow audit_rows[] = {
        { "Export", FORM_EXPORT, 0, "audit.export", audit_export, .options = none },
        { "List", FORM_LIST, ROW_READS, "audit.list", .dataset = "audit" },
        { "Query", FORM_QUERY, ROW_READS | ROW_WORKER, "audit.list", .dataset = "audit" },
        { "Verify", FORM_ACT, ROW_READS | ROW_WORKER, "audit.verify", audit_verify_action, .options = none },
        {},
};

const InterfaceRows reports_interface = { "Reports", report_rows };
const InterfaceRows audit_interface = { "Audit", audit_rows };

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/audit-action.h"
#include "daemon/action/report-action.h"
#include "daemon/action/verify-action.h"
#include "daemon/bus/dispatch.h"

static const char *const none[] = { NULL };

static const MethodRow report_rows[] = {
        { "Export", FORM_EXPORT, 0, "report.export", report_export, .options = none },
        { "List", FORM_LIST, ROW_READS, "report.list", .dataset = "reports" },
        { "Query", FORM_QUERY, ROW_READS | ROW_WORKER, "report.list", .dataset = "reports" },
        { "Get", FORM_GET, ROW_READS, "report.show", report_show, .dataset = "reports" },
        { "Describe", FORM_DESCRIBE, ROW_READS, "report.show", report_show },
        { "Generate", FORM_ACT, 0, "report.generate", report_generate, .options = report_generate_options },
        { "Send", FORM_ACT, 0, "report.send", report_send, .options = report_send_options },
        { "Verify", FORM_ACT, ROW_SECRET, "report.verify", report_verify, .options = report_verify_options },
        { "Bounce", FORM_ACT, 0, "report.bounce", report_bounce, .options = report_bounce_options },
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

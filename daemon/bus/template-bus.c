/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/mail-template-action.h"
#include "daemon/action/report-template-action.h"
#include "daemon/bus/dispatch.h"

static const char *const none[] = { NULL };

static const MethodRow report_rows[] = {
        { "List", FORM_LIST, ROW_READS, "report-template.list", .dataset = "report-templates" },
        { "Query", FORM_QUERY, ROW_READS | ROW_WORKER, "report-template.list", .dataset = "report-templates" },
        { "Get", FORM_GET, ROW_READS, "report-template.show", report_template_show, .dataset = "report-templates" },
        { "Describe", FORM_DESCRIBE, ROW_READS, "report-template.show", report_template_show },
        { "Create", FORM_CREATE, 0, "report-template.create", report_template_create, .options = none },
        { "Edit", FORM_CHANGE, 0, "report-template.edit", report_template_edit, .options = none },
        { "Preview", FORM_ACT, ROW_READS, "report-template.preview", report_template_preview, .options = report_template_preview_options },
        { "Delete", FORM_ACT, 0, "report-template.delete", report_template_delete_action, .options = report_template_delete_options },
        {},
};

static const MethodRow mail_rows[] = {
        { "List", FORM_LIST, ROW_READS, "mail-template.list", .dataset = "mail-templates" },
        { "Query", FORM_QUERY, ROW_READS | ROW_WORKER, "mail-template.list", .dataset = "mail-templates" },
        { "Describe", FORM_DESCRIBE, ROW_READS, "mail-template.show", mail_template_show },
        { "Create", FORM_CREATE, 0, "mail-template.create", mail_template_create, .options = none },
        { "Edit", FORM_CHANGE, 0, "mail-template.edit", mail_template_edit, .options = none },
        { "Preview", FORM_ACT, ROW_READS, "mail-template.preview", mail_template_preview, .options = mail_template_preview_options },
        { "Delete", FORM_ACT, 0, "mail-template.delete", mail_template_delete_action, .options = mail_template_options },
        {},
};

const InterfaceRows report_templates_interface = { "ReportTemplates", report_rows };
const InterfaceRows mail_templates_interface = { "MailTemplates", mail_rows };

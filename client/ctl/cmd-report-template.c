/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/ctl/run.h"

static const char *const sections[] = { "facts", "subscriptions", "jobs", "storage", "incidents", "subscription-states", NULL };
static const char *const formats[] = { "pdf", "xlsx", NULL };

#define TEMPLATE_OPTIONS                                                                                                        \
        { "section", OPTION_LIST, TO_FIELDS, "sections", "A,B", "its sections, in this order", sections },                      \
        { "customer", OPTION_LIST, TO_FIELDS, "customers", "C", "customers it runs for on a schedule; none: for report generate" }, \
        { "filter", OPTION_TEXT, TO_FIELDS, "selector", "SELECTOR", "or: those the selector picks" },                           \
        { "language", OPTION_TEXT, TO_FIELDS, "language", "LANGUAGE", "en or de; else the customer's" },                        \
        { "format", OPTION_TEXT, TO_FIELDS, "format", "FORMAT", "pdf or xlsx", formats }

static const Option create_options[] = { TEMPLATE_OPTIONS, {} };
static const Option edit_options[] = {
        { "name", OPTION_TEXT, TO_FIELDS, "name", "NAME", "a new name" },
        TEMPLATE_OPTIONS,
        {},
};
static const Option preview_options[] = {
        { "customer", OPTION_TEXT, TO_OPTIONS, "customer", "CUSTOMER", "for this one" },
        {},
};
static const Option delete_options[] = {
        { "force", OPTION_FLAG, TO_OPTIONS, "force", NULL, "pause the schedules that use it" },
        {},
};

static const Verb verbs[] = {
        { "create", FORM_CREATE, "ReportTemplates", "Create", "NAME", 1, 1, .options = create_options, .argument_key = "name", .help = "make a report template" },
        { "list", FORM_LIST, "ReportTemplates", "List", NULL, 0, 0, .columns = "name,sections,format,language", .help = "list report templates" },
        { "show", FORM_READ, "ReportTemplates", "Describe", "TEMPLATE", 1, 1, .help = "show a report template" },
        { "edit", FORM_CHANGE, "ReportTemplates", "Edit", "TEMPLATE", 1, 1, .options = edit_options, .help = "change a report template" },
        { "preview", FORM_ACT, "ReportTemplates", "Preview", "TEMPLATE", 1, 1, .options = preview_options, .help = "show what it would hold, and for whom" },
        { "delete", FORM_ACT, "ReportTemplates", "Delete", "TEMPLATE", 1, 1, V_DESTRUCTIVE, .options = delete_options, .help = "delete a report template" },
        {},
};

const Noun noun_report_template = { "report-template", "report templates", "what goes into a report", verbs };

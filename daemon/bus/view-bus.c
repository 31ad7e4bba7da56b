/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/view-action.h"
#include "daemon/bus/dispatch.h"

static const char *const none[] = { NULL };

static const MethodRow rows[] = {
        { "List", FORM_LIST, ROW_READS, "view.list", .dataset = "views" },
        { "Query", FORM_QUERY, ROW_READS | ROW_WORKER, "view.list", .dataset = "views" },
        { "Get", FORM_GET, ROW_READS, "view.show", view_show, .dataset = "views" },
        { "Describe", FORM_DESCRIBE, ROW_READS, "view.show", view_show },
        { "Save", FORM_CREATE, 0, "view.save", view_save, .options = none },
        { "Edit", FORM_CHANGE, 0, "view.edit", view_edit, .options = none },
        { "Delete", FORM_ACT, 0, "view.delete", view_delete_action, .options = none },
        {},
};

const InterfaceRows views_interface = { "Views", rows };

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/group-action.h"
#include "daemon/action/role-action.h"
#include "daemon/bus/dispatch.h"

static const char *const none[] = { NULL }, *const grant_options[] = { "who", "end", NULL }, *const revoke_options[] = { "who", NULL };

static const MethodRow rows[] = {
        { "List", FORM_LIST, ROW_READS, "role.list", .dataset = "roles" },
        { "Query", FORM_QUERY, ROW_READS | ROW_WORKER, "role.list", .dataset = "roles" },
        { "Get", FORM_GET, ROW_READS, "role.show", role_show, .dataset = "roles" },
        { "Describe", FORM_DESCRIBE, ROW_READS, "role.show", role_show },
        { "Create", FORM_CREATE, 0, "role.create", role_create, .options = none },
        { "Edit", FORM_CHANGE, 0, "role.edit", role_edit, .options = none },
        { "Delete", FORM_ACT, 0, "role.delete", role_delete_action, .options = none },
        { "Grant", FORM_ACT, ROW_NAMES, "role.grant", role_grant, .options = grant_options },
        { "Revoke", FORM_ACT, 0, "role.revoke", role_revoke, .options = revoke_options },
        { "ListGroups", FORM_LIST, ROW_READS | ROW_WORKER, "group.list", .dataset = "groups", .finish = group_count },
        { "GetGroup", FORM_GET, ROW_READS | ROW_WORKER, "group.show", group_show, .dataset = "groups" },
        { "DescribeGroup", FORM_DESCRIBE, ROW_READS | ROW_WORKER, "group.show", group_show },
        { "CreateGroup", FORM_CREATE, 0, "group.create", group_create, .options = none },
        { "EditGroup", FORM_CHANGE, 0, "group.edit", group_edit, .options = none },
        { "DeleteGroup", FORM_ACT, 0, "group.delete", group_delete_action, .options = none },
        {},
};

const InterfaceRows access_interface = { "Access", rows };

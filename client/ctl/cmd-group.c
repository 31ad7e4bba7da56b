/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/ctl/run.h"

static const Option create_options[] = {
        { "filter", OPTION_TEXT, TO_FIELDS, "selector", "SELECTOR", "which customers" },
        {},
};

static const Option edit_options[] = {
        { "name", OPTION_TEXT, TO_FIELDS, "name", "NAME", "a new name" },
        { "filter", OPTION_TEXT, TO_FIELDS, "selector", "SELECTOR", "which customers" },
        {},
};

static const Verb verbs[] = {
        { "create", FORM_CREATE, "Access", "CreateGroup", "NAME", 1, 1, .options = create_options, .argument_key = "name", .help = "name a set of customers" },
        { "list", FORM_LIST, "Access", "ListGroups", NULL, 0, 0, .columns = "name,selector,customers", .help = "list customer groups" },
        { "show", FORM_READ, "Access", "DescribeGroup", "GROUP", 1, 1, .help = "show a customer group" },
        { "edit", FORM_CHANGE, "Access", "EditGroup", "GROUP", 1, 1, .options = edit_options, .help = "change a customer group" },
        { "delete", FORM_ACT, "Access", "DeleteGroup", "GROUP", 1, 1, V_DESTRUCTIVE, .help = "delete a customer group" },
        {},
};

const Noun noun_group = { "group", "customer groups", "customers by name, for selectors: group = NAME", verbs };

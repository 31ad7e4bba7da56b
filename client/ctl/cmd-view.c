/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/ctl/run.h"

static const Option save_options[] = {
        { "filter", OPTION_TEXT, TO_FIELDS, "selector", "SELECTOR", "which customers" },
        { "columns", OPTION_LIST, TO_FIELDS, "columns", "A,B", "which columns" },
        { "sort", OPTION_TEXT, TO_FIELDS, "sort", "[-]FIELD", "in which order" },
        {},
};

static const Option edit_options[] = {
        { "name", OPTION_TEXT, TO_FIELDS, "name", "NAME", "a new name" },
        { "filter", OPTION_TEXT, TO_FIELDS, "selector", "SELECTOR", "which customers" },
        { "columns", OPTION_LIST, TO_FIELDS, "columns", "A,B", "which columns" },
        { "sort", OPTION_TEXT, TO_FIELDS, "sort", "[-]FIELD", "in which order" },
        {},
};

static const Verb verbs[] = {
        { "save", FORM_CREATE, "Views", "Save", "NAME", 1, 1, .options = save_options, .argument_key = "name", .help = "save a view" },
        { "list", FORM_LIST, "Views", "List", NULL, 0, 0, .columns = "name,selector,columns,sort", .help = "list views" },
        { "show", FORM_READ, "Views", "Describe", "VIEW", 1, 1, .help = "show a view" },
        { "edit", FORM_CHANGE, "Views", "Edit", "VIEW", 1, 1, .options = edit_options, .help = "change a view" },
        { "delete", FORM_ACT, "Views", "Delete", "VIEW", 1, 1, V_DESTRUCTIVE, .help = "delete a view" },
        {},
};

const Noun noun_view = { "view", "views", "saved selectors with their columns and order", verbs };

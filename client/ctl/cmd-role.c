/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>

#include "client/ctl/answer.h"
#include "client/ctl/output.h"
#include "client/ctl/run.h"
#include "client/ctl/table.h"

#define ROLE_OPTIONS                                                                                                            \
        { "verbs", OPTION_LIST, TO_FIELDS, "verbs", "A,B", "what it allows: customer.edit, customer.*, *.list" },               \
        { "filter", OPTION_TEXT, TO_FIELDS, "selector", "SELECTOR", "on these customers; else on all" },                        \
        { "exclude", OPTION_TEXT, TO_FIELDS, "exclude", "SELECTOR", "but not on these" }

static const char *const clearable[] = { "selector", "exclude", NULL };

static const Option create_options[] = {
        ROLE_OPTIONS,
        { "from", OPTION_TEXT, TO_FIELDS, "from", "ROLE", "begin as a copy of this role, without its grants" },
        {},
};

static const Option edit_options[] = {
        { "name", OPTION_TEXT, TO_FIELDS, "name", "NAME", "a new name" },
        ROLE_OPTIONS,
        { "clear", OPTION_LIST, TO_PROGRAM, NULL, "FIELD", "take away the selector or exclude", clearable },
        {},
};

static const Option grant_options[] = {
        { "end", OPTION_TEXT, TO_OPTIONS, "end", "DATE", "the last day of the grant (in the partner's zone); else it has no end" },
        {},
};

/* --clear says that a selector goes, which is the empty one. */
static int run_edit(Command *c) {
        Dict fields = {};
        size_t n;

        int r = command_dict(c, TO_FIELDS, &fields);
        const char **clear = command_list(c, "clear", &n);
        for (size_t i = 0; i < n && r == 0; i++) {
                if (names_find(clearable, clear[i]) < 0)
                        r = fail_usage(clear[i], clearable, "--clear takes selector and exclude, not \"%.60s\"", clear[i]);
                else if (dict_find(&fields, clear[i]))
                        r = fail_usage(NULL, NULL, "%s is to be both set and cleared: say one of them", clear[i]);
                else
                        dict_add(c->arena, &fields, clear[i], value_of_string(""));
        }
        if (r == 0 && fields.n == 0)
                r = fail_usage(NULL, NULL, "role edit needs something to change; \"tenantctl role edit --help\" lists the options");
        return r != 0 ? r : run_on_ids(c, 1, &fields);
}

/* Grant and Revoke: NAME WHO. */
static int run_who(Command *c) {
        Dict options = {};

        int r = run_options(c, &options);
        if (r != 0)
                return r;
        dict_add(c->arena, &options, "who", value_of_string(c->arguments[1]));
        const Call what = call_act(c->verb->interface, c->verb->method, c->arguments[0], &options);
        return run_change(c, &what);
}

static int print_grants(Command *c, const json_t *grants) {
        static const char *const columns[] = { "who", "end", NULL };
        json_t *grant;
        size_t i;

        if (json_array_size(grants) == 0) {
                puts("\ngranted to nobody");
                return 0;
        }
        _cleanup_(table_freep) Table *t = table_new(columns, !command_has(c, "no-legend"));
        if (!t)
                return EXIT_FAILED;
        json_array_foreach((json_t *) grants, i, grant)
                table_add(t, grant);
        puts("\ngranted to");
        return table_print(t, stdout);
}

/* The role, and below it who has it: a line each. */
static int run_show(Command *c) {
        static const char *const apart[] = { "grants", NULL };
        const char *json;

        const Call what = call_about("Access", "Describe", c->arguments[0]);
        int r = call_text(c, &what, &json);
        if (r != 0)
                return r;
        if (c->json != JSON_OFF || command_has(c, "columns"))
                return print_object(c, json);
        json_t *role = answer_parse(json);
        if (!role)
                return EXIT_FAILED;
        output_begin(c, true);
        block_print(stdout, role, NULL, apart);
        r = print_grants(c, json_object_get(role, "grants"));
        int end = output_end(c, NULL);
        json_decref(role);
        return r != 0 ? r : end;
}

static const Verb verbs[] = {
        { "create", FORM_CREATE, "Access", "Create", "NAME", 1, 1, .options = create_options, .argument_key = "name", .help = "make a role: verbs, and on which customers" },
        { "list", FORM_LIST, "Access", "List", NULL, 0, 0, .columns = "name,verbs,selector,exclude,grants", .help = "list roles" },
        { "show", FORM_READ, "Access", "Describe", "ROLE", 1, 1, .run = run_show, .help = "show a role and who has it" },
        { "edit", FORM_CHANGE, "Access", "Edit", "ROLE", 1, 1, .options = edit_options, .run = run_edit, .help = "change a role for all who have it" },
        { "delete", FORM_ACT, "Access", "Delete", "ROLE", 1, 1, V_DESTRUCTIVE, .help = "delete a role and its grants" },
        { "grant", FORM_ACT, "Access", "Grant", "ROLE WHO", 2, 2, .options = grant_options, .run = run_who, .help = "give a role to user:NAME or group:NAME" },
        { "revoke", FORM_ACT, "Access", "Revoke", "ROLE WHO", 2, 2, .run = run_who, .help = "take a role from user:NAME or group:NAME" },
        {},
};

const Noun noun_role = { "role", "roles", "who may do what, on which customers", verbs };

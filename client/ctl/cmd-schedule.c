/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/ctl/export.h"
#include "client/ctl/rows.h"
#include "client/ctl/run.h"

static const char *const kinds[] = { "customers", "jobs", "storage", "subscriptions", "audit", NULL };
static const char *const frequencies[] = { "daily", "weekly", "monthly", "quarterly", "yearly", NULL };
static const char *const policies[] = { "latest", "all", "none", NULL };

#define SCHEDULE_OPTIONS                                                                                                        \
        { "export", OPTION_TEXT, TO_FIELDS, "export", "KIND", "what is exported", kinds },                                      \
        { "template", OPTION_TEXT, TO_FIELDS, "template", "NAME", "or: the report template that is used" },                     \
        { "customer", OPTION_TEXT, TO_FIELDS, "customer", "CUSTOMER", "this customer's alone" },                                \
        { "frequency", OPTION_TEXT, TO_FIELDS, "frequency", "FREQUENCY", "how often", frequencies },                            \
        { "on", OPTION_TEXT, TO_FIELDS, "on", "DAY", "a weekday, day:1 to day:31 or MM-DD; else the start's" },                 \
        { "at", OPTION_TEXT, TO_FIELDS, "at", "HH:MM", "time of day; else 12:00" },                                             \
        { "zone", OPTION_TEXT, TO_FIELDS, "zone", "ZONE", "time zone of dates and time; else UTC" },                            \
        { "start", OPTION_TEXT, TO_FIELDS, "start", "DATE", "the first day; else today" },                                      \
        { "end", OPTION_TEXT, TO_FIELDS, "end", "DATE", "the last day; else none" },                                            \
        { "missed", OPTION_TEXT, TO_FIELDS, "missed", "POLICY", "what to do about runs that were missed", policies },           \
        { "recipients", OPTION_TEXTS, TO_FIELDS, "recipients", "ADDRESSES", "who gets it; separated by ;" },                    \
        { "format", OPTION_TEXT, TO_FIELDS, "format", "FORMAT", "xlsx, csv, json or pdf", export_formats },                     \
        { "columns", OPTION_LIST, TO_FIELDS, "columns", "A,B", "which columns" },                                               \
        { "filter", OPTION_TEXT, TO_FIELDS, "selector", "SELECTOR", "which rows" },                                             \
        { "file-name", OPTION_TEXT, TO_FIELDS, "file_name", "NAME", "the report's file name" }

static const Option create_options[] = {
        SCHEDULE_OPTIONS,
        { "no-end", OPTION_FLAG, TO_PROGRAM, NULL, NULL, "it goes on without end, as it does unless told otherwise" },
        { "run-now", OPTION_FLAG, TO_OPTIONS, "run_now", NULL, "run it now, too" },
        {},
};

static const Option edit_options[] = {
        SCHEDULE_OPTIONS,
        { "no-end", OPTION_FLAG, TO_PROGRAM, NULL, NULL, "it goes on without end" },
        { "clear", OPTION_LIST, TO_FIELDS, "clear", "FIELD", "empty these fields" },
        {},
};

static const Option count_options[] = {
        { "count", OPTION_NUMBER, TO_OPTIONS, "count", "N", "how many (1 to 1000)" },
        {},
};

static int check_end(Command *c) {
        return command_has(c, "end") && command_has(c, "no-end") ? fail_usage(NULL, NULL, "--end and --no-end say different things: give one of them") : 0;
}

static int run_create(Command *c) {
        Dict fields = {};

        int r = check_end(c);
        if (r == 0)
                r = command_dict(c, TO_FIELDS, &fields);
        return r != 0 ? r : run_on_fields(c, &fields);
}

/* --no-end is a field to clear like any other. */
static int run_edit(Command *c) {
        Dict fields = {};
        size_t n = 0;

        int r = check_end(c);
        if (r == 0)
                r = command_dict(c, TO_FIELDS, &fields);
        if (r == 0 && command_has(c, "no-end")) {
                const char **given = command_list(c, "clear", &n), **clear = arena_alloc(c->arena, (n + 2) * sizeof(*clear));
                Dict with = {};
                for (size_t i = 0; i < n; i++)
                        clear[i] = given[i];
                clear[n] = "end";
                for (size_t i = 0; i < fields.n; i++)
                        if (!str_equal(fields.entries[i].key, "clear"))
                                dict_add(c->arena, &with, fields.entries[i].key, fields.entries[i].value);
                dict_add(c->arena, &with, "clear", value_of_strings(clear, n + 1));
                fields = with;
        }
        if (r == 0 && fields.n == 0)
                r = fail_usage(NULL, NULL, "schedule edit needs something to change; \"tenantctl schedule edit --help\" lists the options");
        return r != 0 ? r : run_on_ids(c, 1, &fields);
}

static const Verb verbs[] = {
        { "create", FORM_CREATE, "Schedules", "Create", NULL, 0, 0, .options = create_options, .run = run_create, .help = "make a schedule of an export or a report template" },
        { "list", FORM_LIST, "Schedules", "List", NULL, 0, 0, .columns = "id,export,template,frequency,on,at,zone,state,next_due", .help = "list schedules" },
        { "show", FORM_READ, "Schedules", "Describe", "SCHEDULE", 1, 1, .help = "show a schedule" },
        { "edit", FORM_CHANGE, "Schedules", "Edit", "SCHEDULE", 1, 1, .options = edit_options, .run = run_edit, .help = "change a schedule" },
        { "pause", FORM_ACT, "Schedules", "Pause", "SCHEDULE", 1, 1, .help = "nothing of it is due until it is resumed" },
        { "resume", FORM_ACT, "Schedules", "Resume", "SCHEDULE", 1, 1, .help = "let it go on; what fell due meanwhile is not made up for" },
        { "run", FORM_ACT, "Schedules", "Run", "SCHEDULE", 1, 1, .help = "run it now, beside the regular runs" },
        { "preview", FORM_OTHER, "Schedules", "Preview", "SCHEDULE", 1, 1, V_COLUMNS, .options = count_options, .columns = "due,local,note", .run = run_rows,
          .help = "show when it is due next" },
        { "runs", FORM_OTHER, "Schedules", "Runs", "SCHEDULE", 1, 1, V_COLUMNS, .options = count_options, .columns = "local,due,state,finished,messages,error",
          .run = run_rows, .help = "show its runs, the newest first" },
        { "delete", FORM_ACT, "Schedules", "Delete", "SCHEDULE", 1, 1, V_DESTRUCTIVE, .help = "delete a schedule and its runs; reports stay" },
        {},
};

const Noun noun_schedule = { "schedule", "schedules", "when which report is due, and for whom", verbs };

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

#include "client/ctl/answer.h"
#include "client/ctl/confirm.h"
#include "client/ctl/dashboard.h"
#include "client/ctl/output.h"
#include "client/ctl/run.h"
#include "client/ctl/terminal.h"

static const char *const modes[] = { "partner", "customer", "unset", NULL };
static const char *const types[] = { "local", "m365", "m365-gov", "google", "salesforce", "link", NULL };
static const char *const clouds[] = { "commercial", "gcc", "gcc-high", "dod", NULL };
static const char *const states[] = { "invited", "active", "disconnecting", NULL };
static const char *const statuses[] = {
        "not-applicable",          "waiting-for-configuration", "multiple-issues", "failed",
        "finished-with-exception", "no-backup-updates",         "working",         NULL,
};

#define FIELD_OPTIONS                                                                                                             \
        { "organization", OPTION_TEXT, TO_FIELDS, "organization", "NAME", "name of the organization" },                             \
        { "account", OPTION_TEXT, TO_FIELDS, "registered_account", "ADDRESS", "registered account" },                               \
        { "first-name", OPTION_TEXT, TO_FIELDS, "first_name", "NAME", "first name of the owner" },                                   \
        { "last-name", OPTION_TEXT, TO_FIELDS, "last_name", "NAME", "last name of the owner" },                                      \
        { "country", OPTION_TEXT, TO_FIELDS, "country", "CODE", "ISO 3166 code of two letters: DE" },                                \
        { "phone", OPTION_TEXT, TO_FIELDS, "phone", "NUMBER", "phone number" },                                                     \
        { "cloud", OPTION_TEXT, TO_FIELDS, "cloud", "CLOUD", "of Microsoft: commercial, gcc, gcc-high, dod", clouds },               \
        { "data-center", OPTION_TEXT, TO_FIELDS, "data_center", "KEY", "where its data is kept" },                                  \
        { "language", OPTION_TEXT, TO_FIELDS, "language", "LANGUAGE", "language of its mail: en, de-CH" },                           \
        { "zone", OPTION_TEXT, TO_FIELDS, "time_zone", "ZONE", "its time zone: Europe/Berlin" },                                    \
        { "mode", OPTION_TEXT, TO_FIELDS, "management_mode", "MODE", "who manages it: partner, customer, unset", modes },            \
        { "tag", OPTION_LIST, TO_FIELDS, "tags", "TAG,...", "tags; replaces all (repeatable)" },                                     \
        { "custom", OPTION_PAIRS, TO_FIELDS, "custom", "KEY=VALUE", "a field of your own; replaces all (repeatable)" },              \
        { "contact", OPTION_CONTACTS, TO_FIELDS, "contacts", "ROLE:ADDRESS[:NAME]", "a contact, billing or technical; replaces all (repeatable)" }, \
        { "notification", OPTION_TEXT, TO_FIELDS, "notification", "NAME", "notification profile" }

static const Option onboard_options[] = {
        { "type", OPTION_TEXT, TO_FIELDS, "account_type", "TYPE", "local (default), m365, m365-gov, google, salesforce, link", types },
        { "email", OPTION_TEXT, TO_FIELDS, "email", "ADDRESS", "where the invitation goes" },
        FIELD_OPTIONS,
        {},
};

static const Option edit_options[] = {
        FIELD_OPTIONS,
        { "symbol", OPTION_FILE, TO_FIELDS, "symbol", "FILE", "PNG or JPEG, at most 256 KiB and 1024 x 1024" },
        { "billing-reports", OPTION_SWITCH, TO_FIELDS, "deliveries.billing.enabled", "on|off", "send billing reports" },
        { "billing-recipients", OPTION_TEXTS, TO_FIELDS, "deliveries.billing.recipients", "ADDRESS;...", "who gets billing reports" },
        { "billing-profile", OPTION_TEXT, TO_FIELDS, "deliveries.billing.profile", "NAME", "billing profile" },
        { "service-reports", OPTION_SWITCH, TO_FIELDS, "deliveries.service_reports.enabled", "on|off", "send service reports" },
        { "service-recipients", OPTION_TEXTS, TO_FIELDS, "deliveries.service_reports.recipients", "ADDRESS;...", "who gets service reports" },
        { "clear", OPTION_LIST, TO_FIELDS, "clear", "FIELD,...", "empty these fields" },
        {},
};

static const Option list_options[] = {
        { "search", OPTION_TEXT, TO_QUERY, "search", "TEXT", "the name contains this, in any script and case" },
        { "status", OPTION_LIST, TO_SELECTOR, "status", "STATUS,...", "status of its backups", statuses },
        { "country", OPTION_LIST, TO_SELECTOR, "country", "CODE,...", "country" },
        { "tag", OPTION_LIST, TO_SELECTOR, "tag", "TAG,...", "any of these tags" },
        { "service", OPTION_LIST, TO_SELECTOR, "service", "KEY,...", "has any of these services" },
        { "subscription", OPTION_LIST, TO_SELECTOR, "subscription", "STATE,...", "has a subscription in any of these states" },
        { "open-tickets", OPTION_YES_NO, TO_SELECTOR, "open_tickets", "yes|no", "has open tickets" },
        { "mode", OPTION_LIST, TO_SELECTOR, "management_mode", "MODE,...", "who manages it", modes },
        { "state", OPTION_LIST, TO_SELECTOR, "state", "STATE,...", "invited, active, disconnecting", states },
        { "account", OPTION_LIST, TO_SELECTOR, "registered_account", "ADDRESS,...", "registered account" },
        { "pinned", OPTION_YES_NO, TO_SELECTOR, "pinned", "yes|no", "pinned by you" },
        { "view", OPTION_TEXT, TO_QUERY, "view", "NAME", "the selector, columns and order of a view" },
        {},
};

static const Option import_options[] = {
        { "update", OPTION_FLAG, TO_FIELDS, "update", NULL, "edit customers that differ from their line" },
        { "map", OPTION_PAIRS, TO_FIELDS, "map", "FIELD=COLUMN", "take FIELD from this column (repeatable)" },
        { "set", OPTION_PAIRS, TO_FIELDS, "set", "FIELD=VALUE", "for lines where FIELD is empty (repeatable)" },
        {},
};

static const Option show_options[] = {
        { "symbol-output", OPTION_TEXT, TO_PROGRAM, NULL, "FILE", "write the symbol to FILE; - is stdout, with nothing else" },
        {},
};

static const Option dashboard_options[] = {
        { "sample", OPTION_FLAG, TO_OPTIONS, "sample", NULL, "show what full panels would look like" },
        {},
};

static const Option disconnect_options[] = {
        { "confirm", OPTION_TEXT, TO_OPTIONS, "confirm", "NAME", "the organization's name, typed out" },
        { "end-subscriptions", OPTION_FLAG, TO_OPTIONS, "end_subscriptions", NULL, "end its subscriptions too" },
        { "request-tenant-deletion", OPTION_FLAG, TO_OPTIONS, "request_tenant_deletion", NULL, "open a ticket for the deletion of its data" },
        {},
};

/* ---- verbs with code of their own ---- */

static int write_symbol(Command *c, OutputFile *out) {
        _cleanup_(reply_freep) sd_bus_message *reply = NULL;
        int fd;

        const Call what = call_about("Customers", "GetSymbol", c->arguments[0]);
        int r = call(c, &what, &reply);
        if (r == 0 && sd_bus_message_read(reply, "h", &fd) < 0)
                r = fail(EXIT_FAILED, "bad-answer", NULL, "the daemon's answer is not a file");
        return r == 0 ? output_file_take(out, fd) : r;
}

static int run_show(Command *c) {
        const char *path = command_text(c, "symbol-output");
        OutputFile out = OUTPUT_FILE_INIT;

        if (path) {
                int r = output_file_check(c, path, true, &out);
                if (r == 0)
                        r = write_symbol(c, &out);
                output_file_done(&out);
                if (r != 0 || str_equal(path, "-"))
                        return r;
        }
        return run_read(c);
}

static int run_mode(Command *c) {
        const char *mode = c->n_arguments > 0 ? c->arguments[c->n_arguments - 1] : NULL;
        Dict fields = {};
        bool known = false;

        for (size_t i = 0; modes[i]; i++)
                known |= str_equal(mode, modes[i]);
        if (!known)
                return fail_usage(
                                mode, modes,
                                "the last argument of customer mode is partner, customer or unset, not \"%.60s\"",
                                mode);
        dict_add(c->arena, &fields, "mode", value_of_string(mode));
        return run_on_ids(c, c->n_arguments - 1, &fields);
}

static int organization_of(Command *c, const char **ret) {
        const char *json;

        const Call what = call_about("Customers", "Describe", c->arguments[0]);
        int r = call_text(c, &what, &json);
        if (r != 0)
                return r;
        json_t *customer = answer_parse(json);
        const char *name = json_string_value(json_object_get(customer, "organization"));
        *ret = arena_strdup(c->arena, name ? name : "");
        json_decref(customer);
        return 0;
}

/* The typed name goes to the daemon, which compares it. */
static int run_disconnect(Command *c) {
        const char *name;
        Dict options = {};

        int r = run_options(c, &options);
        if (r != 0)
                return r;
        if (!dict_find(&options, "confirm") && !command_has(c, "dry-run")) {
                if (!terminal_can_ask())
                        return fail(EXIT_USAGE, "not-confirmed", "confirm",
                                    "customer disconnect needs the organization's name typed out: --confirm \"NAME\" (--yes does not replace it)");
                r = organization_of(c, &name);
                if (r != 0)
                        return r;
                note("%s will be disconnected. \"customer reconnect\" undoes it within the grace period; after that it is erased.",
                     name);
                const char *typed = confirm_read(c, "Type the organization's name: ");
                if (str_empty(typed))
                        return fail(EXIT_USAGE, "not-confirmed", "confirm",
                                    "not confirmed: nothing was changed");
                dict_add(c->arena, &options, "confirm", value_of_string(typed));
        }
        const Call what = call_act("Customers", "Disconnect", c->arguments[0], &options);
        return run_change(c, &what);
}

static const Verb verbs[] = {
        { "onboard", FORM_CREATE, "Customers", "Onboard", NULL, 0, 0, .options = onboard_options, .help = "take on a customer" },
        { "import", FORM_FILE_IN, "Customers", "Import", "FILE", 1, 1, V_FOLLOW | V_SLOW, import_options,
          .help = "take on the customers of a CSV file; - is standard input" },
        { "list", FORM_LIST, "Customers", "List", NULL, 0, 0, V_COUNT, list_options,
          "organization,registered_account,status,country,services,open_tickets", .help = "list customers" },
        { "show", FORM_READ, "Customers", "Describe", "CUSTOMER", 1, 1, .options = show_options, .run = run_show,
          .help = "show all about a customer" },
        { "edit", FORM_CHANGE, "Customers", "Edit", "CUSTOMER...", 1, -1, V_BULK, edit_options, .help = "change customers" },
        { "mode", FORM_CHANGE, "Customers", "Mode", "CUSTOMER... MODE", 2, -1, V_BULK, .run = run_mode,
          .help = "say who manages customers: partner, customer or unset" },
        { "pin", FORM_CHANGE, "Customers", "Pin", "CUSTOMER...", 1, -1, V_BULK, .help = "pin customers for yourself" },
        { "unpin", FORM_CHANGE, "Customers", "Unpin", "CUSTOMER...", 1, -1, V_BULK, .help = "unpin customers" },
        { "hide-expired", FORM_CHANGE, "Customers", "HideExpired", "CUSTOMER...", 1, -1, V_BULK, .help = "hide expired subscriptions" },
        { "show-expired", FORM_CHANGE, "Customers", "ShowExpired", "CUSTOMER...", 1, -1, V_BULK, .help = "show them again" },
        { "dashboard", FORM_READ, "Customers", "Dashboard", "CUSTOMER", 1, 1, .options = dashboard_options, .run = dashboard_run,
          .help = "show the panels of a customer" },
        { "disconnect", FORM_ACT, "Customers", "Disconnect", "CUSTOMER", 1, 1, V_DESTRUCTIVE, disconnect_options, .run = run_disconnect,
          .help = "end a customer; it is erased when the grace period is over" },
        { "reconnect", FORM_ACT, "Customers", "Reconnect", "CUSTOMER", 1, 1, .help = "undo a disconnect within its grace period" },
        {},
};

const Noun noun_customer = { "customer", "customers", "the organizations you manage", verbs };

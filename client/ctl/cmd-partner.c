/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/ctl/run.h"

static const Option set_options[] = {
        { "name", OPTION_TEXT, TO_FIELDS, "name", "NAME", "name of the partner" },
        { "account", OPTION_TEXT, TO_FIELDS, "account", "ADDRESS", "registered account" },
        { "sender", OPTION_TEXT, TO_FIELDS, "sender", "ADDRESS", "sender of all mail" },
        { "language", OPTION_TEXT, TO_FIELDS, "language", "LANGUAGE", "language of mail and reports: en, de-CH" },
        { "zone", OPTION_TEXT, TO_FIELDS, "time_zone", "ZONE", "time zone: Europe/Berlin" },
        { "currency", OPTION_TEXT, TO_FIELDS, "currency", "CODE", "currency: EUR" },
        { "logo", OPTION_FILE, TO_FIELDS, "logo", "FILE", "PNG or JPEG" },
        { "contact", OPTION_CONTACTS, TO_FIELDS, "contacts", "ROLE:ADDRESS[:NAME]", "a contact, billing or technical; replaces all (repeatable)" },
        { "clear", OPTION_LIST, TO_FIELDS, "clear", "FIELD,...", "empty these fields" },
        {},
};

static int run_set(Command *c) {
        Dict fields = {}, options = {};

        int r = command_dict(c, TO_FIELDS, &fields);
        if (r == 0 && fields.n == 0)
                r = fail_usage(NULL, NULL, "partner set needs something to set; \"tenantctl partner set --help\" lists the options");
        if (r == 0)
                r = run_options(c, &options);
        if (r == 0)
                r = run_change(c, &(Call) { .interface = "Partner", .method = "Set", .shape = "fo", .fields = &fields, .options = &options });
        dict_close_fds(&fields);
        return r;
}

static const Verb verbs[] = {
        { "show", FORM_READ, "Partner", "Describe", NULL, 0, 0, .help = "who runs this tenantd" },
        { "set", FORM_CREATE, "Partner", "Set", NULL, 0, 0, .options = set_options, .run = run_set, .help = "set what is known of the partner" },
        {},
};

const Noun noun_partner = { "partner", "partners", "who runs this tenantd: name, sender, zone, contacts", verbs };

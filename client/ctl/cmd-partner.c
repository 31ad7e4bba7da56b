/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/ctl/run.h"

static const Option set_options[] = {
        { "name", OPTION_TEXT, TO_OPTIONS, "name", "NAME", "name of the partner" },
        { "account", OPTION_TEXT, TO_OPTIONS, "account", "ADDRESS", "registered account" },
        { "sender", OPTION_TEXT, TO_OPTIONS, "sender", "ADDRESS", "sender of all mail" },
        { "language", OPTION_TEXT, TO_OPTIONS, "language", "LANGUAGE", "language of mail and reports: en, de-CH" },
        { "zone", OPTION_TEXT, TO_OPTIONS, "time_zone", "ZONE", "time zone: Europe/Berlin" },
        { "currency", OPTION_TEXT, TO_OPTIONS, "currency", "CODE", "currency: EUR" },
        { "logo", OPTION_FILE, TO_OPTIONS, "logo", "FILE", "PNG or JPEG" },
        { "contact", OPTION_CONTACTS, TO_OPTIONS, "contacts", "ROLE:ADDRESS[:NAME]", "a contact, billing or technical; replaces all (repeatable)" },
        { "clear", OPTION_LIST, TO_OPTIONS, "clear", "FIELD,...", "empty these fields" },
        {},
};

static int run_set(Command *c) {
        Dict options = {};
        bool some = false;

        for (const Option *o = set_options; o->name; o++)
                some |= command_has(c, o->name);
        if (!some)
                return fail_usage(
                                NULL, NULL,
                                "partner set needs something to set; \"tenantctl partner set --help\" lists the options");
        int r = run_options(c, &options);
        const Call what = call_act("Partner", "Set", "", &options);
        if (r == 0)
                r = run_change(c, &what);
        dict_close_fds(&options);
        return r;
}

static const Verb verbs[] = {
        { "show", FORM_READ, "Partner", "Describe", NULL, 0, 0, .help = "who runs this tenantd" },
        { "set", FORM_ACT, "Partner", "Set", NULL, 0, 0, .options = set_options, .run = run_set, .help = "set what is known of the partner" },
        {},
};

const Noun noun_partner = { "partner", "partners", "who runs this tenantd: name, sender, zone, contacts",
                            verbs };

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/ctl/export.h"
#include "client/ctl/run.h"

static const char *const outcomes[] = { "ok", "refused", "failed", NULL };

#define TERM_OPTIONS                                                                                          \
        { "customer", OPTION_TEXT, TO_SELECTOR, "object", "ID", "about this object" },                          \
        { "verb", OPTION_LIST, TO_SELECTOR, "verb", "NOUN.VERB,...", "any of these verbs: customer.edit" },     \
        { "actor", OPTION_LIST, TO_SELECTOR, "actor", "NAME,...", "done by any of these users" },               \
        { "outcome", OPTION_LIST, TO_SELECTOR, "outcome", "OUTCOME,...", "ok, refused, failed", outcomes }

static const Option list_options[] = {
        TERM_OPTIONS,
        { "since", OPTION_TIME, TO_QUERY, "since", "TIME", "not before; a date, a time, or how long ago: 7d" },
        { "until", OPTION_TIME, TO_QUERY, "until", "TIME", "before" },
        {},
};

static const Option export_options[] = {
        EXPORT_OPTIONS,
        TERM_OPTIONS,
        { "since", OPTION_TIME, TO_FIELDS, "since", "TIME", "not before; a date, a time, or how long ago: 7d" },
        { "until", OPTION_TIME, TO_FIELDS, "until", "TIME", "before" },
        {},
};

static int run_verify(Command *c) {
        const char *json;
        int r = call_text(c, &(Call) { .interface = "Audit", .method = "Verify", .shape = "so", .slow = true }, &json);
        return r != 0 ? r : print_object(c, json);
}

static int run_export(Command *c) {
        return export_run(c, "audit", NULL);
}

static const Verb verbs[] = {
        { "list", FORM_LIST, "Audit", "List", NULL, 0, 0, .options = list_options, .columns = "n,time,actor,verb,object,outcome,code",
          .help = "list who did what" },
        { "verify", FORM_READ, "Audit", "Verify", NULL, 0, 0, .run = run_verify, .help = "check the chain of all records" },
        { "export", FORM_FILE_OUT, "Reports", "Export", NULL, 0, 0, V_FILTER, export_options, .run = run_export,
          .help = "write records to a file" },
        {},
};

const Noun noun_audit = { "audit", "audit records", "who did what", verbs };

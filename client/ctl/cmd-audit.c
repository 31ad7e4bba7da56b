/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>

#include "client/ctl/answer.h"
#include "client/ctl/export.h"
#include "client/ctl/run.h"
#include "common/id.h"

static const char *const outcomes[] = { "ok", "refused", "failed", NULL };

#define TERM_OPTIONS                                                                                          \
        { "customer", OPTION_TEXT, TO_SELECTOR, "object", "CUSTOMER", "about this customer" },                          \
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

/* Records name objects by id. An id is taken as it is: records of a customer that was erased are still there. */
static int resolve_customer(Command *c) {
        const Given *g = command_given(c, "customer");
        const char *json;
        Id id;

        if (!g || id_parse(g->values[g->n - 1], &id))
                return 0;
        const Call what = call_about("Customers", "Describe", g->values[g->n - 1]);
        int r = call_text(c, &what, &json);
        if (r != 0)
                return r;
        json_t *customer = answer_parse(json);
        const char *text = json_string_value(json_object_get(customer, "id"));
        if (text)
                g->values[g->n - 1] = arena_strdup(c->arena, text);
        json_decref(customer);
        return text ? 0 : EXIT_FAILED;
}

static int run_records(Command *c) {
        int r = resolve_customer(c);
        return r != 0 ? r : run_list(c);
}

static int run_verify(Command *c) {
        const char *json;
        Call what = call_act("Audit", "Verify", "", NULL);
        what.slow = true;
        int r = call_text(c, &what, &json);
        return r != 0 ? r : print_object(c, json);
}

static int run_export(Command *c) {
        int r = resolve_customer(c);
        return r != 0 ? r : export_run(c, "audit", NULL);
}

static const Verb verbs[] = {
        { "list", FORM_LIST, "Audit", "List", NULL, 0, 0, .options = list_options, .columns = "n,time,actor,verb,object,outcome,code",
          .run = run_records, .help = "list who did what" },
        { "verify", FORM_READ, "Audit", "Verify", NULL, 0, 0, .run = run_verify, .help = "check the chain of all records" },
        { "export", FORM_FILE_OUT, "Audit", "Export", NULL, 0, 0, V_FILTER, export_options, .run = run_export,
          .help = "write records to a file" },
        {},
};

const Noun noun_audit = { "audit", "audit records", "who did what", verbs };

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/ctl/verb.h"

const Noun *const nouns[] = {
        &noun_partner, &noun_customer, &noun_view,  &noun_operation, &noun_task,
        &noun_report,  &noun_report_template, &noun_schedule, &noun_message, &noun_mail_template, &noun_role, &noun_group, &noun_audit, &noun_event, &noun_admin, NULL,
};

static const char *const json_words[] = { "short", "pretty", NULL };
static const char *const bus_words[] = { "system", "session", NULL };

const Option program_options[] = {
        { "bus", OPTION_TEXT, TO_PROGRAM, NULL, "BUS", "system (default), session, or a D-Bus address", bus_words },
        { "host", OPTION_TEXT, TO_PROGRAM, NULL, "HOST", "run on HOST by ssh (also -H HOST)" },
        { "json", OPTION_OPTIONAL, TO_PROGRAM, NULL, "short|pretty", "print JSON", json_words },
        { "columns", OPTION_LIST, TO_PROGRAM, "columns", "A,B", "show these columns" },
        { "filter", OPTION_TEXT, TO_PROGRAM, "selector", "SELECTOR", "only what the selector picks" },
        { "sort", OPTION_TEXT, TO_PROGRAM, "sort", "[-]FIELD", "order; - turns it round" },
        { "limit", OPTION_NUMBER, TO_PROGRAM, "limit", "N", "at most N rows" },
        { "dry-run", OPTION_FLAG, TO_PROGRAM, "dry_run", NULL, "say what would be done and change nothing" },
        { "yes", OPTION_FLAG, TO_PROGRAM, NULL, NULL, "do not ask" },
        { "no-wait", OPTION_FLAG, TO_PROGRAM, NULL, NULL, "do not wait for the operation" },
        { "request-id", OPTION_TEXT, TO_PROGRAM, "request_id", "ID", "name this request; the same ID is done only once" },
        { "revision", OPTION_NUMBER, TO_PROGRAM, "revision", "N", "refuse if it was changed since revision N" },
        { "utc", OPTION_FLAG, TO_PROGRAM, NULL, NULL, "show times in UTC, not in the partner's zone" },
        { "no-legend", OPTION_FLAG, TO_PROGRAM, NULL, NULL, "no header and no criteria line" },
        { "no-pager", OPTION_FLAG, TO_PROGRAM, NULL, NULL, "do not page" },
        { "no-ask-password", OPTION_FLAG, TO_PROGRAM, NULL, NULL, "do not ask for a password" },
        { "help", OPTION_FLAG, TO_PROGRAM, NULL, NULL, "show help (also -h)" },
        { "version", OPTION_FLAG, TO_PROGRAM, NULL, NULL, "show the versions of tenantctl and of the daemon" },
        {},
};

const Noun *noun_find(const char *name) {
        for (size_t i = 0; nouns[i]; i++)
                if (str_equal(nouns[i]->name, name))
                        return nouns[i];
        return NULL;
}

const Verb *verb_find(const Noun *noun, const char *name) {
        for (const Verb *v = noun->verbs; v->name; v++)
                if (str_equal(v->name, name))
                        return v;
        return NULL;
}

static bool verb_changes(const Verb *v) {
        return v->form >= FORM_CREATE && v->form <= FORM_FILE_OUT;
}

bool verb_takes(const Verb *v, const Option *o) {
        bool list = v->form == FORM_LIST;

        if (str_equal(o->name, "columns"))
                return list || v->form == FORM_READ || v->form == FORM_FILE_OUT || (v->flags & V_COLUMNS);
        if (str_equal(o->name, "filter"))
                return (list && !(v->flags & V_QUIET_LIST)) || (v->flags & (V_BULK | V_FILTER));
        if (str_equal(o->name, "sort"))
                return list || (v->flags & V_SORT);
        if (str_equal(o->name, "limit"))
                return list || (v->flags & V_LIMIT);
        if (str_equal(o->name, "dry-run") || str_equal(o->name, "revision"))
                return verb_changes(v);
        return true;
}

bool verb_uses(const Verb *v, const Option *o) {
        bool bulk = v->flags & V_BULK,
             waits = (v->flags & (V_BULK | V_FOLLOW)) || str_equal(v->name, "wait");

        if (str_equal(o->name, "request-id"))
                return verb_changes(v);
        if (str_equal(o->name, "yes"))
                return bulk || (v->flags & V_DESTRUCTIVE);
        if (str_equal(o->name, "no-wait"))
                return waits;
        return verb_takes(v, o);
}

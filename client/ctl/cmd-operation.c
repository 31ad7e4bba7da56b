/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/ctl/export.h"
#include "client/ctl/operation.h"
#include "client/ctl/run.h"
#include "client/ctl/timezone.h"

static const char *const states[] = { "running", "finished", "partially-failed",
                                      "failed",  "canceled", "pending-approval",
                                      NULL };

static const Option list_options[] = {
        { "state", OPTION_LIST, TO_SELECTOR, "state", "STATE,...", "in any of these states", states },
        { "kind", OPTION_LIST, TO_SELECTOR, "kind", "NOUN.VERB,...", "of any of these kinds" },
        {},
};

static const Option export_options[] = { EXPORT_OPTIONS, {} };

static int run_wait(Command *c) {
        const char *json;

        int r = bus_connect(c);
        if (r == 0) {
                Pending *zone = timezone_ask(c);
                const Call what = call_about("Operations", "Describe", c->arguments[0]);
                r = call_text(c, &what, &json);
                timezone_use(c, zone);
        }
        return r != 0 ? r : operation_follow(c, json);
}

static int run_export(Command *c) {
        Dict more = {};
        dict_add(c->arena, &more, "operation", value_of_string(c->arguments[0]));
        return export_run(c, "operation", &more);
}

static const Verb verbs[] = {
        { "list", FORM_LIST, "Operations", "List", NULL, 0, 0, .options = list_options, .columns = "id,kind,state,done,total,created",
          .help = "list operations" },
        { "show", FORM_READ, "Operations", "Describe", "OPERATION", 1, 1, .help = "show an operation with its items" },
        { "wait", FORM_OTHER, "Operations", "Describe", "OPERATION", 1, 1, .run = run_wait, .help = "wait until an operation has ended" },
        { "approve", FORM_ACT, "Operations", "Approve", "OPERATION", 1, 1, V_FOLLOW, .help = "let what another user asked for be done" },
        { "cancel", FORM_ACT, "Operations", "Cancel", "OPERATION", 1, 1, .help = "cancel what has not been done yet" },
        { "retry", FORM_ACT, "Operations", "Retry", "OPERATION", 1, 1, V_FOLLOW, .help = "do the failed part again, as a new operation" },
        { "revert", FORM_ACT, "Operations", "Revert", "OPERATION", 1, 1, V_FOLLOW, .help = "bring back what was before, as a new operation" },
        { "export", FORM_FILE_OUT, "Operations", "Export", "OPERATION", 1, 1, .options = export_options, .run = run_export,
          .help = "write the items to a file" },
        {},
};

const Noun noun_operation = { "operation", "operations", "work over many items, with one result each",
                              verbs };

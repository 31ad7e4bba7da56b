/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/ctl/run.h"

static const char *const states[] = { "queued", "running",  "waiting", "done",
                                      "failed", "canceled", "dead",    NULL };

static const Option list_options[] = {
        { "state", OPTION_LIST, TO_SELECTOR, "state", "STATE,...", "in any of these states", states },
        { "kind", OPTION_LIST, TO_SELECTOR, "kind", "KIND,...", "of any of these kinds" },
        {},
};

static const Verb verbs[] = {
        { "list", FORM_LIST, "Tasks", "List", NULL, 0, 0, .options = list_options, .columns = "id,kind,state,lane,attempt,due",
          .help = "list the daemon's own queue" },
        { "show", FORM_READ, "Tasks", "Describe", "TASK", 1, 1, .help = "show a task" },
        { "cancel", FORM_ACT, "Tasks", "Cancel", "TASK", 1, 1, .help = "cancel a task" },
        { "retry", FORM_ACT, "Tasks", "Retry", "TASK", 1, 1, .help = "run a failed, canceled or dead task again" },
        { "pause", FORM_ACT, "Tasks", "Pause", "[TASK]", 0, 1, .help = "start nothing more, until it is resumed" },
        { "resume", FORM_ACT, "Tasks", "Resume", "[TASK]", 0, 1, .help = "go on" },
        {},
};

const Noun noun_task = { "task", "tasks", "the daemon's own queue", verbs };

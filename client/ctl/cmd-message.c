/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/ctl/run.h"

static const Verb verbs[] = {
        { "list", FORM_LIST, "Messages", "List", NULL, 0, 0, .columns = "id,target,event,subject,state,attempt,created", .help = "list the outbox" },
        { "show", FORM_READ, "Messages", "Describe", "MESSAGE", 1, 1, .help = "show a message and what became of it" },
        { "replay", FORM_ACT, "Messages", "Replay", "MESSAGE", 1, 1, .help = "try a dead message again" },
        {},
};

const Noun noun_message = { "message", "messages", "mails that left, wait, or were given up", verbs };

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/message-action.h"
#include "daemon/bus/dispatch.h"

static const char *const none[] = { NULL };

static const MethodRow rows[] = {
        { "List", FORM_LIST, ROW_READS, "message.list", .dataset = "messages" },
        { "Query", FORM_QUERY, ROW_READS | ROW_WORKER, "message.list", .dataset = "messages" },
        { "Get", FORM_GET, ROW_READS, "message.show", message_show, .dataset = "messages" },
        { "Describe", FORM_DESCRIBE, ROW_READS, "message.show", message_show },
        { "Replay", FORM_ACT, 0, "message.replay", message_replay_action, .options = none },
        {},
};

const InterfaceRows messages_interface = { "Messages", rows };

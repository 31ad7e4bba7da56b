/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>
#include <systemd/sd-bus.h>

#include "client/ctl/progress.h"
#include "client/ctl/queue.h"
#include "common/names.h"

static bool said;

void queue_heard(const char *warning) {
        said |= str_equal(warning, QUEUE_PAUSED);
}

Pending *queue_ask(Command *c) {
        const Call what = call_act("Manager", "Status", "", NULL);
        return said ? NULL : call_beside(c, &what);
}

void queue_tell(Command *c, sd_bus_message *status) {
        const char *text;

        if (said || !status || sd_bus_message_read(status, "s", &text) < 0)
                return;
        json_t *object = json_loads(text, 0, NULL);
        if (json_is_true(json_object_get(json_object_get(object, "queue"), "paused"))) {
                progress_clear();
                warn("%s", QUEUE_PAUSED);
                said = true;
        }
        json_decref(object);
}

void queue_say_paused(Command *c) {
        _cleanup_(reply_freep) sd_bus_message *status = NULL;
        Call what = call_act("Manager", "Status", "", NULL);

        what.quiet = true;
        if (said)
                return;
        if (call(c, &what, &status) == EXIT_NOT_AUTHORIZED)
                said = true;                 /* who may not ask is not told, and need not ask again */
        queue_tell(c, status);
}

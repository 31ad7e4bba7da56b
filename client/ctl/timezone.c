/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "client/ctl/agent.h"
#include "client/ctl/timezone.h"
#include "common/time.h"

static bool is_set;

Pending *timezone_ask(Command *c) {
        if (c->json != JSON_OFF || command_has(c, "utc") || is_set)
                return NULL;
        const Call what = call_about("Partner", "Describe", "");
        return call_beside(c, &what);
}

static void zone_set(Command *c, const char *name) {
        if (strstr(name, "..") || name[0] == '/' ||
            access(arena_printf(c->arena, "/usr/share/zoneinfo/%s", name), R_OK) < 0) {
                warn("the partner's zone %.80s is not installed here: times are in UTC", name);
                return;
        }
        setenv("TZ", arena_printf(c->arena, ":%s", name), 1);
        tzset();
        is_set = true;
}

void timezone_use(Command *c, Pending *p) {
        _cleanup_(reply_freep) sd_bus_message *again = NULL;
        sd_bus_message *reply = call_collect(c, p);
        const char *text;

        /* A password that came meanwhile may let this through, too. */
        if (p && !reply && agent_is_open()) {
                Call what = call_about("Partner", "Describe", "");
                what.quiet = true;
                if (call(c, &what, &again) == 0)
                        reply = again;
        }
        if (!reply || is_set || sd_bus_message_read(reply, "s", &text) < 0)
                return;
        json_t *partner = json_loads(text, 0, NULL);
        const char *name = json_string_value(json_object_get(partner, "time_zone"));
        if (name && !str_equal(name, "UTC"))
                zone_set(c, name);
        json_decref(partner);
}

bool timezone_put(Buffer *b, const char *rfc3339) {
        Usec t;
        struct tm tm;
        char text[80];

        if (!time_parse(rfc3339, &t) || strlen(rfc3339) < 20)
                return false;
        time_t seconds = (time_t) (t / USEC_SEC);
        if (is_set ? !localtime_r(&seconds, &tm) : !gmtime_r(&seconds, &tm))
                return false;
        size_t n = strftime(text, sizeof(text), is_set ? "%Y-%m-%d %H:%M:%S %Z" : "%Y-%m-%d %H:%M:%S UTC",
                            &tm);
        buffer_add(b, text, n);
        return true;
}

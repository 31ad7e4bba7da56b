/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/reload-action.h"

static void put_keys(Buffer *b, const char *name, const char *const *keys) {
        json_put_key(b, name);
        json_put_array_begin(b);
        for (size_t i = 0; keys[i]; i++)
                json_put_string(b, keys[i]);
        json_put_array_end(b);
}

static void put_changes(Buffer *b, const Reloaded *done) {
        json_put_object_begin(b);
        put_keys(b, "applied", done->applied);
        put_keys(b, "restart", done->restart);
}

int admin_reload(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Reloaded done;
        Buffer trail = {};

        int r = c->reloader->read(c->reloader->userdata, c->arena, &done, problem);
        if (r != 0)
                return r;
        if (done.applied[0])
                turn_effect(c->db, (Effect) { .type = EFFECT_SETTINGS });
        put_changes(&trail, &done);
        json_put_object_end(&trail);
        c->trail.after = buffer_into(&trail, c->arena);
        put_changes(answer, &done);
        if (done.restart[0])
                answer_warning(answer, "what stands under restart takes effect at the next start of tenantd, which loses nothing");
        json_put_object_end(answer);
        return 0;
}

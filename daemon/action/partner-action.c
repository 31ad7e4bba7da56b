/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/partner-action.h"
#include "daemon/store/partner-store.h"

const char *const partner_options[] = { "name", "account", "sender", "language", "time_zone", "currency", "contacts", "logo", "clear", NULL };

int partner_show(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Partner p;
        int r = partner_load(c->db, c->arena, &p);
        if (r >= 0)
                partner_write_json(answer, &p, c->host);
        return r;
}

static const char *object(Context *c, const Partner *p) {
        Buffer b = {};
        partner_write_json(&b, p, c->host);
        return buffer_into(&b, c->arena);
}

int partner_set(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Dict fields = {};
        Partner p;

        for (size_t i = 0; i < request->options->n; i++)
                if (names_find(partner_options, request->options->entries[i].key) >= 0)
                        dict_add(c->arena, &fields, request->options->entries[i].key, request->options->entries[i].value);
        int r = partner_load(c->db, c->arena, &p);
        if (r < 0)
                return r;
        bool had_logo = p.logo;
        c->trail.before = object(c, &p);
        r = request_check_revision(request, p.revision, problem);
        if (r == 0)
                r = partner_apply(c->arena, c->rules, &p, &fields, problem);
        if (r != 0)
                return r;
        if (dict_find(&fields, "logo")) {
                if (!request->picture)
                        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "wrong-type", "logo", "logo must be a file descriptor (h) of a PNG or JPEG");
                p.logo = request->picture;
        }
        r = partner_save(c->db, &p);
        if (r >= 0 && dict_find(&fields, "logo"))
                r = partner_logo_put(c->db, request->file->data, request->file->size);
        else if (r >= 0 && had_logo && !p.logo)
                r = partner_logo_put(c->db, NULL, 0);
        if (r < 0)
                return r;
        c->trail.after = object(c, &p);
        turn_effect(c->db, (Effect) { .type = EFFECT_CHANGED, .kind = "partner" });
        json_put_object_begin(answer);
        json_put_key_string(answer, "id", "");
        json_put_key_int(answer, "revision", p.revision);
        json_put_object_end(answer);
        return 0;
}

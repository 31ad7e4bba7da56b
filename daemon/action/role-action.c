/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/time.h"
#include "daemon/action/access.h"
#include "daemon/action/json-list.h"
#include "daemon/action/list-action.h"
#include "daemon/action/role-action.h"
#include "daemon/action/zone-file.h"
#include "daemon/model/plan.h"
#include "daemon/model/right.h"
#include "daemon/model/unicode.h"
#include "daemon/store/partner-store.h"
#include "daemon/store/role-store.h"

enum { VERBS_MAX = 100 };

static int find_by(Context *c, const char *field, const char *reference, Role *ret, Problem *problem) {
        const char *name = reference;
        Problem ignored;

        if (text_check(c->arena, "id", TEXT_ONE_LINE, 1, 200, &name, &ignored) != 0)
                name = reference;
        int r = role_find(c->db, c->arena, name, ret);
        return r != 0 ? MIN(r, 0) : problem_set(problem, PROBLEM_NOT_FOUND, "no-such-role", field, "there is no role \"%.80s\"; role list shows them", name);
}

static int find(Context *c, const char *reference, Role *ret, Problem *problem) {
        int r = find_by(c, NULL, reference, ret, problem);
        if (r == 0)
                c->trail.object = id_text(ret->id, arena_alloc(c->arena, ID_TEXT_SIZE));
        return r;
}

/* ---- fields ---- */

static int apply_verbs(Context *c, Role *role, const Dict *fields, Problem *problem) {
        const char *const *verbs = NULL;
        size_t n = 0;

        int r = dict_strings(fields, "verbs", &verbs, &n, problem);
        if (r == 0 && n > VERBS_MAX)
                r = problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-many", "verbs", "at most %d verbs, not %zu: * stands for a part of them", VERBS_MAX, n);
        for (size_t i = 0; i < n && r == 0; i++)
                r = right_check_pattern(verbs[i], problem);
        if (r == 0 && dict_find(fields, "verbs"))
                role->verbs = json_list(c->arena, verbs, n);
        if (r == 0 && (!role->verbs || str_equal(role->verbs, "[]")))
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "verbs", "a role needs verbs: customer.edit, customer.*, *.list …");
        return r;
}

/* "" takes it away. */
static int apply_selector(Context *c, const Dict *fields, const char *field, const char **selector, Problem *problem) {
        Selector *unused;
        int r = dict_string(fields, field, selector, problem);
        if (r == 0 && *selector && **selector == 0)
                *selector = NULL;
        return r != 0 || !*selector ? r : access_selector(c, field, *selector, &unused, problem);
}

static int apply(Context *c, Role *role, const Dict *fields, Problem *problem) {
        int r = dict_string(fields, "name", &role->name, problem);
        if (r == 0 && str_empty(role->name))
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "name", "a role needs a name");
        if (r == 0)
                r = text_check(c->arena, "name", TEXT_ONE_LINE, 1, 200, &role->name, problem);
        if (r != 0)
                return r;
        role->name_key = text_key(c->arena, role->name);
        r = apply_verbs(c, role, fields, problem);
        if (r == 0)
                r = apply_selector(c, fields, "selector", &role->selector, problem);
        return r != 0 ? r : apply_selector(c, fields, "exclude", &role->exclude, problem);
}

static int name_free(Context *c, const Role *role, Problem *problem) {
        Role other;
        int r = role_find(c->db, c->arena, role->name, &other);
        if (r <= 0 || other.n == role->n)
                return MIN(r, 0);
        return problem_set(problem, PROBLEM_EXISTS, "role-exists", "name", "there is a role %.80s already: edit it, or choose another name", role->name);
}

static const char *object(Context *c, const Role *role) {
        Buffer b = {};
        json_put_object_begin(&b);
        json_put_key_string(&b, "name", role->name);
        json_put_key_raw(&b, "verbs", role->verbs, strlen(role->verbs));
        json_put_key_string(&b, "selector", role->selector);
        json_put_key_string(&b, "exclude", role->exclude);
        json_put_object_end(&b);
        return buffer_into(&b, c->arena);
}

/* ---- the role ---- */

int role_create(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        static const char *const keys[] = { "name", "verbs", "selector", "exclude", "from", NULL };
        Role role = { .created = c->now };
        const char *from = NULL;

        int r = dict_check_keys(request->fields, "a role", keys, problem);
        if (r == 0)
                r = dict_string(request->fields, "from", &from, problem);
        if (r == 0 && from) {
                r = find_by(c, "from", from, &role, problem);
                role.n = role.revision = 0;
                role.name = NULL;
                role.created = c->now;
        }
        if (r == 0)
                r = apply(c, &role, request->fields, problem);
        if (r == 0)
                r = name_free(c, &role, problem);
        if (r != 0)
                return r;
        role.id = id_new();
        r = role_insert(c->db, &role);
        if (r < 0)
                return r;
        c->trail.object = id_text(role.id, arena_alloc(c->arena, ID_TEXT_SIZE));
        c->trail.after = object(c, &role);
        answer_object(answer, role.id, role.revision);
        return 0;
}

int role_edit(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        static const char *const keys[] = { "name", "verbs", "selector", "exclude", NULL };
        Role role;

        if (request->n_ids != 1)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "one-at-a-time", "ids", "roles are edited one at a time, not %zu", request->n_ids);
        int r = find(c, request->ids[0], &role, problem);
        if (r == 0)
                r = request_check_revision(request, role.revision, problem);
        if (r == 0)
                r = dict_check_keys(request->fields, "a role", keys, problem);
        if (r != 0)
                return r;
        c->trail.before = object(c, &role);
        r = apply(c, &role, request->fields, problem);
        if (r == 0)
                r = name_free(c, &role, problem);
        if (r == 0)
                r = role_update(c->db, &role);
        if (r != 0)
                return r;
        c->trail.after = object(c, &role);
        answer_object(answer, role.id, role.revision);
        return 0;
}

int role_delete_action(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Role role;
        int r = find(c, request->id, &role, problem);
        if (r == 0)
                r = request_check_revision(request, role.revision, problem);
        if (r == 0)
                r = role_delete(c->db, role.n);
        if (r != 0)
                return r;
        c->trail.before = object(c, &role);
        turn_effect(c->db, (Effect) { .type = EFFECT_CHANGED, .kind = "role", .id = role.id });
        answer_object(answer, role.id, role.revision);
        return 0;
}

int role_show(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Role role;
        int r = find(c, request->id, &role, problem);
        return r != 0 ? r : list_one(c, dataset_find("roles"), role.id, answer, problem);
}

/* ---- grants ---- */

static int read_who(const Request *request, const char **ret, Problem *problem) {
        int r = dict_string(request->options, "who", ret, problem);
        if (r != 0)
                return r;
        if (!*ret || (!str_starts(*ret, "user:") && !str_starts(*ret, "group:")) || strlen(*ret) > 200 || !utf8_valid(*ret, strlen(*ret)))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, *ret ? "bad-who" : "missing", "who", "who is user:NAME or group:NAME, of this host");
        return 0;
}

/* The instant after its last day, which is the partner's. */
static int read_end(Context *c, const Request *request, RoleGrant *g, Problem *problem) {
        bool in_gap, in_overlap;             /* a day that begins in a gap begins after it */
        Partner partner;
        Zone *zone = NULL;
        CivilDate last;

        g->ends = USEC_NONE;
        int r = dict_string(request->options, "end", &g->end, problem);
        if (r != 0 || !g->end)
                return r;
        r = plan_date_parse("end", g->end, &last, problem);
        if (r != 0)
                return r;
        CivilTime after = {};
        civil_from_days(civil_days(last.year, last.month, last.day) + 1, &after.year, &after.month, &after.day);
        g->ends = civil_usec(&after);
        r = partner_load(c->db, c->arena, &partner);
        if (r >= 0 && partner.time_zone && zone_load(c->arena, c->settings, partner.time_zone, &zone) >= 0)
                g->ends = zone_instant(zone, &after, &in_gap, &in_overlap);
        if (r >= 0 && g->ends <= c->now)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "end-past", "end", "%s is over: give a day that is still to come, or none", g->end);
        return MIN(r, 0);
}

static int answer_grant(Context *c, Role *role, const char *who, Buffer *answer) {
        int r = role_update(c->db, role);
        if (r < 0)
                return r;
        json_put_object_begin(answer);
        json_put_key_id(answer, "id", role->id);
        json_put_key_int(answer, "revision", role->revision);
        json_put_key_string(answer, "who", who);
        json_put_object_end(answer);
        return 0;
}

static const char *grant_object(Context *c, const char *who, const char *end) {
        Buffer b = {};
        json_put_object_begin(&b);
        json_put_key_string(&b, "who", who);
        json_put_key_string(&b, "end", end);
        json_put_object_end(&b);
        return buffer_into(&b, c->arena);
}

int role_grant(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        RoleGrant g = {};
        Role role;

        int r = find(c, request->id, &role, problem);
        if (r == 0)
                r = request_check_revision(request, role.revision, problem);
        if (r == 0)
                r = read_who(request, &g.who, problem);
        if (r == 0)
                r = read_end(c, request, &g, problem);
        if (r != 0)
                return r;
        g.kind = *g.who;
        g.number = request->who;
        if (g.number < 0)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "no-such-who", "who", "this host knows no %s \"%.80s\"", g.kind == 'u' ? "user" : "group",
                                   strchr(g.who, ':') + 1);
        r = role_grant_put(c->db, role.n, &g);
        if (r < 0)
                return r;
        c->trail.after = grant_object(c, g.who, g.end);
        return answer_grant(c, &role, g.who, answer);
}

int role_revoke(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        const char *who = NULL;
        Role role;

        int r = find(c, request->id, &role, problem);
        if (r == 0)
                r = request_check_revision(request, role.revision, problem);
        if (r == 0)
                r = read_who(request, &who, problem);
        if (r != 0)
                return r;
        r = role_grant_remove(c->db, role.n, who);
        if (r < 0)
                return r;
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-grant", "who", "%.80s does not have the role %.80s; role show tells who has", who, role.name);
        c->trail.before = grant_object(c, who, NULL);
        return answer_grant(c, &role, who, answer);
}

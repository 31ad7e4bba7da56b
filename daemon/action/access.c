/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdatomic.h>

#include "common/field.h"
#include "common/log.h"
#include "daemon/action/access.h"
#include "daemon/action/json-list.h"
#include "daemon/model/right.h"
#include "daemon/store/group-store.h"
#include "daemon/store/query.h"
#include "daemon/store/role-store.h"

enum { ROLES_MAX = 64 };

int access_groups(Context *c, const char *text, SelectorGroups *ret) {
        *ret = (SelectorGroups) {};
        return text && !strstr(text, "group") ? 0 : groups_all(c->db, c->arena, ret);
}

int access_selector(Context *c, const char *field, const char *text, Selector **ret, Problem *problem) {
        SelectorGroups groups;
        int r = selector_read(c->arena, dataset_find("customers"), text, ret, problem);
        if (r == 0)
                r = access_groups(c, text, &groups);
        if (r == 0)
                r = selector_expand(c->arena, *ret, &groups, problem);
        if (r > 0)
                text_copy_cut(problem->field, sizeof(problem->field), field);
        return r;
}

/* ---- roles ---- */

/* What is of all customers, or of none: a role for some customers does not give it, or its holder would soon have all. */
static bool is_for_all(const char *verb) {
        static const char *const counts_all[] = { "admin.status", "audit.verify", NULL };
        const Right *right = right_find(verb);
        return right && (right->group >= RIGHT_ADMIN || (str_starts(verb, "mail-template.") && right->group != RIGHT_READ) ||
                         names_find(counts_all, verb) >= 0);
}

static bool role_names(Arena *a, const Role *role, const char *verb) {
        size_t n = 0;
        const char **patterns = json_list_read(a, role->verbs, &n);

        for (size_t i = 0; i < n; i++)
                if (right_matches(patterns[i], verb))
                        return true;
        return false;
}

static bool role_has(Arena *a, const Role *role, const char *verb) {
        return !((role->selector || role->exclude) && is_for_all(verb)) && role_names(a, role, verb);
}

static Selector *node(Arena *a, SelectorKind kind, Selector *first, Selector *second) {
        Selector *s = arena_alloc(a, sizeof(*s));
        *s = (Selector) { .kind = kind, .children = first };
        first->next = second;
        return s;
}

/* selector and not exclude; *ret NULL: everybody. 1: it cannot be read any more, and gives nothing. */
static int role_customers(Context *c, const Role *role, Selector **ret) {
        Selector *in = NULL, *out = NULL;
        Problem problem;
        int r = 0;

        if (role->selector)
                r = access_selector(c, "selector", role->selector, &in, &problem);
        if (r == 0 && role->exclude)
                r = access_selector(c, "exclude", role->exclude, &out, &problem);
        if (r > 0)
                log_warning("the role \"%s\" gives nothing: %s", role->name, problem.text);
        if (r != 0)
                return r;
        if (out)
                out = node(c->arena, SELECTOR_NOT, out, NULL);
        *ret = in && out ? node(c->arena, SELECTOR_AND, in, out) : in ?: out;
        return 0;
}

/* Whoever has a role may look at what came of their own calls: rows of theirs, and no customers (but see access_widen()). */
static bool is_about_own(const char *verb) {
        static const char *const verbs[] = { "event.monitor", "operation.list", "operation.show", "report.list", "report.save", "report.show", "task.list",
                                             "task.show", NULL };
        return names_find(verbs, verb) >= 0;
}

static Selector *nobody(Arena *a) {
        Selector *s = arena_alloc(a, sizeof(*s));
        *s = (Selector) { .kind = SELECTOR_OR };
        return s;
}

bool access_is_own(const Selector *scope) {
        return scope && scope->kind == SELECTOR_OR && !scope->children;
}

/* At most once a minute: each call and task comes here. */
static void warn_of_dropped(const Context *c, const char *first) {
        static _Atomic Usec warned;
        Usec before = atomic_load(&warned), now = clock_monotonic();

        if ((before == 0 || now - before > USEC_MINUTE) && atomic_compare_exchange_strong(&warned, &before, now))
                log_warning("%s (uid %lld) has more than %d roles: \"%s\" and what comes after it give nothing; make fewer of them, or fewer grants", c->caller->user,
                            (long long) c->caller->uid, ROLES_MAX, first);
}

/* One OR of all of them, however many: nested ones would be deeper than SQLite reads. */
static Selector *any_of(Arena *a, Selector *scopes) {
        return scopes && scopes->next ? node(a, SELECTOR_OR, scopes, scopes->next) : scopes;
}

static int roles_decide(Context *c, const char *verb, bool *ret_found, Selector **ret_scope) {
        const RoleHolder who = { c->caller->uid, c->caller->gids, c->caller->n_gids };
        Role roles[ROLES_MAX + 1];
        Selector *scopes = NULL, **end = &scopes;
        size_t n = 0;

        *ret_found = false;
        *ret_scope = NULL;
        int r = roles_of(c->db, c->arena, &who, c->now, roles, ELEMENTSOF(roles), &n);
        if (n > ROLES_MAX)
                warn_of_dropped(c, roles[--n].name);
        for (size_t i = 0; i < n && r >= 0; i++) {
                Selector *of_role = NULL;
                if (!role_has(c->arena, &roles[i], verb))
                        continue;
                r = role_customers(c, &roles[i], &of_role);
                if (r != 0)
                        continue;
                *ret_found = true;
                if (!of_role)
                        return 0;
                *end = of_role;
                end = &of_role->next;
        }
        *ret_scope = any_of(c->arena, scopes);
        if (n > 0 && !*ret_found && is_about_own(verb))
                *ret_scope = nobody(c->arena);
        return MIN(r, 0);
}

/* The groups stand in the order of their weight: who may change may look, too. */
static bool was_granted(const Caller *caller, const char *verb) {
        const Right *right = right_find(verb);
        return right && caller->granted > (int64_t) right->group;
}

int access_decide(Context *c, const char *verb, const Selector **ret_scope, Problem *problem) {
        bool found;
        Selector *scope;

        *ret_scope = NULL;
        if (c->caller->all)
                return 0;
        int r = roles_decide(c, verb, &found, &scope);
        if (r < 0)
                return r;
        if (!found && was_granted(c->caller, verb))
                return 0;
        *ret_scope = scope;
        return found || scope ? 0 : problem_set(problem, PROBLEM_NOT_AUTHORIZED, "not-authorized", NULL,
                                       "you have no right to %s: ask an administrator of this tenantd for a role that has it", verb);
}

int access_enter(Context *c, const char *verb, Problem *problem) {
        return access_decide(c, verb, &c->scope, problem);
}

int access_widen(Context *c, const char *verb, const Selector **scope) {
        const Selector *more;
        Problem ignored;

        int r = access_decide(c, verb, &more, &ignored);
        if (r == 0 && more) {
                Selector *first = arena_alloc(c->arena, 2 * sizeof(*first)), *second = first + 1;
                *first = *more;
                *second = **scope;
                *scope = node(c->arena, SELECTOR_OR, first, second);
        } else if (r == 0) {
                *scope = NULL;
        }
        return MIN(r, 0);
}

bool access_is_limited(Context *c, const char *verb) {
        const RoleHolder who = { c->caller->uid, c->caller->gids, c->caller->n_gids };
        Role roles[ROLES_MAX];
        size_t n = 0;

        if (!is_for_all(verb) || roles_of(c->db, c->arena, &who, c->now, roles, ELEMENTSOF(roles), &n) < 0)
                return false;
        for (size_t i = 0; i < n; i++)
                if (role_names(c->arena, &roles[i], verb))
                        return true;
        return false;
}

/* ---- objects ---- */

int access_found(Context *c, const char *dataset, const int64_t *n, int found) {
        return found > 0 && c->scope ? access_row(c, dataset_find(dataset), *n) : found;
}

int access_row(Context *c, const Dataset *d, int64_t n) {
        const QueryRequest request = { .dataset = d, .uid = c->caller->uid, .scope = c->scope };
        return query_in_scope(c->db, c->arena, &request, n);
}

int access_customer(Context *c, int64_t n) {
        return c->scope ? access_row(c, dataset_find("customers"), n) : 1;
}

int access_also(Context *c, const char *verb, int64_t customer, Problem *problem) {
        Context own = *c;
        int r = access_decide(&own, verb, &own.scope, problem);
        if (r != 0)
                return r;
        r = access_customer(&own, customer);
        return r != 0 ? MIN(r, 0)
                      : problem_set(problem, PROBLEM_NOT_AUTHORIZED, "not-authorized", NULL,
                                    "you have no right to %s of this customer: ask an administrator of this tenantd for a role that has it", verb);
}

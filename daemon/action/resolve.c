/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/action/access.h"
#include "daemon/action/list-action.h"
#include "daemon/action/resolve.h"
#include "daemon/model/address.h"
#include "daemon/model/unicode.h"
#include "daemon/store/customer-store.h"

/* More are not told apart; and of more that share a name, some may be hidden from who sees only some customers. */
enum { FOUND_MAX = 1000 };

static int refuse_ambiguous(Context *c, const char *reference, const int64_t *found, size_t n, Problem *problem) {
        problem_set(problem, PROBLEM_AMBIGUOUS, "ambiguous", NULL, "\"%.80s\" names %s%zu customers: use one of their ids", reference,
                    n > PROBLEM_CANDIDATES_MAX ? "more than " : "", MIN(n, (size_t) PROBLEM_CANDIDATES_MAX));
        for (size_t i = 0; i < MIN(n, (size_t) PROBLEM_CANDIDATES_MAX); i++) {
                Customer *customer;
                char id[ID_TEXT_SIZE];
                int r = customer_load(c->db, c->arena, found[i], &customer);
                if (r < 0)
                        return r;
                problem_add_candidate(problem, arena_printf(c->arena, "%.40s (%s)", customer->organization, id_text(customer->id, id)));
        }
        return 1;
}

/* Of names near a text, those that the caller may see. */
static int near_in_scope(Context *c, const char *reference, Problem *problem) {
        const QueryRequest q = { .dataset = dataset_find("customers"), .search = reference, .limit = 5 };
        QueryKey keys[6];
        size_t n = 0;

        int r = list_keys(c, &q, keys, 5, &n);
        for (size_t i = 0; i < n && r >= 0; i++) {
                Customer *customer;
                r = customer_load(c->db, c->arena, keys[i].n, &customer);
                if (r > 0)
                        problem_add_candidate(problem, customer->organization);
        }
        return r < 0 ? r : 1;
}

static int refuse_unknown(Context *c, const char *reference, Problem *problem) {
        enum { NAME_BYTES_MAX = 800 };       /* of 200 characters */
        const char *near[5];

        problem_set(problem, PROBLEM_NOT_FOUND, "no-such-customer", NULL, "no customer matches \"%.80s\"", reference);
        /* What no customer is called has nobody near. */
        if (strlen(reference) > NAME_BYTES_MAX || !utf8_valid(reference, strlen(reference)) || reference[strspn(reference, " \t")] == 0)
                return 1;
        if (c->scope)
                return near_in_scope(c, reference, problem);
        int n = customer_near(c->db, c->arena, text_key(c->arena, reference), near, ELEMENTSOF(near));
        for (int i = 0; i < n; i++)
                problem_add_candidate(problem, near[i]);
        return n < 0 ? n : 1;
}

/* Leaves of those found the ones that the caller may see. Returns how many. */
static int keep_visible(Context *c, int64_t *found, int n) {
        int kept = 0;

        for (int i = 0; i < n && c->scope; i++) {
                int r = access_customer(c, found[i]);
                if (r < 0)
                        return r;
                if (r > 0)
                        found[kept++] = found[i];
        }
        return c->scope ? kept : n;
}

/* Each way to name a customer in turn: how many it finds of those that the caller may see, the first FOUND_MAX of them. */
static int find(Context *c, const char *reference, const char **ret_name, int64_t *found) {
        const char *name = reference, *account = reference;
        Problem ignored;
        int r = 0;
        Id id;

        if (id_parse(reference, &id))
                r = keep_visible(c, found, customer_find_id(c->db, id, found));
        if (r == 0 && address_check(c->arena, "id", &account, &ignored) == 0)
                r = keep_visible(c, found, customer_find_account(c->db, address_key(c->arena, account), found));
        if (r == 0 && text_check(c->arena, "id", TEXT_ONE_LINE, 1, 200, &name, &ignored) == 0) {
                r = customer_find_organization(c->db, name, found, FOUND_MAX);
                r = keep_visible(c, found, MIN(r, FOUND_MAX));
        }
        if (r == 0 && id_is_prefix(reference)) {
                r = customer_find_prefix(c->db, reference, found, FOUND_MAX);
                r = keep_visible(c, found, MIN(r, FOUND_MAX));
        }
        *ret_name = name;
        return r;
}

int customer_by_organization(Context *c, const char *organization, int64_t *ret_n) {
        int64_t found[FOUND_MAX + 1];
        int r = customer_find_organization(c->db, organization, found, FOUND_MAX);
        r = keep_visible(c, found, MIN(r, FOUND_MAX));
        if (r > 0)
                *ret_n = found[0];
        return r;
}

int customer_named(Context *c, const char *reference, int64_t *ret_n) {
        int64_t found[FOUND_MAX + 1];
        const char *name;

        int r = str_empty(reference) ? 0 : find(c, reference, &name, found);
        if (r == 1)
                *ret_n = found[0];
        return r < 0 ? r : r == 1;
}

int customer_resolve(Context *c, const char *reference, int64_t *ret_n, Problem *problem) {
        int64_t found[FOUND_MAX + 1];
        const char *name;

        if (str_empty(reference))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "id", "name a customer: its id, account or organization");
        int r = find(c, reference, &name, found);
        if (r < 0)
                return r;
        if (r == 0)
                return refuse_unknown(c, name, problem);
        if (r > 1)
                return refuse_ambiguous(c, reference, found, (size_t) r, problem);
        *ret_n = found[0];
        return 0;
}

int customer_identity(Context *c, int64_t n, Id *ret_id, const char **ret_organization) {
        Customer *customer;
        int r = customer_load(c->db, c->arena, n, &customer);
        if (r > 0) {
                *ret_id = customer->id;
                *ret_organization = customer->organization;
        }
        return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/action/resolve.h"
#include "daemon/model/address.h"
#include "daemon/model/unicode.h"
#include "daemon/store/customer-store.h"

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

static int refuse_unknown(Context *c, const char *reference, Problem *problem) {
        enum { NAME_BYTES_MAX = 800 };       /* of 200 characters */
        const char *near[5];

        problem_set(problem, PROBLEM_NOT_FOUND, "no-such-customer", NULL, "no customer matches \"%.80s\"", reference);
        /* What no customer is called has nobody near. */
        if (strlen(reference) > NAME_BYTES_MAX || !utf8_valid(reference, strlen(reference)) || reference[strspn(reference, " \t")] == 0)
                return 1;
        int n = customer_near(c->db, c->arena, text_key(c->arena, reference), near, ELEMENTSOF(near));
        for (int i = 0; i < n; i++)
                problem_add_candidate(problem, near[i]);
        return n < 0 ? n : 1;
}

int customer_resolve(Context *c, const char *reference, int64_t *ret_n, Problem *problem) {
        int64_t found[PROBLEM_CANDIDATES_MAX + 1];
        const char *name = reference, *account = reference;
        Problem ignored;
        Id id;
        int r;

        if (str_empty(reference))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "id", "name a customer: its id, account or organization");
        if (id_parse(reference, &id)) {
                r = customer_find_id(c->db, id, ret_n);
                if (r != 0)
                        return MIN(r, 0);
        }
        if (address_check(c->arena, "id", &account, &ignored) == 0) {
                r = customer_find_account(c->db, address_key(c->arena, account), ret_n);
                if (r != 0)
                        return MIN(r, 0);
        }
        if (text_check(c->arena, "id", TEXT_ONE_LINE, 1, 200, &name, &ignored) == 0) {
                r = customer_find_organization(c->db, name, found, PROBLEM_CANDIDATES_MAX);
                if (r > 1)
                        return refuse_ambiguous(c, name, found, (size_t) r, problem);
                if (r != 0) {
                        *ret_n = found[0];
                        return MIN(r, 0);
                }
        }
        if (id_is_prefix(reference)) {
                r = customer_find_prefix(c->db, reference, found, PROBLEM_CANDIDATES_MAX);
                if (r > 1)
                        return refuse_ambiguous(c, reference, found, (size_t) r, problem);
                if (r != 0) {
                        *ret_n = found[0];
                        return MIN(r, 0);
                }
        }
        return refuse_unknown(c, name, problem);
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

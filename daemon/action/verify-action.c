/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/text.h"
#include "daemon/action/access.h"
#include "daemon/action/deliver.h"
#include "daemon/action/outbox.h"
#include "daemon/action/resolve.h"
#include "daemon/action/verify-action.h"
#include "daemon/model/address.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/key.h"
#include "daemon/store/verification-store.h"

enum { TRIES_MAX = 5 };

const char *const report_verify_options[] = { "address", "code", NULL };
const char *const report_bounce_options[] = { "clear", NULL };

/* No address: answers are remembered, and would outlive the erasure of whose it is. */
static void put_state(Context *c, Buffer *answer, const char *state) {
        const char *warning = str_equal(state, "sent") ? outbox_warning(c) : NULL;

        json_put_object_begin(answer);
        if (c->trail.object)
                json_put_key_string(answer, "id", c->trail.object);
        json_put_key_string(answer, "state", state);
        if (warning)
                answer_warning(answer, warning);
        json_put_object_end(answer);
}

/* A registered account that proved itself is marked so on the customer. */
static int mark_account(Context *c, int64_t n, const char *key) {
        Customer *old, *new;
        int r = customer_load(c->db, c->arena, n, &old);
        if (r <= 0 || !str_equal(old->account_key, key) || old->account_verified)
                return MIN(r, 0);
        new = arena_alloc(c->arena, sizeof(*new));
        *new = *old;
        new->account_verified = true;
        return customer_update(c->db, old, new);
}

static int try_code(Context *c, int64_t customer, const char *address, const char *code, Problem *problem) {
        const char *key = address_key(c->arena, address);
        Verification v;

        int r = verification_get(c->db, c->arena, customer, key, &v);
        if (r < 0)
                return r;
        bool over = r == 0 || !v.pending || v.tries >= TRIES_MAX || c->now >= v.expires;
        if (over)
                return problem_set(problem, PROBLEM_REFUSED, "code-expired", "code", "no code for %.100s is good any more: report verify without a code sends a new one", address);
        if (!key_hash_matches(c->db, c->now, "verification-code", code, v.code)) {
                r = verification_tried(c->db, &v);
                if (r >= 0)
                        c->trail.keep = true;
                return r < 0 ? r : problem_set(problem, PROBLEM_REFUSED, "code-wrong", "code", "that is not the code that was sent to %.100s; %lld more tries are left", address,
                                               (long long) (TRIES_MAX - 1 - v.tries));
        }
        r = verification_done(c->db, &v, c->now);
        if (r >= 0)
                r = mark_account(c, customer, key);
        return r < 0 ? r : deliver_waiting(c, customer, key);
}

int report_verify(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        const char *address = NULL, *code = NULL, *organization;
        int64_t customer;
        Id id;

        int r = customer_resolve(c, request->id, &customer, problem);
        if (r == 0)
                r = dict_string(request->options, "address", &address, problem);
        if (r == 0)
                r = dict_string(request->options, "code", &code, problem);
        if (r == 0 && str_empty(address))
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "address", "which address is to be verified?");
        /* It would say whether the code is right, and take the count of it back. */
        if (r == 0 && code && request_dry_run(request))
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "code-in-dry-run", "code", "a code is tried or not: give it without dry_run");
        if (r == 0)
                r = address_check(c->arena, "address", &address, problem);
        if (r == 0)
                r = MIN(customer_identity(c, customer, &id, &organization), 0);
        if (r != 0)
                return r;
        c->trail.object = id_text(id, arena_alloc(c->arena, ID_TEXT_SIZE));
        c->trail.customer = customer;
        r = code ? try_code(c, customer, address, code, problem) : deliver_code(c, customer, address, problem);
        if (r == 0)
                put_state(c, answer, code ? "verified" : "sent");
        return r;
}

/* Among the values, which go with the customer whose it is; a record's object stays for ever. */
static int trail_address(Context *c, const char *address, const char *key) {
        Buffer after = {};
        size_t n = 0;

        json_put_object_begin(&after);
        json_put_key_string(&after, "address", address);
        json_put_object_end(&after);
        c->trail.after = buffer_into(&after, c->arena);
        return customer_of_address(c->db, key, &c->trail.customer, 1, &n);
}

/* A suppression is for all customers: whoever may see only some decides about the addresses of those alone. 1: may not. */
static int owns_address(Context *c, const char *key, const char *address, Problem *problem) {
        int64_t owners[100];
        size_t n = 0;

        int r = c->scope ? customer_of_address(c->db, key, owners, ELEMENTSOF(owners), &n) : 0;
        bool all = !c->scope || (n > 0 && n < ELEMENTSOF(owners));
        for (size_t i = 0; i < n && all && r >= 0; i++) {
                r = access_customer(c, owners[i]);
                all = r > 0;
        }
        return r < 0 ? r : all ? 0 : problem_set(problem, PROBLEM_NOT_FOUND, "no-such-address", "id", "%.200s is not the address of a customer of yours", address);
}

int report_bounce(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        const char *address = request->id;
        bool clear = false;

        int r = address_check(c->arena, "id", &address, problem);
        if (r == 0)
                r = dict_bool(request->options, "clear", &clear, problem);
        if (r != 0)
                return r;
        const char *key = address_key(c->arena, address);
        r = owns_address(c, key, address, problem);
        if (r != 0)
                return r;
        r = trail_address(c, address, key);
        if (r < 0)
                return r;
        if (!clear)
                r = suppression_put(c->db, key, address, "bounced: said by hand", c->now);
        else
                r = suppression_lift(c->db, key);
        if (clear && r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "not-suppressed", NULL, "%.200s is not suppressed", address);
        if (r >= 0)
                put_state(c, answer, clear ? "lifted" : "suppressed");
        return MIN(r, 0);
}

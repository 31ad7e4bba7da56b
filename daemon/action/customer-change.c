/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/access.h"
#include "daemon/action/customer-change.h"
#include "daemon/action/hand-over.h"
#include "daemon/model/address.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/partner-store.h"
#include "daemon/store/verification-store.h"

void customer_changed(Context *c, Id id) {
        turn_effect(c->db, (Effect) { .type = EFFECT_CHANGED, .kind = "customer", .id = id });
}

void customer_trail(Context *c, const Customer *customer, const char *before, const char *after) {
        c->trail.object = id_text(customer->id, arena_alloc(c->arena, ID_TEXT_SIZE));
        c->trail.customer = customer->n;
        c->trail.before = before;
        c->trail.after = after;
}

int customer_account_free(Context *c, const Customer *customer, Problem *problem) {
        int64_t other = 0;
        Partner partner;

        if (!customer->account_key)
                return 0;
        int r = partner_load(c->db, c->arena, &partner);
        if (r < 0)
                return r;
        if (partner.account && str_equal(address_key(c->arena, partner.account), customer->account_key))
                return problem_set(problem, PROBLEM_REFUSED, "same-as-partner", "registered_account",
                                   "%s is the partner's own account: a customer has another", customer->registered_account);
        r = customer_find_account(c->db, customer->account_key, &other);
        if (r <= 0 || other == customer->n)
                return MIN(r, 0);
        return problem_set(problem, PROBLEM_EXISTS, "account-exists", "registered_account",
                           "another customer has the registered account %s already", customer->registered_account);
}

/* What a later part of tenantd brings cannot be named yet. */
int customer_references_exist(const Customer *old, const Customer *new, Problem *problem) {
        if (new->notification && !str_equal(old->notification, new->notification))
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-notification", "notification",
                                   "there is no notification profile %.80s", new->notification);
        if (new->billing_profile && !str_equal(old->billing_profile, new->billing_profile))
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-billing-profile", "deliveries.billing.profile",
                                   "there is no billing profile %.80s", new->billing_profile);
        if (new->data_center && !str_equal(old->data_center, new->data_center))
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-data-center", "data_center",
                                   "the catalogue has no data center %.60s", new->data_center);
        return 0;
}

int customer_mode_allowed(const Customer *old, const Customer *new, Problem *problem) {
        if (old->management_mode == new->management_mode)
                return 0;
        if (old->management_mode == MODE_CUSTOMER)
                return problem_set(problem, PROBLEM_REFUSED, "take-back-needed", "management_mode",
                                   "%s manages itself: only a take-back invitation that its side completes brings it back", old->organization);
        if (new->management_mode == MODE_UNSET)
                return problem_set(problem, PROBLEM_REFUSED, "mode-not-allowed", "management_mode",
                                   "a management mode once chosen can become customer, but not unset");
        return 0;
}

/* Whoever may edit may not by that change the mode; nor alone, where that takes two. */
int customer_may_set_mode(Context *c, const Customer *old, const Customer *new, Problem *problem) {
        if (old->management_mode == new->management_mode)
                return 0;
        int r = access_also(c, "customer.mode", old->n, problem);
        if (r == 0 && action_needs_second_person(c, "customer.mode"))
                r = problem_set(problem, PROBLEM_REFUSED, "second-person", "management_mode",
                                "a change of the mode waits for a second person here: ask for it by customer mode, and leave it out here");
        return r == 0 ? customer_mode_allowed(old, new, problem) : r;
}

void customer_result(ItemResult *ret, const Customer *customer, const Context *c) {
        *ret = (ItemResult) {
                .id = customer->id, .customer = customer->n, .revision = customer->revision, .organization = customer->organization,
                .before = c->trail.before, .after = c->trail.after,
        };
}

/* Writes the picture of a symbol that was given, or takes the old one away. */
static int symbol_store(Context *c, const Request *request, const Customer *old, const Customer *new) {
        if (str_equal(old->symbol, new->symbol) && !dict_find(request->fields, "symbol"))
                return 0;
        if (!new->symbol)
                return customer_symbol_put(c->db, new->n, NULL, 0);
        return customer_symbol_put(c->db, new->n, request->file->data, request->file->size);
}

/* What a change brings with it elsewhere: another account is to be proved anew, a customer that takes over is told so. */
static int follow_up(Context *c, const Customer *old, const Customer *new) {
        int r = 0;

        if (new->account_key && !str_equal(old->account_key, new->account_key))
                r = verification_forget(c->db, new->n, new->account_key);
        if (r >= 0 && old->management_mode != new->management_mode && new->management_mode == MODE_CUSTOMER)
                r = hand_over(c, new);
        return MIN(r, 0);
}

/* Everything that changes a customer's row ends here. */
int customer_commit(Context *c, const Request *request, const Customer *old, Customer *new, ItemResult *ret, Problem *problem) {
        Buffer before = {}, after = {};
        int r = 0;

        customer_difference(old, new, &before, &after);
        bool differs = before.size > 2 || (request->picture && dict_find(request->fields, "symbol"));
        customer_trail(c, new, buffer_into(&before, c->arena), buffer_into(&after, c->arena));
        if (differs) {
                r = customer_check(new, problem);
                if (r == 0)
                        r = customer_references_exist(old, new, problem);
                if (r == 0 && !str_equal(old->account_key, new->account_key))
                        r = customer_account_free(c, new, problem);
                if (r == 0)
                        r = customer_update(c->db, old, new);
                if (r == 0)
                        r = symbol_store(c, request, old, new);
                if (r == 0)
                        r = follow_up(c, old, new);
                if (r != 0)
                        return r;
                customer_changed(c, new->id);
        }
        customer_result(ret, new, c);
        return 0;
}

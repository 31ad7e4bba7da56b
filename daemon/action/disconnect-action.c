/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/action/disconnect-action.h"
#include "daemon/action/resolve.h"
#include "daemon/action/schedule-forget.h"
#include "daemon/action/schedule-plan.h"
#include "daemon/model/unicode.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/backup.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/going.h"
#include "daemon/store/message-store.h"
#include "daemon/store/operation-store.h"
#include "daemon/store/report-store.h"
#include "daemon/store/schedule-store.h"
#include "daemon/store/task-store.h"
#include "daemon/store/verification-store.h"

enum { ERASE_SLICE = 200, COURIER_LOOK = 10 * USEC_SEC };

const char *const disconnect_options[] = { "end_subscriptions", "request_tenant_deletion", NULL };

static int check_confirmation(Context *c, const Request *request, const Customer *customer, Problem *problem) {
        const char *confirm = NULL;
        int r = dict_string(request->options, "confirm", &confirm, problem);
        if (r != 0)
                return r;
        if (str_empty(confirm) && request_dry_run(request))
                return 0;
        if (str_empty(confirm))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "confirm",
                                   "disconnecting ends in erasure: confirm it with the exact organization name");
        r = text_check(c->arena, "confirm", TEXT_ONE_LINE, 1, 200, &confirm, problem);
        if (r == 0 && strcmp(confirm, customer->organization) != 0)
                r = problem_set(problem, PROBLEM_REFUSED, "name-differs", "confirm", "the name given is not the customer's exact organization name");
        return r;
}

static int check_options(const Request *request, Problem *problem) {
        bool end = false, ticket = false;
        int r = dict_bool(request->options, "end_subscriptions", &end, problem);
        if (r == 0)
                r = dict_bool(request->options, "request_tenant_deletion", &ticket, problem);
        if (r == 0 && ticket)
                r = problem_set(problem, PROBLEM_NOT_FOUND, "no-tickets", "request_tenant_deletion",
                                "tickets are not available yet: disconnect without request_tenant_deletion and ask for the deletion by hand");
        return r;
}

static int load(Context *c, const Request *request, Customer **ret_old, Customer **ret_new, Problem *problem) {
        int64_t n = 0;
        int r = customer_resolve(c, request->id, &n, problem);
        if (r != 0)
                return r;
        r = customer_load(c->db, c->arena, n, ret_old);
        if (r <= 0)
                return r < 0 ? r : problem_set(problem, PROBLEM_NOT_FOUND, "no-such-customer", NULL, "the customer is gone");
        c->trail.object = id_text((*ret_old)->id, arena_alloc(c->arena, ID_TEXT_SIZE));
        c->trail.customer = n;
        c->trail.organization = (*ret_old)->organization;
        *ret_new = arena_alloc(c->arena, sizeof(**ret_new));
        **ret_new = **ret_old;
        return request_check_revision(request, (*ret_old)->revision, problem);
}

static int save(Context *c, const Request *request, const Customer *old, Customer *new, Buffer *answer) {
        Buffer before = {}, after = {};
        int r = customer_update(c->db, old, new);
        if (r < 0)
                return r;
        customer_difference(old, new, &before, &after);
        c->trail.before = buffer_into(&before, c->arena);
        c->trail.after = buffer_into(&after, c->arena);
        turn_effect(c->db, (Effect) { .type = EFFECT_CHANGED, .kind = "customer", .id = new->id });
        json_put_object_begin(answer);
        json_put_key_id(answer, "id", new->id);
        json_put_key_int(answer, "revision", new->revision);
        if (new->erase_after != USEC_NONE)
                json_put_key_time(answer, "erase_after", new->erase_after);
        json_put_object_end(answer);
        return 0;
}

int customer_disconnect(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Customer *old, *new;
        int r = load(c, request, &old, &new, problem);
        if (r == 0)
                r = check_options(request, problem);
        if (r == 0)
                r = check_confirmation(c, request, old, problem);
        if (r == 0 && old->state == CUSTOMER_DISCONNECTING)
                r = problem_set(problem, PROBLEM_REFUSED, "already-disconnecting", NULL,
                                "%s is being disconnected already: customer reconnect undoes it", old->organization);
        if (r != 0)
                return r;

        Buffer kept = {};
        json_put_object_begin(&kept);
        json_put_key_string(&kept, "state", customer_state_names[old->state]);
        json_put_key_bool(&kept, "billing", old->billing_enabled);
        json_put_key_bool(&kept, "service_reports", old->service_reports_enabled);
        json_put_object_end(&kept);
        new->before_disconnect = buffer_into(&kept, c->arena);
        new->state = CUSTOMER_DISCONNECTING;
        new->billing_enabled = new->service_reports_enabled = false;
        new->erase_after = c->now + c->settings->grace_days * USEC_DAY;
        Task task = {
                .kind = "erase", .lane = "sweeps", .due = new->erase_after, .created = c->now, .owner = c->caller->uid,
                .arguments = arena_printf(c->arena, "{\"customer\":%lld}", (long long) old->n),
        };
        r = task_insert(c->db, &task);
        if (r >= 0)
                r = schedules_end_with_customer(c, old->n);
        return r < 0 ? r : save(c, request, old, new, answer);
}

int customer_reconnect(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Customer *old, *new;
        Dict kept = {};
        int r = load(c, request, &old, &new, problem);
        if (r != 0)
                return r;
        if (old->state != CUSTOMER_DISCONNECTING)
                return problem_set(problem, PROBLEM_REFUSED, "not-disconnecting", NULL, "%s is not being disconnected", old->organization);
        /* One that a restore has brought back has no way back, even if the clock goes there. */
        if (old->erase_after <= c->now || !old->before_disconnect)
                return problem_set(problem, PROBLEM_REFUSED, "grace-over", NULL, "the grace period is over and the erasure of %s has begun",
                                   old->organization);
        r = dict_read_json(c->arena, old->before_disconnect, strlen(old->before_disconnect), &kept);
        if (r < 0)
                return r;
        const Value *state = dict_find(&kept, "state"), *billing = dict_find(&kept, "billing"), *reports = dict_find(&kept, "service_reports");
        if (!state || !billing || !reports)
                return -EBADMSG;
        new->state = names_find(customer_state_names, state->string);
        new->billing_enabled = billing->boolean;
        new->service_reports_enabled = reports->boolean;
        new->before_disconnect = NULL;
        new->erase_after = USEC_NONE;
        r = schedules_come_back(c, old->n);
        if (r < 0)
                return r;
        return save(c, request, old, new, answer);
}

/* Mails to or about it, reports about it, proofs of its addresses, schedules of its own, its addresses in those of others. 1: one of the
 * mails is with a courier, and what it needs stays. */
static int erase_reports(Context *c, int64_t customer) {
        size_t first;
        (void) turn_effects(c->db, &first);
        int left = message_erase_customer(c->db, c->settings->state, customer), r = left;
        if (r == 0)
                r = suppression_erase_customer(c->db, customer);
        if (r == 0)
                r = report_erase_customer(c->db, c->arena, c->settings->state, customer);
        if (r >= 0)
                r = going_note(c->db, c->settings->state, first);
        if (r < 0 || left > 0)
                return r < 0 ? r : 1;
        r = verification_erase_customer(c->db, customer);
        if (r >= 0)
                r = schedule_erase_customer(c->db, customer);
        return r < 0 ? r : schedules_forget_customer(c, customer);
}

int customer_erase_slice(Context *c, int64_t customer, bool *ret_done, Usec *ret_due) {
        Customer *old;
        bool audit_done = false, items_done = false;

        *ret_done = true;
        *ret_due = USEC_NONE;
        int r = customer_load(c->db, c->arena, customer, &old);
        if (r <= 0)
                return r;
        if (old->state != CUSTOMER_DISCONNECTING || old->erase_after == USEC_NONE)
                return 0;
        if (old->erase_after > c->now) {
                *ret_due = old->erase_after;
                return 0;
        }
        r = audit_erase_values(c->db, customer, ERASE_SLICE, &audit_done);
        if (r >= 0)
                r = operation_items_erase(c->db, customer, ERASE_SLICE, &items_done);
        if (r < 0)
                return r;
        if (!audit_done || !items_done) {
                *ret_done = false;
                return 0;
        }
        Usec until = c->now + BACKUPS_KEPT * USEC_DAY;
        r = erase_reports(c, customer);
        if (r > 0) {
                *ret_due = c->now + COURIER_LOOK;
                return 0;
        }
        if (r == 0)
                r = customer_erase(c->db, customer, c->now, until);
        if (r < 0)
                return r;
        char id[ID_TEXT_SIZE];
        AuditRecord record = {
                .time = c->now, .uid = c->caller->uid, .user = c->caller->user, .verb = "customer.erase", .object = id_text(old->id, id), .outcome = "ok",
        };
        turn_effect(c->db, (Effect) { .type = EFFECT_CHANGED, .kind = "customer", .id = old->id });
        return audit_append(c->db, &record);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "common/random.h"
#include "common/time.h"
#include "daemon/action/access.h"
#include "daemon/action/deliver.h"
#include "daemon/action/outbox.h"
#include "daemon/model/address.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/key.h"
#include "daemon/store/verification-store.h"

enum { OWNERS_MAX = 20, WAITING_MAX = 1000, CODE_MINUTES = 15, CODES_AN_HOUR = 3, TOKEN_BYTES = 32 };

typedef struct Judgement {
        const char *state;                   /* of the recipient */
        const char *reason;
        Customer *customer;                  /* whose address it is; NULL: nobody's */
} Judgement;

static bool is_verified(Context *c, int64_t customer, const char *key) {
        Verification v;
        return verification_get(c->db, c->arena, customer, key, &v) > 0 && v.verified != USEC_NONE;
}

static Judgement judge_for(Context *c, Customer *customer, const char *key) {
        if (!customer->service_reports_enabled || customer->state == CUSTOMER_DISCONNECTING)
                return (Judgement) { "failed", "service-reports-off", customer };
        if (!is_verified(c, customer->n, key))
                return (Judgement) { "waiting-verification", NULL, customer };
        return (Judgement) { "queued", NULL, customer };
}

static bool is_better(const Judgement *j, const Judgement *than) {
        return !than->customer || (str_equal(j->state, "queued") && !str_equal(than->state, "queued")) ||
               (str_equal(j->state, "waiting-verification") && str_equal(than->state, "failed"));
}

/* An address of several customers may get what one of them allows; the report's own customer decides if it is one of them. Of
 * those that the caller may not see none allows anything: what it would tells of them. */
static int judge_customers(Context *c, const char *key, int64_t of_customer, Judgement *ret) {
        Judgement hidden = { "failed", "not-yours", NULL };
        int64_t owners[OWNERS_MAX] = { of_customer };
        Customer *customer;
        size_t n = 1;

        *ret = (Judgement) { "queued", NULL, NULL };
        int r = of_customer ? customer_has_address(c->db, of_customer, key) : 0;
        bool own = r > 0;
        if (r == 0)
                r = customer_of_address(c->db, key, owners, OWNERS_MAX, &n);
        for (size_t i = 0; i < n && r >= 0; i++) {
                r = customer_load(c->db, c->arena, owners[i], &customer);
                int seen = r > 0 && !own ? access_customer(c, customer->n) : 1;
                if (r <= 0 || seen < 0) {
                        r = MIN(r, seen);
                        continue;
                }
                Judgement j = judge_for(c, customer, key);
                if (seen > 0 && is_better(&j, ret))
                        *ret = j;
                else if (seen == 0)
                        hidden.customer = customer;
        }
        if (hidden.customer && !ret->customer)
                *ret = hidden;
        return MIN(r, 0);
}

static int judge(Context *c, const char *key, int64_t of_customer, Judgement *ret) {
        const char *reason = NULL;

        int r = judge_customers(c, key, of_customer, ret);
        if (r < 0 || str_equal(ret->reason, "not-yours"))
                return r;
        r = suppression_get(c->db, c->arena, key, &reason);
        if (r > 0) {
                ret->state = "suppressed";
                ret->reason = reason;
        }
        return MIN(r, 0);
}

/* ---- the mails ---- */

static int put_report(Context *c, const Report *report, const char *event, Recipient *to, const Customer *customer) {
        const char *organization = customer ? customer->organization : "";

        if (report->customer && (!customer || customer->n != report->customer)) {
                Customer *of;
                int r = customer_load(c->db, c->arena, report->customer, &of);
                if (r < 0)
                        return r;
                organization = r > 0 ? of->organization : "";
        }
        const MailVariable variables[] = {
                { "organization", organization },
                { "title", report->template ?: report->kind },
                { "date", report->data_date },
                { "rows", arena_printf(c->arena, "%lld", (long long) report->rows) },
                { "file_name", report->file_name },
                {},
        };
        Letter letter = {
                .event = event, .address = to->address, .language = customer ? customer->language : NULL, .variables = variables, .report = report->n,
                .customer = report->customer ?: to->customer,
        };
        if (to->customer != letter.customer)
                letter.addressee = to->customer;
        return outbox_put(c, &letter, &to->message);
}

static const char *hex(Arena *a, const uint8_t *bytes, size_t n) {
        char *s = arena_alloc(a, 2 * n + 1);
        hex_text(bytes, n, s);
        return s;
}

int deliver_code(Context *c, int64_t customer, const char *address, Problem *problem) {
        uint8_t token[TOKEN_BYTES], link_hash[KEYED_HASH_SIZE];
        const char *key = address_key(c->arena, address);
        Verification v;
        Customer *of;

        int r = customer_load(c->db, c->arena, customer, &of);
        if (r <= 0)
                return r < 0 ? r : problem_set(problem, PROBLEM_NOT_FOUND, "no-such-customer", NULL, "the customer is gone");
        r = verification_get(c->db, c->arena, customer, key, &v);
        if (r < 0)
                return r;
        if (r == 0)
                v = (Verification) { .customer = customer, .address_key = key, .verified = USEC_NONE };
        if (v.sent[CODES_AN_HOUR - 1] > c->now - USEC_HOUR && v.sent[CODES_AN_HOUR - 1] <= c->now)
                return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-many-codes", NULL, "%d codes were sent to %.100s within the hour: wait, then ask again",
                                   CODES_AN_HOUR, address);
        v.address = address;
        for (size_t i = VERIFICATION_SENT_MAX - 1; i > 0; i--)
                v.sent[i] = v.sent[i - 1];
        v.sent[0] = c->now;
        v.expires = c->now + CODE_MINUTES * USEC_MINUTE;
        arena_keep_secret(c->arena);
        const char *code = arena_printf(c->arena, "%08llu", (unsigned long long) random_below(100000000));
        random_bytes(token, sizeof(token));
        const char *link = hex(c->arena, token, sizeof(token));
        memory_wipe(token, sizeof(token));
        keyed_hash(db_key(c->db), "verification-code", code, v.code);
        keyed_hash(db_key(c->db), "verification-link", link, link_hash);
        r = verification_put(c->db, &v, link_hash);
        if (r < 0)
                return r;
        const MailVariable variables[] = {
                { "organization", of->organization },
                { "code", code },
                { "link", arena_printf(c->arena, "%s/verify/%s", c->settings->portal_url, link) },
                { "minutes", arena_printf(c->arena, "%d", CODE_MINUTES) },
                {},
        };
        const Letter letter = {
                .event = "verification", .address = address, .language = of->language, .variables = variables, .customer = customer, .secret = true,
        };
        return outbox_put(c, &letter, NULL);
}

/* One that is still good is not followed by another. */
static int ask_for_proof(Context *c, int64_t customer, const char *address) {
        Verification v;
        Problem ignored;

        int r = verification_get(c->db, c->arena, customer, address_key(c->arena, address), &v);
        if (r < 0 || (r > 0 && v.pending && v.expires > c->now && v.expires <= c->now + CODE_MINUTES * USEC_MINUTE))
                return MIN(r, 0);
        return MIN(deliver_code(c, customer, address, &ignored), 0);
}

/* ---- deciding ---- */

static int deliver_one(Context *c, const Report *report, const char *event, const char *address) {
        Judgement j;
        Recipient to = { .report = report->n, .address = address, .address_key = address_key(c->arena, address) };

        int r = judge(c, to.address_key, report->customer, &j);
        if (r < 0)
                return r;
        to.state = j.state;
        to.reason = j.reason;
        to.customer = j.customer ? j.customer->n : 0;
        if (str_equal(to.state, "queued"))
                r = put_report(c, report, event, &to, j.customer);
        else if (str_equal(to.state, "waiting-verification"))
                r = ask_for_proof(c, to.customer, address);
        return r < 0 ? r : recipient_insert(c->db, &to, c->now);
}

int deliver_report(Context *c, const Report *report, const char *event, const char *const *recipients, size_t n, bool again) {
        for (size_t i = 0; i < n; i++) {
                int r = again ? 0 : recipient_is_one(c->db, report->n, address_key(c->arena, recipients[i]));
                if (r == 0)
                        r = deliver_one(c, report, event, recipients[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

int deliver_waiting(Context *c, int64_t customer, const char *key) {
        Recipient *waiting = arena_alloc(c->arena, WAITING_MAX * sizeof(*waiting));
        size_t n = 0;

        int r = recipient_waiting(c->db, c->arena, customer, key, c->now - WAITING_DAYS * USEC_DAY, waiting, WAITING_MAX, &n);
        for (size_t i = 0; i < n && r >= 0; i++) {
                Report report;
                Judgement j;
                r = report_load(c->db, c->arena, waiting[i].report, &report);
                if (r <= 0)
                        continue;
                r = judge(c, key, customer, &j);
                waiting[i].state = j.state;
                waiting[i].reason = j.reason;
                if (r >= 0 && str_equal(j.state, "queued"))
                        r = put_report(c, &report, report.run ? "schedule" : "report", &waiting[i], j.customer);
                if (r >= 0)
                        r = recipient_set(c->db, &waiting[i], c->now);
        }
        return MIN(r, 0);
}

int deliver_check(Context *c, const OutMessage *m, Problem *problem) {
        const char *reason = NULL;
        Recipient to;
        Judgement j;

        int r = suppression_get(c->db, c->arena, m->address_key, &reason);
        if (r != 0)
                return r < 0 ? r : problem_set(problem, PROBLEM_REFUSED, "suppressed", NULL, "%.200s", reason);
        if (!m->report)
                return 0;
        /* With a report its recipients go, and its number may be another one's by now. */
        Report report = {};
        r = recipient_by_message(c->db, c->arena, m->n, &to);
        if (r > 0)
                r = report_load(c->db, c->arena, m->report, &report);
        if (r == 0)
                return problem_set(problem, PROBLEM_REFUSED, "report-gone", NULL, "the report is not kept any more");
        if (r >= 0)
                r = judge(c, m->address_key, report.customer, &j);
        if (r < 0 || str_equal(j.state, "queued"))
                return r < 0 ? r : 0;
        return problem_set(problem, PROBLEM_REFUSED, j.reason ?: "not-verified", NULL, "%s", j.reason ? "the customer's service reports are off"
                                                                                                       : "the address is not verified for the customer");
}

int deliver_ended(Context *c, const OutMessage *m, const char *state, const char *reason) {
        Recipient to;
        int r = m->report ? recipient_by_message(c->db, c->arena, m->n, &to) : 0;
        if (r <= 0)
                return r;
        to.state = state;
        to.reason = reason;
        return recipient_set(c->db, &to, c->now);
}

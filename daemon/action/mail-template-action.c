/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/time.h"
#include "daemon/action/mail-template-action.h"
#include "daemon/action/outbox.h"
#include "daemon/action/resolve.h"
#include "daemon/model/unicode.h"
#include "daemon/store/customer-store.h"

enum { SUBJECT_MAX = 300, BODY_MAX = 20000 };

const char *const mail_template_options[] = { "language", NULL };
const char *const mail_template_preview_options[] = { "language", "customer", NULL };

static int check_event(const char *event, Problem *problem) {
        if (!str_empty(event) && names_find(mail_events, event) >= 0)
                return 0;
        Buffer list = {};
        names_join(&list, mail_events);
        problem_set(problem, PROBLEM_NOT_FOUND, "no-such-mail-template", "event", "there is no mail for \"%.60s\"; there are %s", event ?: "", buffer_string(&list));
        buffer_done(&list);
        return 1;
}

static int read_language(Context *c, const Dict *d, const char **ret, Problem *problem) {
        int r = dict_string(d, "language", ret, problem);
        if (r == 0 && str_empty(*ret))
                *ret = MAIL_LANGUAGE_DEFAULT;
        return r != 0 ? r : language_check(c->arena, "language", ret, problem);
}

static int apply(Context *c, MailTemplate *t, const Dict *fields, Problem *problem) {
        int r = dict_string(fields, "subject", &t->subject, problem);
        if (r == 0)
                r = dict_string(fields, "body", &t->body, problem);
        if (r == 0 && str_empty(t->subject))
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "subject", "a mail template needs a subject");
        if (r == 0 && str_empty(t->body))
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "body", "a mail template needs a body");
        if (r == 0)
                r = text_check(c->arena, "subject", TEXT_ONE_LINE, 1, SUBJECT_MAX, &t->subject, problem);
        if (r == 0)
                r = text_check(c->arena, "body", TEXT_FREE, 1, BODY_MAX, &t->body, problem);
        if (r == 0)
                r = mail_text_check(t->event, "subject", t->subject, problem);
        return r != 0 ? r : mail_text_check(t->event, "body", t->body, problem);
}

static const char *object(Context *c, const MailTemplate *t) {
        Buffer b = {};
        json_put_object_begin(&b);
        json_put_key_string(&b, "event", t->event);
        json_put_key_string(&b, "language", t->language);
        json_put_key_string(&b, "subject", t->subject);
        json_put_key_string(&b, "body", t->body);
        json_put_object_end(&b);
        return buffer_into(&b, c->arena);
}

static void put_template(Buffer *answer, const MailTemplate *t) {
        json_put_object_begin(answer);
        json_put_key_string(answer, "event", t->event);
        json_put_key_string(answer, "language", t->language);
        json_put_key_string(answer, "subject", t->subject);
        json_put_key_string(answer, "body", t->body);
        json_put_key_bool(answer, "shipped", t->shipped);
        json_put_object_end(answer);
}

static int save(Context *c, const MailTemplate *t, Buffer *answer) {
        int r = mail_template_put(c->db, t);
        if (r < 0)
                return r;
        c->trail.object = t->event;
        c->trail.after = object(c, t);
        turn_effect(c->db, (Effect) { .type = EFFECT_CHANGED, .kind = "mail-template" });
        put_template(answer, t);
        return 0;
}

int mail_template_create(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        static const char *const keys[] = { "event", "language", "subject", "body", NULL };
        MailTemplate t = {}, there;

        int r = dict_check_keys(request->fields, "a mail template", keys, problem);
        if (r == 0)
                r = dict_string(request->fields, "event", &t.event, problem);
        if (r == 0)
                r = check_event(t.event, problem);
        if (r == 0)
                r = read_language(c, request->fields, &t.language, problem);
        if (r != 0)
                return r;
        r = mail_template_get(c->db, c->arena, t.event, t.language, &there);
        if (r > 0)
                return problem_set(problem, PROBLEM_EXISTS, "mail-template-exists", "language", "there is a %s mail in %s already: edit it", t.event, t.language);
        if (r == 0)
                r = apply(c, &t, request->fields, problem);
        return r != 0 ? r : save(c, &t, answer);
}

static int find(Context *c, const char *event, const Dict *d, MailTemplate *ret, Problem *problem) {
        const char *language = NULL;

        int r = check_event(event, problem);
        if (r == 0)
                r = read_language(c, d, &language, problem);
        if (r != 0)
                return r;
        c->trail.object = event;
        r = mail_template_get(c->db, c->arena, event, language, ret);
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-mail-template", "language", "the %s mail is not there in %s; mail-template create adds a language", event,
                                   language);
        return MIN(r, 0);
}

int mail_template_edit(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        static const char *const keys[] = { "language", "subject", "body", NULL };
        MailTemplate t;

        if (request->n_ids != 1)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "one-at-a-time", "ids", "mail templates are edited one at a time, not %zu", request->n_ids);
        int r = dict_check_keys(request->fields, "a mail template", keys, problem);
        if (r == 0)
                r = find(c, request->ids[0], request->fields, &t, problem);
        if (r != 0)
                return r;
        c->trail.before = object(c, &t);
        r = apply(c, &t, request->fields, problem);
        t.shipped = false;
        return r != 0 ? r : save(c, &t, answer);
}

int mail_template_delete_action(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        MailTemplate t;
        int r = find(c, request->id, request->options, &t, problem);
        if (r == 0 && t.shipped)
                r = problem_set(problem, PROBLEM_REFUSED, "shipped", NULL, "the %s mail in %s is as shipped: there is nothing to go back to", t.event, t.language);
        if (r != 0)
                return r;
        c->trail.before = object(c, &t);
        const MailText *shipped = mail_text_find(t.event, t.language);
        if (shipped)
                return save(c, &(MailTemplate) { shipped->event, shipped->language, shipped->subject, shipped->body, true }, answer);
        r = mail_template_delete(c->db, t.event, t.language);
        if (r < 0)
                return r;
        turn_effect(c->db, (Effect) { .type = EFFECT_CHANGED, .kind = "mail-template" });
        put_template(answer, &t);
        return 0;
}

int mail_template_show(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        const char *slash = strchr(request->id, '/'), *event = slash ? arena_strndup(c->arena, request->id, (size_t) (slash - request->id)) : request->id;
        Dict language = {};
        MailTemplate t;

        if (slash)
                dict_add(c->arena, &language, "language", (Value) { VALUE_STRING, .string = slash + 1 });
        int r = find(c, event, &language, &t, problem);
        if (r == 0)
                put_template(answer, &t);
        return r;
}

int mail_template_preview(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        const char *language = NULL, *reference = NULL, *sender, *name;
        char date[TIME_TEXT_SIZE];
        Customer *customer = NULL;
        MailTemplate t;
        int64_t n;

        int r = check_event(request->id, problem);
        if (r == 0)
                r = dict_string(request->options, "language", &language, problem);
        if (r == 0)
                r = dict_string(request->options, "customer", &reference, problem);
        if (r == 0 && reference)
                r = customer_resolve(c, reference, &n, problem);
        if (r == 0 && reference)
                r = MIN(customer_load(c->db, c->arena, n, &customer), 0);
        if (r == 0)
                r = outbox_template(c, request->id, language ?: customer ? customer->language : NULL, &t);
        if (r == 0)
                r = outbox_sender(c, &sender, &name);
        if (r != 0)
                return r;
        const MailVariable variables[] = {
                { "partner", name ?: sender }, { "organization", customer ? customer->organization : "Example GmbH" }, { "title", "customers" },
                { "date", date_text(c->now, date) }, { "rows", "42" }, { "file_name", "customers.xlsx" }, { "code", "12345678" },
                { "link", arena_printf(c->arena, "%s/verify/example", c->settings->portal_url) }, { "minutes", "15" }, { "until", date },
                { "severity", "critical" }, { "condition", "job-failed" }, { "details", "-" }, { "count", "3" }, { "number", "2026-0001" }, { "host", c->host }, {},
        };
        Buffer subject = {}, body = {};
        mail_text_expand(t.subject, variables, true, &subject);
        mail_text_expand(t.body, variables, false, &body);
        json_put_object_begin(answer);
        json_put_key_string(answer, "event", t.event);
        json_put_key_string(answer, "language", t.language);
        json_put_key_string(answer, "subject", buffer_string(&subject));
        json_put_key_string(answer, "body", buffer_string(&body));
        json_put_object_end(answer);
        buffer_done(&subject);
        buffer_done(&body);
        return 0;
}

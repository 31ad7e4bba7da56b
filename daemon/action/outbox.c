/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "common/text.h"
#include "daemon/action/outbox.h"
#include "daemon/model/address.h"
#include "daemon/store/message-store.h"
#include "daemon/store/partner-store.h"
#include "daemon/store/task-store.h"

enum { VARIABLES_MAX = 16 };

int outbox_sender(Context *c, const char **ret_address, const char **ret_name) {
        Partner p;
        int r = partner_load(c->db, c->arena, &p);
        if (r < 0)
                return r;
        *ret_address = p.sender ?: arena_printf(c->arena, "tenantd@%s", c->host);
        *ret_name = p.name;
        return 0;
}

/* In that language, else in the one of which it is a kind: de for de-CH, and for DE. */
static int find_text(Context *c, const char *event, const char *language, MailTemplate *ret) {
        char *tag = arena_strdup(c->arena, language);

        for (;;) {
                int r = mail_template_get(c->db, c->arena, event, tag, ret);
                if (r != 0)
                        return r;
                char *region = strrchr(tag, '-');
                bool again = region;
                if (region)
                        *region = 0;
                for (char *p = tag; !region && *p; p++) {
                        again |= ascii_lower(*p) != *p;
                        *p = ascii_lower(*p);
                }
                if (!again)
                        return 0;
        }
}

int outbox_template(Context *c, const char *event, const char *language, MailTemplate *ret) {
        Partner p;
        int r = partner_load(c->db, c->arena, &p);

        const char *const languages[] = { language, r >= 0 ? p.language : NULL, MAIL_LANGUAGE_DEFAULT };
        for (size_t i = 0; i < ELEMENTSOF(languages) && r >= 0; i++) {
                if (!languages[i])
                        continue;
                r = find_text(c, event, languages[i], ret);
                if (r > 0)
                        return 0;
        }
        const MailText *shipped = mail_text_find(event, MAIL_LANGUAGE_DEFAULT);
        if (r < 0 || !shipped)
                return r < 0 ? r : -ENOENT;
        *ret = (MailTemplate) { shipped->event, shipped->language, shipped->subject, shipped->body, true };
        return 0;
}

/* Of the body, whose arena may keep a secret. */
static const char *expand(Context *c, const char *text, const MailVariable *variables, bool secret) {
        Buffer b = { .secret = secret };
        mail_text_expand(text, variables, false, &b);
        return buffer_into(&b, c->arena);
}

static const char *expand_subject(Context *c, const char *text, const MailVariable *variables) {
        Buffer b = {};
        mail_text_expand(text, variables, true, &b);
        return buffer_into(&b, c->arena);
}

int outbox_call(Context *c) {
        Usec due;
        int64_t active = 0, work = 0;

        int r = message_next_due(c->db, &due);
        if (r < 0 || due == USEC_NONE)
                return r;
        r = task_couriers(c->db, &active);
        if (r >= 0 && active < COURIERS_MAX)
                r = message_work(c->db, c->now, COURIERS_MAX, &work);
        /* As many as there are messages to carry, and no more than connections; one that waits until something is due. */
        if (r < 0 || active >= MAX(MIN(work, (int64_t) COURIERS_MAX), (int64_t) 1))
                return r;
        Task task = { .kind = "mail", .lane = "people", .due = MAX(due, c->now), .created = c->now, .owner = 0, .arguments = "{}" };
        return task_insert(c->db, &task);
}

int outbox_look(Context *c) {
        enum { PATIENCE = 30 * USEC_SEC };
        int64_t active = 0;
        Usec due;

        int r = message_next_due(c->db, &due);
        if (r < 0 || due == USEC_NONE || due > c->now - PATIENCE)
                return r;
        r = task_couriers(c->db, &active);
        if (r >= 0 && active == 0)
                r = task_is_coming(c->db, "mail");
        return r != 0 || active > 0 ? MIN(r, 0) : outbox_call(c);
}

int outbox_put(Context *c, const Letter *letter, int64_t *ret_message) {
        MailVariable variables[VARIABLES_MAX + 2] = {};
        const char *sender, *name;
        MailTemplate template;
        size_t n = 0;

        int r = outbox_sender(c, &sender, &name);
        if (r >= 0)
                r = outbox_template(c, letter->event, letter->language, &template);
        if (r < 0)
                return r;
        for (; letter->variables && letter->variables[n].name && n < VARIABLES_MAX; n++)
                variables[n] = letter->variables[n];
        variables[n] = (MailVariable) { "partner", name ?: sender };
        OutMessage m = {
                .event = letter->event, .address = letter->address, .address_key = address_key(c->arena, letter->address), .sender = sender,
                .sender_name = name, .language = template.language, .subject = expand_subject(c, template.subject, variables),
                .body = expand(c, template.body, variables, letter->secret), .secret = letter->secret, .report = letter->report, .customer = letter->customer, .addressee = letter->addressee,
                .next_attempt = c->now, .created = c->now,
        };
        r = message_insert(c->db, &m);
        if (r >= 0)
                r = outbox_call(c);
        if (ret_message)
                *ret_message = m.n;
        return r;
}

const char *outbox_warning(Context *c) {
        Partner p;

        if (!c->settings->mail_relay)
                return arena_printf(c->arena, "no relay is set (mail.relay): mail is written as files to %s/outbox-mail", c->settings->state);
        if (partner_load(c->db, c->arena, &p) >= 0 && !p.sender)
                return arena_printf(c->arena, "no sender is set (partner set --sender): mail comes from tenantd@%s", c->host);
        return NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/model/mail-text.h"
#include "daemon/store/mail-template-store.h"
#include "daemon/store/row.h"

int mail_template_get(Db *db, Arena *a, const char *event, const char *language, MailTemplate *ret) {
        _statement_ s = db_statement(db, "SELECT event, language, subject, body, shipped FROM mail_template WHERE event = ? AND language = ?");
        if (!s)
                return -EIO;
        row_bind(s, "tt", event, language);
        int r = row_step(db, s);
        if (r > 0)
                row_read(s, a, "tttto", &ret->event, &ret->language, &ret->subject, &ret->body, &ret->shipped);
        return r;
}

int mail_template_put(Db *db, const MailTemplate *t) {
        int64_t n = 0;
        int r = mail_template_delete(db, t->event, t->language);
        if (r >= 0)
                r = row_int(db, &n, "SELECT max(n) FROM mail_template", "");
        return r < 0 ? r : row_run(db, "INSERT INTO mail_template(n, event, language, subject, body, shipped) VALUES(?,?,?,?,?,?)", "itttti", n + 1, t->event,
                                   t->language, t->subject, t->body, (int64_t) t->shipped);
}

int mail_template_delete(Db *db, const char *event, const char *language) {
        return row_run(db, "DELETE FROM mail_template WHERE event = ? AND language = ?", "tt", event, language);
}

int mail_templates_ship(Db *db) {
        _cleanup_(arena_freep) Arena *a = arena_new();

        for (const MailText *t = mail_texts; t->event; t++) {
                MailTemplate there;
                int r = mail_template_get(db, a, t->event, t->language, &there);
                bool same = r > 0 && (!there.shipped || (str_equal(there.subject, t->subject) && str_equal(there.body, t->body)));
                if (r >= 0 && !same)
                        r = mail_template_put(db, &(MailTemplate) { t->event, t->language, t->subject, t->body, true });
                if (r < 0)
                        return r;
        }
        return 0;
}

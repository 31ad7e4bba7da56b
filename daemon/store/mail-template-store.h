/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The texts of mails: the shipped ones, and in their place what was edited or added. */

#include "daemon/store/turn.h"

typedef struct MailTemplate {
        const char *event, *language, *subject, *body;
        bool shipped;
} MailTemplate;

int mail_template_get(Db *db, Arena *a, const char *event, const char *language, MailTemplate *ret);   /* 1 found, 0 not */
int mail_template_put(Db *db, const MailTemplate *t);            /* takes the place of what is there */
int mail_template_delete(Db *db, const char *event, const char *language);
/* At start, in a turn: the shipped texts of this version, where nothing was edited. */
int mail_templates_ship(Db *db);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The texts of mails: each event in several languages; what was edited takes the place of what is shipped. */

#include "daemon/action/action.h"

extern const char *const mail_template_options[], *const mail_template_preview_options[];

int mail_template_create(Context *c, const Request *request, Buffer *answer, Problem *problem);      /* fields: event language subject body */
int mail_template_edit(Context *c, const Request *request, Buffer *answer, Problem *problem);        /* ids: the event; fields: language subject body */
int mail_template_delete_action(Context *c, const Request *request, Buffer *answer, Problem *problem);       /* id: the event; back to the shipped text */
int mail_template_show(Context *c, const Request *request, Buffer *answer, Problem *problem);        /* id: EVENT or EVENT/LANGUAGE */
int mail_template_preview(Context *c, const Request *request, Buffer *answer, Problem *problem);     /* options: language customer */

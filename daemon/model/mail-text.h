/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The texts of mails as shipped, and the variables in them: {partner}, {organization} … Pure. */

#include "common/buffer.h"
#include "common/problem.h"

#define MAIL_LANGUAGE_DEFAULT "en"

typedef struct MailText {
        const char *event, *language;
        const char *subject, *body;          /* body: lines end with LF */
} MailText;

extern const MailText mail_texts[];          /* ends with event NULL; each event in every shipped language */
extern const char *const mail_events[];      /* NULL-terminated */

const MailText *mail_text_find(const char *event, const char *language);         /* NULL: not shipped in it */
const char *const *mail_text_variables(const char *event);                       /* NULL-terminated; NULL: no such event */

typedef struct MailVariable {
        const char *name;                    /* NULL ends a list */
        const char *value;                   /* NULL: empty */
} MailVariable;

/* A brace that names no variable of the event is refused (InvalidArgument unknown-variable), with the list of those. */
int mail_text_check(const char *event, const char *field, const char *text, Problem *problem);
/* one_line: line ends and tabs of values become blanks, as a subject needs it. */
void mail_text_expand(const char *text, const MailVariable *variables, bool one_line, Buffer *ret);

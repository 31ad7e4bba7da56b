/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "client/ctl/answer.h"
#include "client/ctl/output.h"
#include "client/ctl/run.h"
#include "client/ctl/table.h"
#include "common/buffer.h"
#include "common/files.h"
#include "common/text.h"

enum { BODY_MAX = 64 << 10 };

static const Option edit_options[] = {
        { "language", OPTION_TEXT, TO_FIELDS, "language", "LANGUAGE", "which language; else en" },
        { "subject", OPTION_TEXT, TO_FIELDS, "subject", "TEXT", "its subject" },
        { "body", OPTION_TEXT, TO_PROGRAM, NULL, "FILE", "a file with its text; - is standard input" },
        {},
};
static const Option delete_options[] = {
        { "language", OPTION_TEXT, TO_OPTIONS, "language", "LANGUAGE", "which language; else en" },
        {},
};
static const Option preview_options[] = {
        { "language", OPTION_TEXT, TO_OPTIONS, "language", "LANGUAGE", "which language" },
        { "customer", OPTION_TEXT, TO_OPTIONS, "customer", "CUSTOMER", "about this one" },
        {},
};

static int add_body(Command *c, Dict *fields) {
        const char *path = command_text(c, "body");
        _cleanup_(closep) int fd = -1;
        _cleanup_(buffer_done) Buffer text = {};

        if (!path)
                return 0;
        int r = command_open(c, path, &fd);
        if (r != 0)
                return r;
        r = fd_read_all(fd, BODY_MAX, INT64_MAX, &text);
        if (r < 0)
                return fail(EXIT_USAGE, "cannot-read", "body", "cannot read %s: %s", path, r == -EFBIG ? "it is larger than 64 KiB" : strerror(-r));
        dict_add(c->arena, fields, "body", value_of_string(arena_strndup(c->arena, buffer_string(&text), text.size)));
        return 0;
}

static int run_create(Command *c) {
        Dict fields = {};

        int r = command_dict(c, TO_FIELDS, &fields);
        if (r == 0)
                r = add_body(c, &fields);
        return r != 0 ? r : run_on_fields(c, &fields);
}

static int run_edit(Command *c) {
        Dict fields = {};

        int r = 0;
        if (!command_has(c, "subject") && !command_has(c, "body"))
                r = fail_usage(NULL, NULL, "mail-template edit needs --subject or --body");
        if (r == 0)
                r = command_dict(c, TO_FIELDS, &fields);
        if (r == 0)
                r = add_body(c, &fields);
        return r != 0 ? r : run_on_ids(c, 1, &fields);
}

/* The lines of the body as they are, below the rest. */
static int print_text(Command *c, const char *json) {
        static const char *const apart[] = { "body", NULL };
        _cleanup_(buffer_done) Buffer body = {};

        if (c->json != JSON_OFF || command_has(c, "columns"))
                return print_object(c, json);
        json_t *object = answer_parse(json);
        if (!object)
                return EXIT_FAILED;
        const char *text = json_string_value(json_object_get(object, "body"));
        for (size_t n; text && *text; text += n + (text[n] == '\n')) {
                n = strcspn(text, "\n");
                text_escape_controls(&body, text, n);
                buffer_add_char(&body, '\n');
        }
        output_begin(c, true);
        block_print(stdout, object, NULL, apart);
        printf("\n%s", buffer_string(&body));
        json_decref(object);
        return output_end(c, NULL);
}

static int run_show(Command *c) {
        const char *json;
        const Call what = call_about("MailTemplates", "Describe", c->arguments[0]);
        int r = call_text(c, &what, &json);
        return r != 0 ? r : print_text(c, json);
}

static int run_preview(Command *c) {
        Dict options = {};
        const char *json;

        int r = command_dict(c, TO_OPTIONS, &options);
        if (r != 0)
                return r;
        const Call what = call_act("MailTemplates", "Preview", c->arguments[0], &options);
        r = call_text(c, &what, &json);
        return r != 0 ? r : print_text(c, json);
}

static const Verb verbs[] = {
        { "create", FORM_CREATE, "MailTemplates", "Create", "EVENT", 1, 1, .options = edit_options, .argument_key = "event", .run = run_create, .help = "add a language to a mail" },
        { "list", FORM_LIST, "MailTemplates", "List", NULL, 0, 0, .columns = "event,language,subject,shipped", .help = "list the texts of mails" },
        { "show", FORM_READ, "MailTemplates", "Describe", "EVENT[/LANGUAGE]", 1, 1, .run = run_show, .help = "show the text of a mail" },
        { "edit", FORM_CHANGE, "MailTemplates", "Edit", "EVENT", 1, 1, .options = edit_options, .run = run_edit, .help = "change the text of a mail" },
        { "preview", FORM_OTHER, "MailTemplates", "Preview", "EVENT", 1, 1, V_COLUMNS, .options = preview_options, .run = run_preview, .help = "show a mail with its variables filled in" },
        { "delete", FORM_ACT, "MailTemplates", "Delete", "EVENT", 1, 1, V_DESTRUCTIVE, .options = delete_options, .help = "go back to the shipped text" },
        {},
};

const Noun noun_mail_template = { "mail-template", "mail templates", "the texts of mails, by event and language", verbs };

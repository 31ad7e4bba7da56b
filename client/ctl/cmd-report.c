/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>
#include <poll.h>
#include <systemd/sd-bus.h>

#include "client/ctl/answer.h"
#include "client/ctl/export.h"
#include "client/ctl/output.h"
#include "client/ctl/run.h"
#include "client/ctl/timezone.h"

static const Option export_options[] = {
        EXPORT_OPTIONS,
        { "service", OPTION_TEXT, TO_FIELDS, "service", "KEY", "of jobs, storage, subscriptions: this service (jobs: else cloud-backup-m365)" },
        { "since", OPTION_TIME, TO_FIELDS, "since", "TIME", "of jobs and audit: from then on (jobs: else 30d)" },
        { "details", OPTION_FLAG, TO_FIELDS, "details", NULL, "of storage: each service and module" },
        { "operation", OPTION_TEXT, TO_FIELDS, "operation", "ID", "of the kind operation: which" },
        {},
};

static const Option save_options[] = {
        { "output", OPTION_TEXT, TO_PROGRAM, NULL, "FILE", "where to; - is stdout; else the report's own file name, here" },
        {},
};

static const Option generate_options[] = {
        { "template", OPTION_TEXT, TO_OPTIONS, "template", "NAME", "which report template" },
        { "to", OPTION_TEXTS, TO_OPTIONS, "to", "ADDRESS", "mail it there" },
        { "to-customer", OPTION_FLAG, TO_OPTIONS, "to_customer", NULL, "mail it to the recipients of the customer's service reports" },
        { "language", OPTION_TEXT, TO_OPTIONS, "language", "LANGUAGE", "en or de; else the customer's" },
        { "format", OPTION_TEXT, TO_OPTIONS, "format", "FORMAT", "pdf or xlsx; else the template's" },
        {},
};

static const Option send_options[] = {
        { "to", OPTION_TEXTS, TO_OPTIONS, "to", "ADDRESS", "mail it there" },
        { "to-customer", OPTION_FLAG, TO_OPTIONS, "to_customer", NULL, "mail it to the recipients of the customer's service reports" },
        {},
};

static const Option bounce_options[] = {
        { "clear", OPTION_FLAG, TO_OPTIONS, "clear", NULL, "mail goes there again" },
        {},
};

/* KIND [CUSTOMER] */
static int run_export(Command *c) {
        Dict more = {};

        if (c->n_arguments > 1)
                dict_add(c->arena, &more, "customer", value_of_string(c->arguments[1]));
        return export_run(c, c->arguments[0], &more);
}

/* The report is on its way when the call returns: it is waited for by its task. */
static int run_generate(Command *c) {
        enum { LOOK_MSEC = 100 };
        Dict options = {};
        const char *json, *state = NULL;

        int r = run_options(c, &options);
        if (r != 0)
                return r;
        Call generate = call_act("Reports", "Generate", c->arguments[0], &options);
        generate.changes = true;
        r = call_text(c, &generate, &json);
        json_t *answer = r == 0 ? answer_parse(json) : NULL;
        if (!answer)
                return r ?: EXIT_FAILED;
        const char *task = arena_strdup(c->arena, json_string_value(json_object_get(answer, "task")));
        answer_warn(answer);
        while (task && !command_has(c, "no-wait") && !command_has(c, "dry-run") && r == 0) {
                const char *text;
                const Call look = call_about("Tasks", "Describe", task);
                r = call_text(c, &look, &text);
                json_t *row = r == 0 ? answer_parse(text) : NULL;
                state = arena_strdup(c->arena, json_string_value(json_object_get(row, "state")));
                const char *error = arena_strdup(c->arena, json_string_value(json_object_get(row, "error")));
                json_decref(row);
                if (r == 0 && (str_equal(state, "failed") || str_equal(state, "dead") || str_equal(state, "canceled")))
                        r = fail(EXIT_FAILED, "report-failed", NULL, "the report did not come about (%s)%s%s", state, error ? ": " : "", error ?: "");
                if (r != 0 || str_equal(state, "done") || !state)
                        break;
                (void) poll(NULL, 0, LOOK_MSEC);
        }
        if (r == 0)
                r = answer_print(c, json, answer);
        json_decref(answer);
        return r;
}

/* CUSTOMER ADDRESS [CODE] */
static int run_verify(Command *c) {
        Dict options = {};

        int r = run_options(c, &options);
        if (r != 0)
                return r;
        dict_add(c->arena, &options, "address", value_of_string(c->arguments[1]));
        if (c->n_arguments > 2)
                dict_add(c->arena, &options, "code", value_of_string(c->arguments[2]));
        const Call what = call_act("Reports", "Verify", c->arguments[0], &options);
        return run_change(c, &what);
}

static int save_to(Command *c, const char *path, bool binary) {
        _cleanup_(reply_freep) sd_bus_message *reply = NULL;
        OutputFile out = OUTPUT_FILE_INIT;
        int fd;

        const Call what = call_about("Reports", "Save", c->arguments[0]);
        int r = output_file_check(c, path, binary, &out);
        if (r == 0)
                r = call(c, &what, &reply);
        if (r == 0 && sd_bus_message_read(reply, "h", &fd) < 0)
                r = fail(EXIT_FAILED, "bad-answer", NULL, "the daemon's answer is not a file");
        if (r == 0)
                r = output_file_take(&out, fd);
        output_file_done(&out);
        return r;
}

static int run_save(Command *c) {
        const char *json, *path = command_text(c, "output");

        int r = bus_connect(c);
        if (r != 0)
                return r;
        Pending *zone = str_equal(path, "-") ? NULL : timezone_ask(c);
        const Call what = call_about("Reports", "Describe", c->arguments[0]);
        r = call_text(c, &what, &json);
        if (r != 0)
                return r;
        timezone_use(c, zone);
        json_t *row = answer_parse(json);
        if (!row)
                return EXIT_FAILED;
        const char *format = json_string_value(json_object_get(row, "format"));
        bool alone = str_equal(path, "-");
        if (!path) {
                path = arena_strdup(c->arena, json_string_value(json_object_get(row, "file_name")));
                if (str_empty(path) || strchr(path, '/'))
                        r = fail_usage(NULL, NULL, "the report has no usable file name: give --output FILE");
        }
        if (r == 0)
                r = save_to(c, path, str_equal(format, "xlsx") || str_equal(format, "pdf"));
        if (r == 0 && !alone) {
                if (c->json == JSON_OFF)
                        json_object_set_new(row, "output", json_string(path));
                r = answer_print(c, json, row);
        }
        json_decref(row);
        return r;
}

static const Verb verbs[] = {
        { "export", FORM_FILE_OUT, "Reports", "Export", "KIND [CUSTOMER]", 1, 2, V_FILTER, export_options, .run = run_export,
          .help = "write customers (or jobs, storage, subscriptions, audit, operation) to a file" },
        { "generate", FORM_ACT, "Reports", "Generate", "CUSTOMER", 1, 1, V_FOLLOW, generate_options, .run = run_generate, .help = "make a report about a customer by a template" },
        { "list", FORM_LIST, "Reports", "List", NULL, 0, 0, .columns = "id,kind,format,file_name,rows,bytes,created",
          .help = "list the reports that are kept" },
        { "show", FORM_READ, "Reports", "Describe", "REPORT", 1, 1, .help = "show a report's facts" },
        { "save", FORM_OTHER, "Reports", "Save", "REPORT", 1, 1, .options = save_options, .run = run_save, .help = "get a report's file again" },
        { "send", FORM_ACT, "Reports", "Send", "REPORT", 1, 1, .options = send_options, .help = "mail a report again, or to others" },
        { "verify", FORM_ACT, "Reports", "Verify", "CUSTOMER ADDRESS [CODE]", 2, 3, .run = run_verify,
          .help = "mail a code to an address, or take the code that came back" },
        { "bounce", FORM_ACT, "Reports", "Bounce", "ADDRESS", 1, 1, .options = bounce_options, .help = "send nothing to this address any more" },
        {},
};

const Noun noun_report = { "report", "reports", "exports and the files they made", verbs };

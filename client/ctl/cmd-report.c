/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>
#include <systemd/sd-bus.h>

#include "client/ctl/answer.h"
#include "client/ctl/export.h"
#include "client/ctl/output.h"
#include "client/ctl/run.h"
#include "client/ctl/timezone.h"

static const Option export_options[] = {
        EXPORT_OPTIONS,
        { "operation", OPTION_TEXT, TO_FIELDS, "operation", "ID", "of the kind operation: which" },
        {},
};

static const Option save_options[] = {
        { "output", OPTION_TEXT, TO_PROGRAM, NULL, "FILE", "where to; - is stdout; else the report's own file name, here" },
        {},
};

static int run_export(Command *c) {
        return export_run(c, c->arguments[0], NULL);
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
        { "export", FORM_FILE_OUT, "Reports", "Export", "KIND", 1, 1, V_FILTER, export_options, .run = run_export,
          .help = "write customers (or audit, operation) to a file" },
        { "list", FORM_LIST, "Reports", "List", NULL, 0, 0, .columns = "id,kind,format,file_name,rows,bytes,created",
          .help = "list the reports that are kept" },
        { "show", FORM_READ, "Reports", "Describe", "REPORT", 1, 1, .help = "show a report's facts" },
        { "save", FORM_OTHER, "Reports", "Save", "REPORT", 1, 1, .options = save_options, .run = run_save, .help = "get a report's file again" },
        {},
};

const Noun noun_report = { "report", "reports", "exports and the files they made", verbs };

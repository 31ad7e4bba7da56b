/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>
#include <stdio.h>
#include <strings.h>
#include <systemd/sd-bus.h>

#include "client/ctl/answer.h"
#include "client/ctl/export.h"
#include "client/ctl/output.h"
#include "client/ctl/queue.h"
#include "client/ctl/run.h"
#include "client/ctl/timezone.h"
#include "common/text.h"
#include "common/time.h"

const char *const export_formats[] = { "xlsx", "csv", "json", "pdf", NULL };

const char *export_format(const Command *c) {
        const char *format = command_text(c, "format"), *output = command_text(c, "output");
        const char *dot = output ? strrchr(output, '.') : NULL;

        if (format)
                return format;
        if (dot && !strchr(dot, '/'))
                for (size_t i = 0; export_formats[i]; i++)
                        if (strcasecmp(dot + 1, export_formats[i]) == 0)
                                return export_formats[i];
        return NULL;
}

static int export_fields(Command *c, const char *kind, const char *format, const Dict *more, Dict *ret) {
        const char *selector = NULL;
        size_t n = 0;

        if (str_equal(c->verb->interface, "Reports"))
                dict_add(c->arena, ret, "kind", value_of_string(kind));
        int r = command_dict(c, TO_FIELDS, ret);
        if (r == 0)
                r = command_selector(c, &selector);
        if (r != 0)
                return r;
        if (!dict_find(ret, "format"))
                dict_add(c->arena, ret, "format", value_of_string(format));
        if (selector)
                dict_add(c->arena, ret, "selector", value_of_string(selector));
        const char **columns = command_list(c, "columns", &n);
        if (n > 0)
                dict_add(c->arena, ret, "columns", value_of_strings(columns, n));
        for (size_t i = 0; more && i < more->n; i++)
                dict_add(c->arena, ret, more->entries[i].key, more->entries[i].value);
        return 0;
}

static const char *default_name(Command *c, const char *kind, const char *format, const json_t *row) {
        const char *date = json_string_value(json_object_get(row, "data_date"));
        char today[TIME_TEXT_SIZE];

        if (str_empty(date) || strchr(date, '/'))
                date = date_text(clock_now(), today);
        return arena_printf(c->arena, "%s-%s.%s", kind, date, format);
}

static int print_written(Command *c, const char *json, json_t *row, const char *path) {
        if (c->json == JSON_OFF)
                json_object_set_new(row, "output", json_string(path));
        return answer_print(c, json, row);
}

static int export_write(Command *c, const char *kind, const char *format, sd_bus_message *reply) {
        const char *json, *path = command_text(c, "output");
        OutputFile out = OUTPUT_FILE_INIT;
        int fd;

        if (sd_bus_message_read(reply, "sh", &json, &fd) < 0)
                return fail(EXIT_FAILED, "bad-answer", NULL,
                            "the daemon's answer to the export is not what it should be");
        json_t *row = answer_parse(json);
        if (!row)
                return EXIT_FAILED;
        answer_warn(row);
        if (json_is_true(json_object_get(row, "dry_run")) || answer_is_pending(row)) {
                int r = answer_print(c, json, row);
                json_decref(row);
                return r;
        }
        const char *id = arena_strdup(c->arena, json_string_value(json_object_get(row, "id")));
        bool alone = str_equal(path, "-");
        if (!path)
                path = default_name(c, kind, format, row);
        int r = output_file_check(c, path, str_equal(format, "xlsx") || str_equal(format, "pdf"), &out);
        bool checked = r == 0;
        out.created = id;
        if (r == 0)
                r = output_file_take(&out, fd);
        output_file_done(&out);
        if (!checked && id)
                note("the report is kept: \"tenantctl report save %s\" gives it again", id);
        else if (r == 0 && !alone)
                r = print_written(c, json, row, path);
        json_decref(row);
        return r;
}

int export_run(Command *c, const char *kind, const Dict *more) {
        _cleanup_(reply_freep) sd_bus_message *reply = NULL;
        const char *output = command_text(c, "output"), *format = export_format(c);
        OutputFile out = OUTPUT_FILE_INIT;
        Dict fields = {}, options = {};
        int r = 0;

        if (!format)
                format = "xlsx";
        if (output)
                r = output_file_check(c, output, str_equal(format, "xlsx") || str_equal(format, "pdf"),
                                      &out);
        if (r == 0)
                r = export_fields(c, kind, format, more, &fields);
        if (r == 0)
                r = run_options(c, &options);
        if (r == 0)
                r = bus_connect(c);
        if (r != 0)
                return r;
        Pending *zone = output && str_equal(output, "-") ? NULL : timezone_ask(c);
        Call what = call_verb(c, "fo");
        what.fields = &fields;
        what.options = &options;
        what.changes = what.slow = true;
        what.late = queue_ask;
        what.late_told = queue_tell;
        r = call(c, &what, &reply);
        if (r != 0)
                return r;
        timezone_use(c, zone);
        return export_write(c, kind, format, reply);
}

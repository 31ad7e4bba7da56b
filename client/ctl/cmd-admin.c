/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>

#include "client/ctl/answer.h"
#include "client/ctl/cell.h"
#include "client/ctl/confirm.h"
#include "client/ctl/operation.h"
#include "client/ctl/output.h"
#include "client/ctl/run.h"
#include "client/ctl/table.h"
#include "client/ctl/timezone.h"
#include "common/clock.h"

#define RESTART_PATIENCE (60 * USEC_SEC)

static const char *const levels[] = { "error", "warning", "info", "debug", NULL };

static int print_status(Command *c, const json_t *status) {
        static const char *const apart[] = { "defaults", "warnings", NULL }, *const columns[] = { "key", "message", NULL };
        const json_t *defaults = json_object_get(status, "defaults"), *warnings = json_object_get(status, "warnings");
        json_t *row;
        size_t i;
        int r = 0;

        block_print(stdout, status, NULL, apart);
        if (json_array_size(defaults) > 0) {
                _cleanup_(table_freep) Table *t = table_new(columns, false);
                if (!t)
                        return EXIT_FAILED;
                json_array_foreach((json_t *) defaults, i, row)
                        table_add(t, row);
                puts("\ndefaults in force");
                r = table_print(t, stdout);
        }
        if (json_array_size(warnings) > 0)
                puts("\nwarnings");
        json_array_foreach((json_t *) warnings, i, row) {
                Buffer b = {};
                cell_put_sentence(&b, json_string_value(row) ?: "");
                puts(buffer_string(&b));
                buffer_done(&b);
        }
        return r;
}

static int run_status(Command *c) {
        const char *json;

        int r = bus_connect(c);
        if (r != 0)
                return r;
        Pending *zone = timezone_ask(c);
        const Call what = call_act("Manager", "Status", "", NULL);
        r = call_text(c, &what, &json);
        if (r != 0)
                return r;
        timezone_use(c, zone);
        if (c->json != JSON_OFF || command_has(c, "columns"))
                return print_object(c, json);
        json_t *status = answer_parse(json);
        if (!status)
                return EXIT_FAILED;
        output_begin(c, true);
        r = print_status(c, status);
        int end = output_end(c, NULL);
        json_decref(status);
        return r != 0 ? r : end;
}

/* stdout is the backup, and nothing else: an answer behind it would be a part of the file. */
static int backup_to_stdout(Command *c, const Call *what) {
        const char *json;

        Call writing = *what;
        writing.changes = writing.slow = true;
        int r = call_text(c, &writing, &json);
        json_t *answer = r == 0 ? answer_parse(json) : NULL;
        if (!answer)
                return r ?: EXIT_FAILED;
        answer_warn(answer);
        if (answer_is_pending(answer))
                r = answer_print(c, json, answer);
        json_decref(answer);
        return r;
}

/* The daemon writes into a file without a name; it gets one when the backup is whole. */
static int run_backup(Command *c) {
        OutputFile out = OUTPUT_FILE_INIT;
        Dict fields = {}, options = {};

        int r = run_options(c, &options);
        if (r == 0)
                r = output_file_check(c, c->arguments[0], true, &out);
        if (r == 0)
                r = output_file_open(&out, 0600);
        Call what = call_verb(c, "hfo");
        what.fd = out.fd;
        what.fields = &fields;
        what.options = &options;
        if (r == 0)
                r = str_equal(c->arguments[0], "-") && !command_has(c, "dry-run") ? backup_to_stdout(c, &what) : run_change(c, &what);
        if (r == 0 && !c->put_off && !command_has(c, "dry-run"))
                r = output_file_finish(&out);
        output_file_done(&out);
        return r;
}

/* The daemon starts again with what was restored: whoever asks next shall find it. */
static int run_restore(Command *c) {
        const char *file = c->arguments[0], *before = NULL;
        int r = confirm_destructive(c, arena_printf(c->arena, "Replace the whole database by %s, and pause its queue?", file));

        if (r == 0)
                r = bus_connect(c);
        if (r == 0)
                before = bus_daemon(c);
        if (r == 0)
                r = run_file_in(c);
        if (r == 0 && before && !c->put_off && !command_has(c, "dry-run") && bus_wait_back(c, before, RESTART_PATIENCE) != 0)
                warn("tenantd has not come back yet: its log (journalctl -u tenantd) says why");
        return r;
}

static int run_verify(Command *c) {
        _cleanup_(closep) int fd = -1;
        Dict options = {};
        const char *json;

        int r = c->n_arguments > 0 ? command_open(c, c->arguments[0], &fd) : 0;
        if (r != 0)
                return r;
        if (fd >= 0)
                dict_add(c->arena, &options, "file", (Value) { .type = VALUE_FD, .fd = fd });
        r = bus_connect(c);
        if (r != 0)
                return r;
        Pending *zone = timezone_ask(c);
        Call what = call_act("Manager", "Verify", "", &options);
        what.slow = true;
        r = call_text(c, &what, &json);
        if (r != 0)
                return r;
        timezone_use(c, zone);
        return print_object(c, json);
}

static int run_accept_clock(Command *c) {
        Dict options = {};

        int r = run_options(c, &options);
        const Call what = call_act("Manager", "AcceptClock", "", &options);
        return r != 0 ? r : run_change(c, &what);
}

static int run_rotate_key(Command *c) {
        Dict options = {};

        int r = run_options(c, &options);
        if (r == 0)
                r = confirm_destructive(c, "Make a new key? Backups made until now need the old one.");
        const Call what = call_act("Manager", "RotateKey", "", &options);
        return r != 0 ? r : run_change(c, &what);
}

static int run_log_level(Command *c) {
        Dict options = {};

        int r = run_options(c, &options);
        if (r != 0)
                return r;
        if (c->n_arguments > 0) {
                const char *level = c->arguments[0];
                bool known = false;
                for (size_t i = 0; levels[i]; i++)
                        known |= str_equal(levels[i], level);
                if (!known)
                        return fail_usage(level, levels,
                                          "the level is error, warning, info or debug, not \"%.60s\"",
                                          level);
                dict_add(c->arena, &options, "level", value_of_string(level));
        }
        const Call what = call_act("Manager", "LogLevel", "", &options);
        return run_change(c, &what);
}

static const Verb verbs[] = {
        { "test-mail", FORM_ACT, "Manager", "TestMail", "ADDRESS", 1, 1, .help = "send a test mail" },
        { "accept-clock", FORM_OTHER, "Manager", "AcceptClock", NULL, 0, 0, .run = run_accept_clock, .help = "believe a clock that jumped far ahead" },
        { "status", FORM_READ, "Manager", "Status", NULL, 0, 0, .run = run_status, .help = "show version, sizes, queue, defaults in force" },
        { "backup", FORM_ACT, "Manager", "Backup", "FILE", 1, 1, V_FOLLOW | V_SLOW, .run = run_backup,
          .help = "write a verified copy of the database to FILE" },
        { "restore", FORM_FILE_IN, "Manager", "Restore", "FILE", 1, 1, V_DESTRUCTIVE | V_SLOW, .run = run_restore,
          .help = "put a backup in place of the database; pauses the queue" },
        { "verify", FORM_ACT, "Manager", "Verify", "[FILE]", 0, 1, .run = run_verify,
          .help = "check the database, or a backup as restore would" },
        { "reload", FORM_ACT, "Manager", "Reload", NULL, 0, 0, .help = "read the configuration again, and tell what needs a restart" },
        { "rotate-key", FORM_ACT, "Manager", "RotateKey", NULL, 0, 0, V_DESTRUCTIVE, .run = run_rotate_key, .help = "seal every secret with a new key" },
        { "log-level", FORM_ACT, "Manager", "LogLevel", "[LEVEL]", 0, 1, .run = run_log_level, .help = "show or set how much is logged" },
        {},
};

const Noun noun_admin = { "admin", NULL, "the daemon itself", verbs };

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>
#include <stdlib.h>

#include "client/ctl/answer.h"
#include "client/ctl/confirm.h"
#include "client/ctl/json-out.h"
#include "client/ctl/list.h"
#include "client/ctl/operation.h"
#include "client/ctl/output.h"
#include "client/ctl/run.h"
#include "client/ctl/table.h"
#include "client/ctl/timezone.h"
#include "common/text.h"

/* ---- reading ---- */

static json_t *cut_to_columns(const json_t *object, const char *const *columns) {
        json_t *cut = json_object();
        for (size_t i = 0; columns[i]; i++)
                json_object_set(cut, columns[i], json_object_get(object, columns[i]));
        return cut;
}

static int check_columns(const json_t *object, const char *const *columns) {
        const char *names[256], *key;
        size_t n = 0;
        json_t *value;

        json_object_foreach((json_t *) object, key, value)
                if (n + 1 < ELEMENTSOF(names))
                        names[n++] = key;
        names[n] = NULL;
        for (size_t i = 0; columns[i]; i++)
                if (!json_object_get(object, columns[i]))
                        return fail_usage(columns[i], names, "there is no column \"%.60s\"", columns[i]);
        return 0;
}

int print_object(Command *c, const char *json) {
        static const char *const tables[] = { "items", NULL };
        size_t n = 0;
        const char **columns = command_list(c, "columns", &n);
        int r = 0;

        if (c->json != JSON_OFF && !columns) {
                output_begin(c, true);
                json_out(stdout, json, strlen(json), c->json);
                return output_end(c, NULL);
        }
        json_t *object = answer_parse(json);
        if (!object)
                return EXIT_FAILED;
        if (columns)
                r = check_columns(object, columns);
        if (r == 0) {
                output_begin(c, true);
                if (c->json != JSON_OFF) {
                        json_t *cut = cut_to_columns(object, columns);
                        char *text = json_dumps(cut, JSON_COMPACT);
                        json_out(stdout, text, strlen(text), c->json);
                        free(text);
                        json_decref(cut);
                } else {
                        block_print(stdout, object, columns, tables);
                        if (!columns && answer_is_pending(object))
                                answer_print_pending(object);
                        else if (!columns)
                                r = answer_print_items(c, object, false, stdout);
                }
                int end = output_end(c, NULL);
                r = r != 0 ? r : end;
        }
        json_decref(object);
        return r;
}

int run_read(Command *c) {
        const char *json;

        int r = bus_connect(c);
        if (r != 0)
                return r;
        Pending *zone = timezone_ask(c);
        const char *id = c->n_arguments > 0 ? c->arguments[0] : "";
        const Call what = call_about(c->verb->interface, c->verb->method, id);
        r = call_text(c, &what, &json);
        if (r != 0)
                return r;
        timezone_use(c, zone);
        return print_object(c, json);
}

/* ---- changing ---- */

int run_asked(Command *c, const char **ret_json) {
        Dict options = {};

        int r = command_dict(c, TO_OPTIONS, &options);
        if (r == 0)
                r = bus_connect(c);
        if (r != 0)
                return r;
        Pending *zone = timezone_ask(c);
        const Call what = call_act(c->verb->interface, c->verb->method, c->arguments[0], &options);
        r = call_text(c, &what, ret_json);
        if (r == 0)
                timezone_use(c, zone);
        return r;
}

int run_options(Command *c, Dict *ret) {
        const char *revision = command_text(c, "revision");
        uint64_t n;

        int r = command_dict(c, TO_OPTIONS, ret);
        if (r == 0 && command_has(c, "dry-run"))
                dict_add(c->arena, ret, "dry_run", value_of_bool(true));
        if (r == 0 && revision && number_parse(revision, INT64_MAX, &n))
                dict_add(c->arena, ret, "revision", value_of_int((int64_t) n));
        return r;
}

int run_change(Command *c, const Call *what) {
        const char *json;

        int r = bus_connect(c);
        if (r != 0)
                return r;
        Pending *zone = timezone_ask(c);
        Call changing = *what;
        changing.changes = true;
        changing.slow = c->verb->flags & V_SLOW;
        r = call_text(c, &changing, &json);
        if (r != 0)
                return r;
        timezone_use(c, zone);
        if (c->verb->flags & (V_FOLLOW | V_BULK))
                return operation_follow(c, json);
        json_t *answer = answer_parse(json);
        if (!answer)
                return EXIT_FAILED;
        answer_warn(answer);
        r = answer_print(c, json, answer);
        json_decref(answer);
        return r;
}

int run_on_fields(Command *c, Dict *fields) {
        Dict options = {};

        int r = run_options(c, &options);
        if (r != 0)
                return r;
        if (c->verb->argument_key && c->n_arguments > 0)
                dict_add(c->arena, fields, c->verb->argument_key, value_of_string(c->arguments[0]));
        Call what = call_verb(c, "fo");
        what.fields = fields;
        what.options = &options;
        return run_change(c, &what);
}

static int run_create(Command *c) {
        Dict fields = {};

        int r = command_dict(c, TO_FIELDS, &fields);
        if (r == 0)
                r = run_on_fields(c, &fields);
        dict_close_fds(&fields);
        return r;
}

int run_on_ids(Command *c, size_t n_ids, Dict *fields) {
        const char *selector = NULL;
        Dict options = {};

        int r = run_options(c, &options);
        if (r == 0 && (c->verb->flags & V_BULK))
                r = command_selector(c, &selector);
        if (r != 0)
                return r;
        if (selector && n_ids > 0)
                return fail_usage(NULL, NULL, "%s %s takes names or --filter, not both", c->noun->name,
                                  c->verb->name);
        if (selector)
                dict_add(c->arena, &options, "selector", value_of_string(selector));
        Call what = call_verb(c, "afo");
        what.ids = c->arguments;
        what.n_ids = n_ids;
        what.fields = fields;
        what.options = &options;
        if (selector || n_ids > 1)
                r = confirm_bulk(c, &what);
        return r != 0 ? r : run_change(c, &what);
}

static int run_several(Command *c) {
        Dict fields = {};

        int r = command_dict(c, TO_FIELDS, &fields);
        if (r == 0 && fields.n == 0 && c->verb->options)
                r = fail_usage(NULL, NULL,
                               "%s %s needs something to change; \"tenantctl %s %s --help\" lists the options",
                               c->noun->name, c->verb->name, c->noun->name, c->verb->name);
        if (r == 0)
                r = run_on_ids(c, c->n_arguments, &fields);
        dict_close_fds(&fields);
        return r;
}

static int run_act(Command *c) {
        const char *id = c->n_arguments > 0 ? c->arguments[0] : "";
        Dict options = {};

        int r = run_options(c, &options);
        if (r == 0 && (c->verb->flags & V_DESTRUCTIVE))
                r = confirm_destructive(c, arena_printf(c->arena, "%s %s \"%s\"?", c->noun->name,
                                                        c->verb->name, id));
        if (r != 0)
                return r;
        const Call what = call_act(c->verb->interface, c->verb->method, id, &options);
        return run_change(c, &what);
}

int run_file_in(Command *c) {
        _cleanup_(closep) int fd = -1;
        Dict fields = {}, options = {};

        int r = command_dict(c, TO_FIELDS, &fields);
        if (r == 0)
                r = run_options(c, &options);
        if (r == 0)
                r = command_open(c, c->arguments[0], &fd);
        Call what = call_verb(c, "hfo");
        what.fd = fd;
        what.fields = &fields;
        what.options = &options;
        return r == 0 ? run_change(c, &what) : r;
}

int run_verb(Command *c) {
        if (c->verb->run)
                return c->verb->run(c);
        switch (c->verb->form) {
        case FORM_READ:
                return run_read(c);
        case FORM_LIST:
                return run_list(c);
        case FORM_CREATE:
                return run_create(c);
        case FORM_CHANGE:
                return run_several(c);
        case FORM_ACT:
                return run_act(c);
        case FORM_FILE_IN:
                return run_file_in(c);
        case FORM_FILE_OUT:
        case FORM_OTHER:
                break;
        }
        return fail(EXIT_FAILED, "no-code", NULL, "%s %s has no code", c->noun->name, c->verb->name);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "client/ctl/answer.h"
#include "client/ctl/confirm.h"
#include "client/ctl/terminal.h"

static bool is_answered(const Command *c) {
        return command_has(c, "yes") || command_has(c, "confirm") || command_has(c, "dry-run");
}

const char *confirm_read(Command *c, const char *question) {
        char *line = NULL;
        size_t room = 0;

        fputs(question, stderr);
        ssize_t n = getline(&line, &room, stdin);
        const char *answer = NULL;
        if (n > 0) {
                if (line[n - 1] == '\n')
                        line[n - 1] = 0;
                answer = arena_strdup(c->arena, line);
        }
        free(line);
        return answer;
}

static int ask(Command *c, const char *question) {
        const char *answer = confirm_read(c, arena_printf(c->arena, "%s [y/N] ", question));
        if (answer && (str_equal(answer, "y") || str_equal(answer, "Y") || str_equal(answer, "yes")))
                return 0;
        return fail(EXIT_USAGE, "not-confirmed", NULL, "not confirmed: nothing was changed");
}

int confirm_destructive(Command *c, const char *question) {
        if (is_answered(c))
                return 0;
        if (!terminal_can_ask())
                return fail(EXIT_USAGE, "not-confirmed", "confirm",
                            "%s %s cannot be undone: without a terminal it needs --yes", c->noun->name,
                            c->verb->name);
        return ask(c, question);
}

int confirm_bulk(Command *c, const Call *what) {
        const char *json;

        if (is_answered(c) || !terminal_can_ask())
                return 0;
        Dict options = {};
        for (size_t i = 0; what->options && i < what->options->n; i++)
                dict_add(c->arena, &options, what->options->entries[i].key, what->options->entries[i].value);
        dict_add(c->arena, &options, "dry_run", value_of_bool(true));
        Call dry = *what;
        dry.options = &options;
        dry.changes = false;
        int r = call_text(c, &dry, &json);
        if (r != 0)
                return r;
        json_t *answer = answer_parse(json);
        if (!answer)
                return EXIT_FAILED;
        int64_t count = json_integer_value(json_object_get(answer, "count"));
        int64_t refused = json_integer_value(json_object_get(answer, "refused"));
        r = answer_print_items(c, answer, false, stderr);
        json_decref(answer);
        if (r != 0)
                return r;
        return ask(c, arena_printf(c->arena, "%s %s for %lld of %lld?", c->noun->name, c->verb->name,
                                   (long long) (count - refused), (long long) count));
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/ctl/answer.h"
#include "client/ctl/cell.h"
#include "client/ctl/json-out.h"
#include "client/ctl/output.h"
#include "client/ctl/queue.h"
#include "client/ctl/table.h"
#include "common/text.h"

json_t *answer_parse(const char *json) {
        json_t *j = json_loads(json, 0, NULL);
        if (json_is_object(j))
                return j;
        json_decref(j);
        fail(EXIT_FAILED, "bad-answer", NULL, "the daemon's answer is no JSON object");
        return NULL;
}

bool answer_is_operation(const json_t *answer) {
        return json_object_get(answer, "kind") && json_object_get(answer, "done") &&
               json_object_get(answer, "total") && json_object_get(answer, "state");
}

bool answer_is_pending(const json_t *answer) {
        return answer_is_operation(answer) && str_equal(json_string_value(json_object_get(answer, "state")), "pending-approval");
}

void answer_warn(const json_t *answer) {
        const json_t *warnings = json_object_get(answer, "warnings");
        size_t i;
        json_t *item;

        json_array_foreach((json_t *) warnings, i, item)
                if (json_is_string(item)) {
                        warn("%s", json_string_value(item));
                        queue_heard(json_string_value(item));
                }
}

/* "old -> new", or the new one where there was none to be. */
static void put_change(Buffer *b, const char *key, const json_t *old, const json_t *value) {
        if (old) {
                cell_put(b, key, old);
                buffer_add_string(b, " -> ");
        }
        cell_put(b, key, value);
}

static bool differs(const json_t *old, const json_t *value) {
        return old ? !json_equal(old, value) : !json_is_null(value);
}

/* Of a thing that was there, and is to be another. */
static json_t *changes_in_a_line(const json_t *item) {
        const json_t *before = json_object_get(item, "before"), *after = json_object_get(item, "after");
        const char *key;
        json_t *value, *line = NULL;
        Buffer b = {};

        if (json_is_object(before))
                json_object_foreach((json_t *) after, key, value) {
                        const json_t *old = json_object_get(before, key);
                        if (!differs(old, value))
                                continue;
                        if (b.size > 0)
                                buffer_add_string(&b, "; ");
                        text_escape_controls(&b, key, strlen(key));
                        buffer_add_string(&b, ": ");
                        put_change(&b, key, old, value);
                }
        if (b.size > 0)
                line = json_stringn(b.data, b.size);
        buffer_done(&b);
        return line;
}

int answer_print_items(Command *c, const json_t *answer, bool only_bad, FILE *f) {
        const json_t *items = json_object_get(answer, "items");
        json_t *shown = json_array(), *item;
        bool lines = false, changes = false, bad = false;
        const char *columns[7];
        size_t i, n = 0;
        int r = 0;

        json_array_foreach((json_t *) items, i, item) {
                bool ok = str_equal(json_string_value(json_object_get(item, "outcome")), "ok");
                lines |= json_is_integer(json_object_get(item, "line"));
                if (only_bad && ok)
                        continue;
                json_t *row = json_copy(item), *change = changes_in_a_line(item);
                if (change)
                        json_object_set_new(row, "change", change);
                json_array_append_new(shown, row);
                changes |= change != NULL;
                bad |= !ok || json_is_string(json_object_get(item, "reason")) || json_is_string(json_object_get(item, "message"));
        }
        columns[n++] = lines ? "line" : "n";
        columns[n++] = "organization";
        columns[n++] = "outcome";
        if (changes)
                columns[n++] = "change";
        if (bad) {
                columns[n++] = "reason";
                columns[n++] = "message";
        }
        columns[n] = NULL;
        if (json_array_size(shown) > 0) {
                _cleanup_(table_freep) Table *t = table_new(columns, !command_has(c, "no-legend"));
                json_array_foreach(shown, i, item)
                        if (t)
                                table_add(t, item);
                putc('\n', f);
                r = t ? table_print(t, f) : EXIT_FAILED;
        }
        json_decref(shown);
        return r;
}

/* The one item of a call that is about no customer: a table of it would have nothing to say. */
static const json_t *only_thing(const json_t *answer) {
        const json_t *items = json_object_get(answer, "items"), *item = json_array_get(items, 0);

        if (json_array_size(items) != 1 || json_integer_value(json_object_get(answer, "count")) != 1)
                return NULL;
        return json_is_string(json_object_get(item, "organization")) || json_is_integer(json_object_get(item, "line")) ? NULL : item;
}

static void put_call(Command *c, Buffer *b) {
        buffer_printf(b, "%s %s", c->noun->name, c->verb->name);
        for (size_t i = 0; i < c->n_arguments; i++) {
                const char *quote = strpbrk(c->arguments[i], " \t") || !*c->arguments[i] ? "\"" : "";
                buffer_printf(b, " %s", quote);
                text_escape_controls(b, c->arguments[i], strlen(c->arguments[i]));
                buffer_add_string(b, quote);
        }
}

/* What it would be, or what would differ, a line each. */
static void print_changes(const json_t *before, const json_t *after) {
        json_t *shown = json_object(), *value;
        const char *key;

        json_object_foreach((json_t *) after, key, value) {
                const json_t *old = json_object_get(before, key);
                if (!differs(old, value))
                        continue;
                Buffer b = {};
                put_change(&b, key, old, value);
                json_object_set_new(shown, key, json_string(buffer_string(&b)));
                buffer_done(&b);
        }
        if (json_object_size(shown) > 0) {
                putchar('\n');
                block_print(stdout, shown, NULL, NULL);
        }
        json_decref(shown);
}

static void print_dry_thing(Command *c, const json_t *item) {
        const char *reason = json_string_value(json_object_get(item, "reason")), *message = json_string_value(json_object_get(item, "message"));
        bool done = str_equal(json_string_value(json_object_get(item, "outcome")), "ok");
        Buffer b = {};

        buffer_printf(&b, "dry run: nothing was changed; would be %s: ", done ? "done" : "refused");
        put_call(c, &b);
        if (done) {
                buffer_printf(&b, " (%s)", c->verb->help);
        } else if (reason && message) {
                buffer_printf(&b, " (%s: ", reason);
                text_escape_controls(&b, message, strlen(message));
                buffer_add_char(&b, ')');
        }
        puts(buffer_string(&b));
        buffer_done(&b);
        print_changes(json_object_get(item, "before"), json_object_get(item, "after"));
}

static void print_note(const json_t *answer) {
        const char *text = json_string_value(json_object_get(answer, "note"));
        Buffer b = {};

        if (!text)
                return;
        text_escape_controls(&b, text, strlen(text));
        puts(buffer_string(&b));
        buffer_done(&b);
}

static int print_dry_run(Command *c, const json_t *answer) {
        int64_t count = json_integer_value(json_object_get(answer, "count"));
        int64_t refused = json_integer_value(json_object_get(answer, "refused"));
        int64_t failed = json_integer_value(json_object_get(answer, "failed"));
        const json_t *thing = only_thing(answer);
        Buffer b = {};

        if (thing) {
                print_dry_thing(c, thing);
                print_note(answer);
                return 0;
        }
        buffer_add_string(&b, "dry run: nothing was changed; of ");
        cell_put_number(&b, count);
        buffer_add_string(&b, ", ");
        cell_put_number(&b, count - refused - failed);
        buffer_add_string(&b, " would be done and ");
        cell_put_number(&b, refused + failed);
        buffer_add_string(&b, " refused\n");
        fputs(b.data, stdout);
        buffer_done(&b);
        print_note(answer);
        return answer_print_items(c, answer, false, stdout);
}

/* What a second person is to look at: the call, its names and values on one level. */
static void print_asked(const json_t *answer) {
        const json_t *asked = json_object_get(json_array_get(json_object_get(answer, "items"), 0), "after");
        json_t *flat = json_object(), *value;
        const char *key;

        json_object_foreach((json_t *) asked, key, value)
                if (json_is_object(value))
                        json_object_update(flat, value);
                else
                        json_object_set(flat, key, value);
        if (json_object_size(flat) > 0) {
                puts("\nasked for");
                block_print(stdout, flat, NULL, NULL);
        }
        json_decref(flat);
}

void answer_print_pending(const json_t *answer) {
        const char *id = json_string_value(json_object_get(answer, "id")) ?: "", *kind = json_string_value(json_object_get(answer, "kind")) ?: "";
        const json_t *actor = json_object_get(answer, "actor"), *total = json_object_get(answer, "total");
        Buffer b = {};

        print_asked(answer);
        buffer_add_char(&b, '\n');
        text_escape_controls(&b, kind, strlen(kind));
        if (json_integer_value(total) > 1) {
                buffer_add_string(&b, " for ");
                cell_put_number(&b, json_integer_value(total));
        }
        buffer_add_string(&b, " waits until another user");
        if (json_is_object(actor)) {
                buffer_add_string(&b, " than ");
                cell_put(&b, "actor", actor);
        }
        buffer_add_string(&b, " approves it, within 24 hours:\n  tenantctl operation approve ");
        text_escape_controls(&b, id, strlen(id));
        buffer_add_string(&b, "\nNothing is changed before that; without an approval it is canceled.\n");
        fputs(b.data, stdout);
        buffer_done(&b);
}

int answer_print(Command *c, const char *json, const json_t *parsed) {
        const char *id = json_string_value(json_object_get(parsed, "id"));
        /* What there is only one of, the partner, has no id to show. */
        const char *const left_out[] = { "items", "warnings", str_empty(id) ? "id" : NULL, NULL };
        bool dry = json_is_true(json_object_get(parsed, "dry_run")), pending = answer_is_pending(parsed);
        int r = 0;

        c->put_off |= pending;
        output_begin(c, false);
        if (c->json != JSON_OFF) {
                json_out(stdout, json, strlen(json), c->json);
        } else if (dry) {
                r = print_dry_run(c, parsed);
        } else {
                block_print(stdout, parsed, NULL, left_out);
                if (pending)
                        answer_print_pending(parsed);
                else
                        r = answer_print_items(c, parsed, answer_is_operation(parsed), stdout);
        }
        int end = output_end(c, id);
        if (r == 0)
                r = end;
        if (r == 0 && dry && (json_integer_value(json_object_get(parsed, "refused")) > 0 ||
                              json_integer_value(json_object_get(parsed, "failed")) > 0))
                r = EXIT_REFUSED;
        return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "common/files.h"
#include "daemon/action/customer-action.h"
#include "daemon/store/audit-store.h"
#include "tests/action/asked.h"

/* Every string of tests/hostile.txt, and those that are no UTF-8, through every text that an action takes: refused as
 * InvalidArgument with one record, or kept; and whatever is kept is still text that a reader of JSON takes. */

typedef struct Strings {
        const char *items[1000];
        size_t n;
} Strings;

static void put_character(Buffer *b, uint32_t c) {
        if (c < 0x80) {
                buffer_add_char(b, (char) c);
        } else if (c < 0x800) {
                buffer_add_char(b, (char) (0xc0 | c >> 6));
                buffer_add_char(b, (char) (0x80 | (c & 0x3f)));
        } else {
                if (c < 0x10000) {
                        buffer_add_char(b, (char) (0xe0 | c >> 12));
                } else {
                        buffer_add_char(b, (char) (0xf0 | c >> 18));
                        buffer_add_char(b, (char) (0x80 | (c >> 12 & 0x3f)));
                }
                buffer_add_char(b, (char) (0x80 | (c >> 6 & 0x3f)));
                buffer_add_char(b, (char) (0x80 | (c & 0x3f)));
        }
}

/* One line with its escapes, see the head of the file. Returns where it stopped: at end, or at the given character. */
static const char *decode(const char *p, char end, Buffer *b) {
        while (*p && *p != '\n' && *p != end) {
                char *after = NULL;
                if (strncmp(p, "\\x", 2) == 0) {
                        const char digits[] = { p[2], p[3], 0 };
                        buffer_add_char(b, (char) strtoul(digits, NULL, 16));
                        p += 4;
                } else if (strncmp(p, "\\u{", 3) == 0) {
                        put_character(b, (uint32_t) strtoul(p + 3, &after, 16));
                        p = after + 1;
                } else if (strncmp(p, "\\repeat{", 8) == 0) {
                        Buffer part = {};
                        p = decode(p + 8, ',', &part);
                        for (unsigned long i = strtoul(p + 1, &after, 10); i > 0; i--)
                                buffer_add(b, buffer_string(&part), part.size);
                        buffer_done(&part);
                        p = after + 1;
                } else {
                        p += *p == '\\' && p[1] == '\\';
                        buffer_add_char(b, *p++);
                }
        }
        return p;
}

static void read_strings(Arena *a, Strings *ret) {
        _cleanup_(buffer_done) Buffer file = scratch_bytes(TOP_SRCDIR "/tests/hostile.txt");
        const char *p = buffer_string(&file);

        while (*p) {
                Buffer b = {};
                bool comment = strncmp(p, "# ", 2) == 0;
                p = decode(p, '\n', &b);
                /* C strings end at their NUL; the bus takes none either. Each once: the same request_id again is no new request. */
                bool again = comment || b.size == 0 || b.data[0] == 0;
                for (size_t i = 0; i < ret->n && !again; i++)
                        again = strcmp(ret->items[i], b.data) == 0;
                if (!again && ret->n < ELEMENTSOF(ret->items))
                        ret->items[ret->n++] = arena_strdup(a, b.data);
                buffer_done(&b);
                p += *p == '\n';
        }
}

static Answer ask_with(Asker *a, const ChangeRow *row, const char *id, Dict *fields, Dict *options) {
        _cleanup_(buffer_done) Buffer b = {};
        const char *const ids[] = { id };
        const Request request = { .id = id, .ids = ids, .n_ids = *id ? 1 : 0, .query = &(Dict) {}, .fields = fields, .options = options };
        Context c = asker_context(a, a->scratch->arena);
        Answer answer = {};

        turn_begin(a->scratch->db);
        answer.result = action_change(&c, row, &request, &b, &answer.problem);
        answer.end = turn_end(a->scratch->db);
        assert_int_equal(answer.end, TURN_DONE);
        answer.text = arena_strdup(a->scratch->arena, buffer_string(&b));
        return answer;
}

static void judge(const Answer *answer, const char *what, const char *text) {
        const Problem *p = &answer->problem;
        bool known = p->kind == PROBLEM_INVALID_ARGUMENT || p->kind == PROBLEM_NOT_FOUND || p->kind == PROBLEM_REFUSED || p->kind == PROBLEM_EXISTS ||
                     p->kind == PROBLEM_AMBIGUOUS || p->kind == PROBLEM_CONFLICT;
        if (answer->result < 0 || (answer->result > 0 && !known))
                fail_msg("%s \"%s\": %d %s", what, text, answer->result, p->text);
        if (answer->result > 0 && !utf8_valid(p->text, strlen(p->text)))
                fail_msg("%s \"%s\": the refusal is no text", what, text);
}

static Value string_value(const char *s) {
        return (Value) { VALUE_STRING, .string = s };
}

/* All that a caller may say with one text. */
static void say(Asker *a, const char *text, int i) {
        static const char *const fields[] = { "organization", "registered_account", "account_type", "cloud", "first_name", "last_name", "country", "phone", "data_center",
                                              "language", "time_zone", "management_mode", "notification", "deliveries.billing.profile" };
        static const char *const lists[] = { "tags", "clear", "deliveries.billing.recipients", "deliveries.service_reports.recipients" };
        static const char *const options[] = { "request_id", "on_behalf_of", "selector", "confirm" };
        const ChangeRow onboard_row = { "customer.onboard", customer_onboard, NULL }, edit_row = { "customer.edit", customer_edit, NULL };
        Arena *arena = a->scratch->arena;
        const char *one[] = { text };

        for (size_t f = 0; f < ELEMENTSOF(fields); f++) {
                Dict given = {}, none = {};
                const char *account = arena_printf(arena, "h%d-%zu@x.example", i, f);
                const struct {
                        const char *key, *value;
                } base[] = { { "organization", "x" }, { "registered_account", account }, { "first_name", "A" }, { "last_name", "B" }, { "country", "DE" } };
                for (size_t k = 0; k < ELEMENTSOF(base); k++)
                        if (strcmp(base[k].key, fields[f]) != 0)
                                dict_add(arena, &given, base[k].key, string_value(base[k].value));
                dict_add(arena, &given, fields[f], string_value(text));
                Answer answer = ask_with(a, &onboard_row, "", &given, &none);
                judge(&answer, fields[f], text);
        }
        for (size_t l = 0; l < ELEMENTSOF(lists); l++) {
                Dict given = {}, none = {};
                dict_add(arena, &given, lists[l], (Value) { VALUE_STRINGS, .strings = { one, 1 } });
                Answer answer = ask_with(a, &edit_row, "base@x.example", &given, &none);
                judge(&answer, lists[l], text);
        }
        for (size_t o = 0; o < ELEMENTSOF(options); o++) {
                Dict given = {}, option = {};
                dict_add(arena, &given, "phone", string_value("1"));
                dict_add(arena, &option, options[o], string_value(text));
                Answer answer = ask_with(a, &edit_row, strcmp(options[o], "selector") == 0 ? "" : "base@x.example", &given, &option);
                judge(&answer, options[o], text);
        }
        Dict pair = {}, custom = {}, unknown = {}, none = {};
        dict_add(arena, &pair, text, string_value(text));
        dict_add(arena, &custom, "custom", (Value) { VALUE_MAP, .map = &pair });
        dict_add(arena, &unknown, text, string_value(text));
        Answer answer = ask_with(a, &edit_row, "base@x.example", &custom, &none);
        judge(&answer, "custom", text);
        answer = ask_with(a, &edit_row, "base@x.example", &unknown, &none);
        judge(&answer, "a key", text);
        answer = ask_with(a, &edit_row, text, &none, &none);
        judge(&answer, "a name", text);
}

static void test_hostile_strings(void **state) {
        Asker *a = *state;
        Strings strings = {};
        AuditVerdict v;

        read_strings(a->scratch->arena, &strings);
        assert_true(strings.n > 100);
        onboard(a, "Base", "base@x.example");
        for (size_t i = 0; i < strings.n; i++) {
                int64_t before = count_of(a, "SELECT count(*) FROM audit");
                say(a, strings.items[i], (int) i);
                /* One record a call, but of those that only repeat a request. */
                int64_t records = count_of(a, "SELECT count(*) FROM audit") - before;
                if (records != 14 + 4 + 4 + 3)
                        fail_msg("\"%s\" left %lld records", strings.items[i], (long long) records);
        }
        run_queue(a);
        assert_int_equal(audit_verify(a->scratch->db, &v), 0);
        assert_int_equal(v.broken, 0);
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer WHERE NOT json_valid(tags) OR NOT json_valid(custom) OR NOT json_valid(contacts)"), 0);
        assert_int_equal(count_of(a, "SELECT count(*) FROM audit_value WHERE NOT json_valid(coalesce(before, '{}')) OR NOT json_valid(coalesce(after, '{}'))"), 0);
        assert_int_equal(count_of(a, "SELECT count(*) FROM request WHERE answer IS NOT NULL AND NOT json_valid(answer)"), 0);
        assert_int_equal(count_of(a, "SELECT count(*) FROM operation WHERE NOT json_valid(arguments)"), 0);
        assert_true(count_of(a, "SELECT count(*) FROM customer") > 100);
        assert_string_equal(text_of(a, "SELECT organization FROM customer WHERE n = 1"), "Base");
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_hostile_strings, asker_setup, asker_teardown) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/text.h"
#include "daemon/model/selector.h"

/* ---- what a text means, written with every parenthesis ---- */

static void show(Buffer *b, const Selector *s) {
        static const char *const operators[] = { "=", "!=", "~", "<", ">" };

        switch (s->kind) {
        case SELECTOR_TERM:
                buffer_printf(b, "%s %s", s->name, operators[s->op]);
                for (size_t i = 0; i < s->n_values; i++)
                        buffer_printf(b, " [%s]", s->values[i].text);
                break;
        case SELECTOR_NOT:
                buffer_add_string(b, "not(");
                show(b, s->children);
                buffer_add_string(b, ")");
                break;
        default:
                for (const Selector *child = s->children; child; child = child->next) {
                        buffer_printf(b, "%s", child == s->children ? "(" : s->kind == SELECTOR_AND ? " and " : " or ");
                        show(b, child);
                }
                buffer_add_string(b, ")");
        }
}

static void assert_means(const char *text, const char *wanted) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        _cleanup_(buffer_done) Buffer b = {};
        Selector *s;
        Problem problem;

        if (selector_parse(a, text, &s, &problem) != 0)
                fail_msg("%s: %s", text, problem.text);
        show(&b, s);
        assert_string_equal(b.data, wanted);
}

static void test_precedence(void **state) {
        assert_means("tag = gold and country in (DE, AT) and not status = working and organization ~ \"conto\"",
                     "(tag = [gold] and country = [DE] [AT] and not(status = [working]) and organization ~ [conto])");
        assert_means("a=1 or b=2 and c=3", "(a = [1] or (b = [2] and c = [3]))");
        assert_means("not a=1 and b=2", "(not(a = [1]) and b = [2])");
        assert_means("not (a=1 or b=2)and not not c<3", "(not((a = [1] or b = [2])) and not(not(c < [3])))");
        assert_means("((((a=1))))", "a = [1]");
}

static void test_words_and_strings(void **state) {
        assert_means("tag=größe", "tag = [größe]");
        assert_means("tag = हिन्दी", "tag = [हिन्दी]");
        assert_means("tag = 東京", "tag = [東京]");
        assert_means("account=a.b-c_d+e@x.example", "account = [a.b-c_d+e@x.example]");
        assert_means("created>2026-01-01T00:00:00+02:00", "created > [2026-01-01T00:00:00+02:00]");
        assert_means("tag = \"a \\\"b\\\" \\\\ c\"", "tag = [a \"b\" \\ c]");
        assert_means("tag = \"and\" or tag = AND", "(tag = [and] or tag = [AND])");
        assert_means("\"custom.cost center\" = \"\"", "custom.cost center = []");
        assert_means("country = IN", "country = [IN]");
        assert_means("a\t=\r\n1", "a = [1]");
        assert_means("a!=b", "a != [b]");
}

/* ---- refusals ---- */

static void assert_refused(const char *kind, const char *text, unsigned at, const char *fragment) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        char place[40];
        Selector *s;
        Problem problem = {};

        snprintf(place, sizeof(place), "at character %u: ", at);
        if (selector_read(a, dataset_find(kind), text, &s, &problem) != 1)
                fail_msg("%s: taken", text);
        assert_int_equal(problem.kind, PROBLEM_INVALID_ARGUMENT);
        assert_string_equal(problem.code, "bad-selector");
        assert_string_equal(problem.field, "selector");
        assert_true(utf8_valid(problem.text, strlen(problem.text)));
        if (!str_starts(problem.text, place) || !strstr(problem.text, fragment))
                fail_msg("%s: %s", text, problem.text);
}

static void test_grammar_refused(void **state) {
        static const struct {
                const char *text;
                unsigned at;
                const char *fragment;
        } wrong[] = {
                { "", 1, "empty" },
                { "   ", 1, "empty" },
                { "tag", 4, "expected one of = != in ~ < >, found the end" },
                { "tag =", 6, "expected a value, found the end" },
                { "tag = gold and", 15, "expected a field, not, or (" },
                { "tag = gold status = failed", 12, "expected and, or, or the end, found \"status\"" },
                { "tag = gold AND status = failed", 12, "lower case" },
                { "(tag = gold", 12, "expected and, or, or )" },
                { "tag = gold)", 11, "found )" },
                { "tag in gold", 8, "( and a list" },
                { "tag in ()", 9, "expected a value, found )" },
                { "tag in (a b)", 11, "expected , or )" },
                { "tag in (a,)", 11, "expected a value" },
                { "tag = and", 7, "reserved" },
                { "and = x", 1, "expected a field" },
                { "in = x", 1, "reserved" },
                { "tag = \"gold", 7, "no closing" },
                { "tag = \"go\\ld\"", 10, "\\ stands before" },
                { "tag = \"gold\\", 12, "\\ stands before" },
                { "ä = \"ö\" and tag = ü;", 20, "; (U+003B) cannot stand here" },
                { "tag = 'gold'", 7, "double quotes" },
                { "tag = a%", 8, "cannot stand here" },
                { "tag ! gold", 5, "cannot stand here" },
                { "tag == gold", 6, "expected a value, found =" },
                { "größe\xff = 1", 6, "byte 0xff is no UTF-8" },
                { "a = \xe2\x80\xae", 5, "U+202E" },
        };
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_refused("customers", wrong[i].text, wrong[i].at, wrong[i].fragment);
}

static void test_fields_refused(void **state) {
        static const struct {
                const char *kind, *text;
                unsigned at;
                const char *fragment;
        } wrong[] = {
                { "customers", "tag = a and contry = DE", 13, "did you mean country?" },
                { "customers", "\"\" = DE", 1, "no field \"\"" },
                { "customers", "zzzzzz = DE", 1, "customers have no field \"zzzzzz\"" },
                { "customers", "custom = x", 1, "custom.NAME" },
                { "customers", "custom. = x", 1, "no field" },
                { "customers", "symbol = x", 1, "cannot be compared" },
                { "customers", "customer.country = DE", 1, "no field" },
                { "customers", "state = gone", 9, "it is invited, active or disconnecting" },
                { "customers", "subscription in (active, dead)", 26, "trial, active, expiring" },
                { "customers", "status ~ fail", 1, "takes =, != and in, not ~" },
                { "customers", "tag < a", 1, "takes =, !=, in and ~, not <" },
                { "customers", "tenants ~ 1", 1, "not ~" },
                { "customers", "tenants = -1", 11, "whole number" },
                { "customers", "tenants = 9223372036854775808", 11, "whole number" },
                { "customers", "tenants = 1e3", 11, "whole number" },
                { "customers", "open-tickets = maybe", 16, "yes or no" },
                { "customers", "open-tickets > yes", 1, "not >" },
                { "customers", "open_tickets = yes", 16, "whole number" },
                { "customers", "pinned = 1", 10, "yes or no" },
                { "customers", "created > yesterday", 11, "2026-12-01T12:00:00Z" },
                { "customers", "created > 2026-02-30", 11, "a date like" },
                { "customers", "id = abc", 6, "32 hexadecimal digits" },
                { "customers", "country = UK", 11, "GB" },
                { "customers", "country in (DE, XX)", 17, "XX" },
                { "audit", "tag = gold", 1, "audit have no field" },
                { "items", "customer.contry = DE", 1, "did you mean customer.country?" },
                { "items", "outcome = bad", 11, "pending, running, ok" },
        };
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_refused(wrong[i].kind, wrong[i].text, wrong[i].at, wrong[i].fragment);
}

static void test_candidates(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem problem;
        Selector *s;

        assert_int_equal(selector_read(a, dataset_find("customers"), "statuss = failed", &s, &problem), 1);
        assert_string_equal(problem.candidates[0], "status");
        assert_int_equal(selector_read(a, dataset_find("customers"), "status = fialed", &s, &problem), 1);
        assert_string_equal(problem.candidates[0], "failed");
        assert_int_equal(problem.n_candidates, 7);
}

/* ---- limits ---- */

static char *repeated(Arena *a, const char *first, const char *each, size_t n, const char *last) {
        Buffer b = {};
        buffer_add_string(&b, first);
        for (size_t i = 0; i < n; i++)
                buffer_add_string(&b, each);
        buffer_add_string(&b, last);
        char *s = arena_strdup(a, b.data);
        buffer_done(&b);
        return s;
}

static int parse(Arena *a, const char *text) {
        Selector *s;
        Problem problem;
        return selector_read(a, dataset_find("customers"), text, &s, &problem);
}

static void test_limits(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();

        assert_int_equal(parse(a, repeated(a, "tag=a", " and tag=a", 63, "")), 0);
        assert_int_equal(parse(a, repeated(a, "tag=a", " and tag=a", 64, "")), 1);
        assert_int_equal(parse(a, repeated(a, "tag=a", " or tag=a", 64, "")), 1);
        assert_int_equal(parse(a, repeated(a, "", "not ", 16, "tag=a")), 0);
        assert_int_equal(parse(a, repeated(a, "", "not ", 17, "tag=a")), 1);
        assert_int_equal(parse(a, repeated(a, repeated(a, "", "(", 16, "tag=a"), ")", 16, "")), 0);
        assert_int_equal(parse(a, repeated(a, repeated(a, "", "(", 17, "tag=a"), ")", 17, "")), 1);
        assert_int_equal(parse(a, repeated(a, "", "(", 30000, "")), 1);
        assert_int_equal(parse(a, repeated(a, "tag in (a", ",a", 999, ")")), 0);
        assert_int_equal(parse(a, repeated(a, "tag in (a", ",a", 1000, ")")), 1);
        assert_int_equal(parse(a, repeated(a, "tag = \"", "x", 70000, "\"")), 1);
        /* Nested depth that was left does not count. */
        assert_int_equal(parse(a, repeated(a, "tag=a", " and not (tag=b)", 60, "")), 0);
}

/* Many strings in a long text cost no more than the text. */
static void test_memory_is_linear(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        assert_int_equal(parse(a, repeated(a, "tag in (\"0123456789012345678901234567890123456789\"", ",\"0123456789012345678901234567890123456789\"", 999, ")")), 0);
        assert_true(arena_size(a) < 2 << 20);
}

static void test_values(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Selector *s;
        Problem problem;

        /* What is equal is one value. */
        assert_int_equal(selector_read(a, dataset_find("customers"), "country in (de, DE, At)", &s, &problem), 0);
        assert_int_equal(s->n_values, 2);
        assert_string_equal(s->values[0].exact, "AT");
        /* NFC before the comparison; addresses by their key. */
        assert_int_equal(selector_read(a, dataset_find("customers"), "tag = \"Mu\xcc\x88ller\"", &s, &problem), 0);
        assert_string_equal(s->values[0].exact, "Müller");
        assert_string_equal(s->values[0].key, "muller");
        assert_int_equal(selector_read(a, dataset_find("customers"), "account = ADMIN@X.Example", &s, &problem), 0);
        assert_string_equal(s->values[0].exact, "admin@x.example");
        /* A date is a day, a time a second. */
        assert_int_equal(selector_read(a, dataset_find("customers"), "created in (2026-01-01, 2026-01-01T00:00:00Z)", &s, &problem), 0);
        assert_int_equal(s->values[1].end - s->values[1].number, USEC_DAY);
        assert_int_equal(s->values[0].end - s->values[0].number, USEC_SEC);
}

static void test_quote(void **state) {
        _cleanup_(buffer_done) Buffer b = {};

        buffer_add_string(&b, "tag = ");
        selector_quote(&b, "a \"b\" \\ and c = d");
        assert_means(b.data, "tag = [a \"b\" \\ and c = d]");
}

static void test_datasets(void **state) {
        static const char *const kinds[] = { "customers", "views", "operations", "items", "tasks", "reports", "audit" };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                const Dataset *d = dataset_find(kinds[i]);
                assert_non_null(d);
                const char *sort = d->default_sort + (d->default_sort[0] == '-');
                assert_true(dataset_column(d, sort)->flags & C_INDEXED);
                for (const char *const *name = d->list_columns; *name; name++)
                        assert_non_null(dataset_column(d, *name));
                for (const char *const *name = d->export_columns; name && *name; name++)
                        assert_true(dataset_column(d, *name)->flags & C_EXPORT);
                for (const Column *c = d->columns; c->name; c++)
                        assert_ptr_equal(dataset_column(d, c->name), c);     /* no name twice */
        }
        assert_null(dataset_find("customer"));
        assert_null(dataset_column(dataset_find("customers"), "tag"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_precedence),      cmocka_unit_test(test_words_and_strings),
                cmocka_unit_test(test_grammar_refused), cmocka_unit_test(test_fields_refused),
                cmocka_unit_test(test_candidates),      cmocka_unit_test(test_limits),
                cmocka_unit_test(test_memory_is_linear), cmocka_unit_test(test_values),
                cmocka_unit_test(test_quote),           cmocka_unit_test(test_datasets),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

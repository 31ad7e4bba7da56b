/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/text.h"
#include "daemon/model/address.h"

#define A60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void assert_kept(const char *text, const char *expected) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem p = {};

        if (address_check(a, "registered_account", &text, &p) != 0)
                fail_msg("refused: %s", p.text);
        assert_string_equal(text, expected);
}

static void assert_refused(const char *text) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem p = {};

        if (address_check(a, "registered_account", &text, &p) != 1)
                fail_msg("taken: %s", text);
        assert_int_equal(p.kind, PROBLEM_INVALID_ARGUMENT);
        assert_string_equal(p.code, "bad-address");
        assert_string_equal(p.field, "registered_account");
        assert_true(utf8_valid(p.text, strlen(p.text)));
}

static void assert_same(const char *one, const char *other, bool same) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        assert_int_equal(strcmp(address_key(a, one), address_key(a, other)) == 0, same);
}

static void test_taken(void **state) {
        static const char *const good[] = {
                "admin@contoso.example", "Ada.Example+x@Contoso.Example", "o'brien@x.example", "=1+1@x.example",
                "a@b.co", "a@1.example", "!#$%&'*+-/=?^_`{|}~@x.example", "\"a;b\"@x.example", "\"a@b\"@x.example",
                "\"a\\\"b\"@x.example", "jürgen@müller.example", "用户@例子.example", "x@xn--mller-kva.example",
                "a@r3---sn.example", "пример@пример.испытание", A60 "aaaa@x.example", "a@" A60 "aaa.example",
        };
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_kept(good[i], good[i]);
        assert_kept("  Admin@Contoso.example ", "Admin@Contoso.example");
        assert_kept("mu\u0308ller@x.example", "müller@x.example");
}

static void test_refused(void **state) {
        static const char *const bad[] = {
                "", " ", "admin", "@x.example", "admin@", "admin@localhost", "a@@x.example", "a@b@x.example",
                "a b@x.example", "a@x .example", "a@x..example", "a@.example", "a@x.example.", "a@-x.example",
                "a@x-.example", "a@x_y.example", ".a@x.example", "a.@x.example", "a..b@x.example", "a@[127.0.0.1]",
                "a@127.0.0.1", "Ada <a@x.example>", "<a@x.example>", "a@x.example,b@x.example", "a;b@x.example",
                "a@x.example\nBcc: b@x.example", "a\t@x.example", "a\x01@x.example", "a\u200b@x.example",
                "a@x\u200b.example", "a\u00ad@x.example", "a@x.exa\u200dmple", "a\u202e@x.example", "a\u00a0b@x.example",
                "a@x\u2024.example", "\"a b\"@x.example", "\"a\"b@x.example", "\"@x.example", "\"\"@x.example",
                "a@💩.example", "a@x.\u0301example", "a@xn--.example", "a@xn--ü.example", "a\xff@x.example",
                "a@x\xc0\xae.example", "a\ufdd0@x.example", "a@\uff20.example", "a@x\u2100.example", "(c)a@x.example",
                A60 "aaaaa@x.example", "a@" A60 "aaaa.example", "a@müller", "a@ü" A60 ".example",
                "a@" A60 "." A60 "." A60 "." A60 "." A60 ".example",
        };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_refused(bad[i]);
}

static void test_refused_when_huge(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        char *huge = arena_alloc(a, 70000 + 20);

        memset(huge, 'A', 70000);
        strcpy(huge + 70000, "@x.example");
        assert_refused(huge);
        memset(huge, 0xcc, 70000);
        assert_refused(huge);
}

static void test_problem_tells_where(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *text = "jü\u200bx@x.example";
        Problem p = {};

        assert_int_equal(address_check(a, "account", &text, &p), 1);
        assert_non_null(strstr(p.text, "U+200B"));
        assert_non_null(strstr(p.text, "character 3"));
}

static void test_keys(void **state) {
        assert_same("admin@contoso.example", "ADMIN@Contoso.EXAMPLE", true);
        assert_same("jürgen@müller.example", "JÜRGEN@xn--mller-kva.EXAMPLE", true);
        assert_same("a@MÜLLER.example", "a@mu\u0308ller.example", true);
        assert_same("weiß@x.example", "WEISS@x.example", true);
        assert_same("a@straße.example", "a@strasse.example", false);
        assert_same("muller@x.example", "müller@x.example", false);
        assert_same("a@ｘ.example", "a@x.example", true);
        assert_same("a@x。example", "a@x.example", true);
        assert_same("\"admin\"@x.example", "admin@x.example", true);
        assert_same("\"ad;min\"@x.example", "\"AD;MIN\"@x.example", true);
        assert_same("a@İ.example", "a@i.example", false);
        assert_same("a@x.example", "a@y.example", false);
        assert_same("no address", "NO address", true);

        _cleanup_(arena_freep) Arena *a = arena_new();
        assert_string_equal(address_key(a, "Ü@Bücher.Example"), "ü@xn--bcher-kva.example");
        assert_string_equal(domain_key(a, "Пример.Испытание"), "xn--e1afmkfd.xn--80akhbyknj4f");
        assert_string_equal(domain_key(a, "x.例子"), "x.xn--fsqu00a");
        assert_null(domain_key(a, "localhost"));
}

static int list(Arena *a, const char *text, size_t max, char **ret, Problem *p) {
        const char **items = NULL;
        size_t n = 0;
        Buffer b = {};

        int r = address_list_check(a, "recipients", &text, 1, max, &items, &n, p);
        for (size_t i = 0; r == 0 && i < n; i++)
                buffer_printf(&b, "%s%s", i ? " " : "", items[i]);
        *ret = arena_strdup(a, buffer_string(&b));
        buffer_done(&b);
        return r;
}

static void assert_list(const char *text, const char *expected) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem p = {};
        char *got;

        if (list(a, text, 100, &got, &p) != 0)
                fail_msg("refused: %s", p.text);
        assert_string_equal(got, expected);
}

static void assert_list_refused(const char *text, size_t max, ProblemKind kind, const char *part) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem p = {};
        char *got;

        assert_int_equal(list(a, text, max, &got, &p), 1);
        assert_int_equal(p.kind, kind);
        assert_string_equal(p.field, "recipients");
        assert_non_null(strstr(p.text, part));
}

static void test_lists(void **state) {
        assert_list("a@x.example;b@y.example", "a@x.example b@y.example");
        assert_list("a@x.example, b@y.example ,", "a@x.example b@y.example");
        assert_list(";;a@x.example;,; ;", "a@x.example");
        assert_list("", "");
        assert_list("Ada Example <a@x.example>;<b@y.example>", "a@x.example b@y.example");
        assert_list("\"Example, Ada; the <first>\" <a@x.example>, b@y.example", "a@x.example b@y.example");
        assert_list("\"a;b\"@x.example,c@x.example", "\"a;b\"@x.example c@x.example");
        assert_list("\"Ada \\\" Example\" <a@x.example>", "a@x.example");
        assert_list("B@x.example;a@x.example;b@X.example;A@x.example", "B@x.example a@x.example");
        assert_list("a@müller.example;a@xn--mller-kva.example", "a@müller.example");
        assert_list("a@x.example\r\n;\r\nb@x.example", "a@x.example b@x.example");
}

static void test_list_refusals(void **state) {
        assert_list_refused("a@x.example;nobody", 9, PROBLEM_INVALID_ARGUMENT, "'nobody'");
        assert_list_refused("a@x.example b@x.example", 9, PROBLEM_INVALID_ARGUMENT, "blank");
        assert_list_refused("\"a@x.example;b@x.example", 9, PROBLEM_INVALID_ARGUMENT, "quote");
        assert_list_refused("Ada <a@x.example", 9, PROBLEM_INVALID_ARGUMENT, "missing");
        assert_list_refused("Ada <a@x.example> x", 9, PROBLEM_INVALID_ARGUMENT, "missing");
        assert_list_refused("Ada <>", 9, PROBLEM_INVALID_ARGUMENT, "empty");
        assert_list_refused("a@x.example\nBcc: b@x.example", 9, PROBLEM_INVALID_ARGUMENT, "character 12");
        assert_list_refused("a@x.example;\xff", 9, PROBLEM_INVALID_ARGUMENT, "UTF-8");
        assert_list_refused("a@x.example;b@x.example;c@x.example", 2, PROBLEM_LIMIT_EXCEEDED, "2");
        assert_list_refused("a@x.example", 0, PROBLEM_LIMIT_EXCEEDED, "0");
}

static void test_many(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *texts[500], **items;
        Problem p = {};
        size_t n;

        for (int i = 0; i < 500; i++)
                texts[i] = arena_printf(a, "user%d@x.example; USER%d@x.example", i * 7 % 500, i);
        assert_int_equal(address_list_check(a, "to", texts, 500, 500, &items, &n, &p), 0);
        assert_int_equal(n, 500);
        assert_string_equal(items[0], "user0@x.example");
        assert_string_equal(items[1], "user7@x.example");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_taken),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_refused_when_huge),
                cmocka_unit_test(test_problem_tells_where),
                cmocka_unit_test(test_keys),
                cmocka_unit_test(test_lists),
                cmocka_unit_test(test_list_refusals),
                cmocka_unit_test(test_many),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

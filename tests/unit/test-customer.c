/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "daemon/model/customer.h"

static int zone_known(void *userdata, const char *field, const char *name, Problem *ret) {
        return strcmp(name, "Europe/Berlin") == 0 ? 0 : problem_set(ret, PROBLEM_INVALID_ARGUMENT, "unknown-zone", field, "no zone");
}

static const CustomerRules rules = { .zone_check = zone_known };

static Value text(const char *s) {
        return (Value) { VALUE_STRING, .string = s };
}

static Value texts(Arena *a, size_t n, const char *const *items) {
        const char **copy = arena_alloc(a, (n + 1) * sizeof(*copy));
        for (size_t i = 0; i < n; i++)
                copy[i] = items[i];
        return (Value) { VALUE_STRINGS, .strings = { copy, n } };
}
#define TEXTS(a, ...) texts(a, ELEMENTSOF(((const char *const[]) { __VA_ARGS__ })), (const char *const[]) { __VA_ARGS__ })

/* Pairs of a name and a value, ended by NULL. */
static Dict *pairs(Arena *a, const char *const *items) {
        Dict *d = arena_alloc(a, sizeof(*d));
        for (; *items; items += 2)
                dict_add(a, d, items[0], text(items[1]));
        return d;
}
#define PAIRS(a, ...) pairs(a, (const char *const[]) { __VA_ARGS__, NULL })

static Customer *whole(Arena *a) {
        Customer *c = customer_new(a);
        Problem problem = {};
        assert_int_equal(customer_apply(a, &rules, c, PAIRS(a, "organization", "One", "registered_account", "a@x.example",
                                                            "first_name", "Ada", "last_name", "Example", "country", "de"), true, &problem), 0);
        assert_int_equal(customer_check(c, &problem), 0);
        return c;
}

/* "" if the value passes, else "code field". */
static const char *applied(Arena *a, Customer *c, const char *key, Value v, bool at_creation) {
        Problem problem = {};
        Dict d = {};
        dict_add(a, &d, key, v);
        int r = customer_apply(a, &rules, c, &d, at_creation, &problem);
        assert_true(r == 0 || r == 1);
        if (r == 0)
                return "";
        assert_int_equal(problem.kind, PROBLEM_INVALID_ARGUMENT);
        return arena_printf(a, "%s %s", problem.code, problem.field);
}

static const char *refused(const Customer *c) {
        static Problem problem;
        problem = (Problem) {};
        return customer_check(c, &problem) == 0 ? "" : problem.field;
}

static void test_values_are_normalised_and_keys_made(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Customer *c = whole(a);
        assert_string_equal(c->country, "DE");
        assert_string_equal(applied(a, c, "organization", text("  Mu\xcc\x88ller "), false), "");
        assert_string_equal(c->organization, "M\xc3\xbcller");
        assert_string_equal(c->organization_key, "muller");
        assert_string_equal(applied(a, c, "registered_account", text("Ada@X.Example"), false), "");
        assert_string_equal(c->registered_account, "Ada@X.Example");
        assert_string_equal(c->account_key, "ada@x.example");
}

static void test_wrong_values_name_their_field(void **state) {
        static const struct {
                const char *key, *value, *field;
        } cases[] = {
                { "organization", "", "organization" },         { "organization", "a\nb", "organization" },
                { "organization", " \t ", "organization" },     { "registered_account", "nobody", "registered_account" },
                { "country", "UK", "country" },                 { "country", "Germany", "country" },
                { "language", "d", "language" },                { "language", "de_DE", "language" },
                { "language", "de-", "language" },              { "time_zone", "Europe/Atlantis", "time_zone" },
                { "cloud", "blue", "cloud" },                   { "management_mode", "", "management_mode" },
                { "phone", "", "phone" },                       { "account_type", "LOCAL", "account_type" },
        };
        _cleanup_(arena_freep) Arena *a = arena_new();
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *got = applied(a, whole(a), cases[i].key, text(cases[i].value), true), *field = strchr(got, ' ');
                if (!field || strcmp(field + 1, cases[i].field) != 0)
                        fail_msg("%s = \"%s\": \"%s\"", cases[i].key, cases[i].value, got);
        }
}

static void test_a_value_of_another_type_is_refused_by_name(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Value number = { VALUE_INT, .integer = 5 };
        for (const Field *f = customer_fields; f->name; f++)
                assert_non_null(strstr(applied(a, whole(a), f->name, number, true), f->name));
        static const char *const lists[] = { "tags", "contacts", "custom", "deliveries.billing.recipients" };
        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                assert_non_null(strstr(applied(a, whole(a), lists[i], number, true), lists[i]));
}

static void test_unknown_keys_are_refused_and_nothing_is_written_by_halves(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Customer *c = whole(a);
        assert_non_null(strstr(applied(a, c, "organisation", text("Two"), false), "organisation"));
        assert_string_equal(c->organization, "One");
}

static void test_the_kind_is_given_at_creation_only(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Customer *c = whole(a);
        assert_string_equal(applied(a, c, "account_type", text("m365"), false), "not-editable account_type");
        assert_string_equal(applied(a, c, "account_type", text("m365"), true), "");
        assert_int_equal(c->account_type, ACCOUNT_M365);
}

static void test_an_account_that_changes_is_no_longer_verified(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Customer *c = whole(a);
        c->account_verified = true;
        assert_string_equal(applied(a, c, "registered_account", text("A@X.EXAMPLE"), false), "");
        assert_true(c->account_verified);
        assert_string_equal(applied(a, c, "registered_account", text("b@x.example"), false), "");
        assert_false(c->account_verified);
}

static void test_tags(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Customer *c = whole(a);
        assert_string_equal(applied(a, c, "tags", TEXTS(a, "silver", " gold ", "GOLD", "M\xc3\xbcnchen", "munchen"), false), "");
        assert_string_equal(c->tags, "[\"M\xc3\xbcnchen\",\"gold\",\"silver\"]");
        assert_string_equal(applied(a, c, "tags", TEXTS(a, "a,b"), false), "bad-tag tags");
        assert_string_equal(applied(a, c, "tags", TEXTS(a, "a;b"), false), "bad-tag tags");
        assert_non_null(strstr(applied(a, c, "tags", TEXTS(a, ""), false), "tags"));
        const char *many[TAGS_MAX + 1];
        for (size_t i = 0; i < ELEMENTSOF(many); i++)
                many[i] = arena_printf(a, "tag %zu", i);
        assert_string_equal(applied(a, c, "tags", texts(a, TAGS_MAX, many), false), "");
        assert_string_equal(applied(a, c, "tags", texts(a, TAGS_MAX + 1, many), false), "too-many tags");
        assert_string_equal(applied(a, c, "tags", texts(a, 0, NULL), false), "");
        assert_string_equal(c->tags, "[]");
}

static void test_pairs(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Customer *c = whole(a);
        Value v = { VALUE_MAP, .map = PAIRS(a, "site", "north", "floor", "") };
        assert_string_equal(applied(a, c, "custom", v, false), "");
        assert_string_equal(c->custom, "{\"floor\":\"\",\"site\":\"north\"}");
        /* One name in two spellings of Unicode. */
        v.map = PAIRS(a, "u\xcc\x88", "1", "\xc3\xbc", "2");
        assert_string_equal(applied(a, c, "custom", v, false), "twice custom");
        Dict many = {};
        for (size_t i = 0; i <= CUSTOM_MAX; i++)
                dict_add(a, &many, arena_printf(a, "n%zu", i), text("v"));
        v.map = &many;
        assert_string_equal(applied(a, c, "custom", v, false), "too-many custom");
}

static void test_contacts(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Customer *c = whole(a);
        Value v = { VALUE_MAPS, .maps = { PAIRS(a, "name", "Ada", "address", "a@x.example", "role", "billing"), 1 } };
        assert_string_equal(applied(a, c, "contacts", v, false), "");
        assert_string_equal(c->contacts, "[{\"name\":\"Ada\",\"address\":\"a@x.example\",\"language\":null,\"role\":\"billing\"}]");
        static const char *const wrong[][5] = { { "name", "Ada" }, { "address", "a@x.example", "role", "boss" },
                                                { "address", "nobody", "role", "billing" }, { "role", "billing" } };
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                v.maps.items = pairs(a, wrong[i]);
                assert_non_null(strstr(applied(a, c, "contacts", v, false), "contacts"));
        }
}

static void test_recipients(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Customer *c = whole(a);
        assert_string_equal(applied(a, c, "deliveries.billing.recipients", TEXTS(a, "a@x.example", "A@x.example", "Bo <b@x.example>"), false), "");
        assert_string_equal(c->billing_recipients, "[\"a@x.example\",\"b@x.example\"]");
        assert_non_null(strstr(applied(a, c, "deliveries.billing.recipients", TEXTS(a, "nobody"), false), "deliveries.billing.recipients"));
}

static void test_clearing(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Customer *c = whole(a);
        assert_string_equal(applied(a, c, "phone", text("1"), false), "");
        assert_string_equal(applied(a, c, "clear", TEXTS(a, "phone", "tags"), false), "");
        assert_null(c->phone);
        assert_string_equal(applied(a, c, "clear", TEXTS(a, "organization"), false), "cannot-clear organization");
        assert_non_null(strstr(applied(a, c, "clear", TEXTS(a, "fone"), false), "unknown-field"));
        Problem problem = {};
        Dict both = {};
        dict_add(a, &both, "phone", text("2"));
        dict_add(a, &both, "clear", TEXTS(a, "phone"));
        assert_int_equal(customer_apply(a, &rules, c, &both, false, &problem), 1);
        assert_string_equal(problem.code, "set-and-cleared");
        assert_string_equal(applied(a, c, "clear", TEXTS(a, "registered_account"), false), "");
        assert_null(c->account_key);
        assert_string_equal(refused(c), "registered_account");
}

static void test_what_a_whole_customer_needs(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        static const char *const needed[] = { "registered_account", "first_name", "last_name", "country" };
        for (size_t i = 0; i < ELEMENTSOF(needed); i++) {
                Customer *c = whole(a);
                assert_string_equal(applied(a, c, "clear", texts(a, 1, &needed[i]), false), "");
                assert_string_equal(refused(c), needed[i]);
                c->account_type = ACCOUNT_M365;
                assert_string_equal(refused(c), "");
        }
        Customer *c = whole(a);
        c->cloud = 0;
        assert_string_equal(refused(c), "cloud");
        c->account_type = ACCOUNT_M365_GOV;
        assert_string_equal(refused(c), "");
        assert_string_equal(refused(customer_new(a)), "organization");
}

static void test_deliveries_need_someone_who_gets_them(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Customer *c = whole(a);
        c->billing_enabled = true;
        assert_string_equal(refused(c), "deliveries.billing.recipients");
        c->billing_recipients = "[\"a@x.example\"]";
        assert_string_equal(refused(c), "deliveries.billing.profile");
        c->billing_profile = "standard";
        assert_string_equal(refused(c), "");
        c->service_reports_enabled = true;
        assert_string_equal(refused(c), "deliveries.service_reports.recipients");
}

static void assert_difference(const Customer *old, const Customer *new, const char *before, const char *after) {
        Buffer x = {}, y = {};
        customer_difference(old, new, &x, &y);
        assert_string_equal(buffer_string(&x), before);
        assert_string_equal(buffer_string(&y), after);
        buffer_done(&x);
        buffer_done(&y);
        assert_int_equal(customer_equal(old, new), strcmp(before, "{}") == 0);
}

static void test_differences_name_what_changed_and_nothing_else(void **state) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Customer *old = whole(a), *new = arena_alloc(a, sizeof(*new));
        *new = *old;
        assert_difference(old, new, "{}", "{}");
        new->revision++;
        assert_difference(old, new, "{}", "{}");
        new->country = "AT";
        new->phone = "1";
        assert_difference(old, new, "{\"country\":\"DE\",\"phone\":null}", "{\"country\":\"AT\",\"phone\":\"1\"}");
        *new = *old;
        new->tags = "[\"gold\"]";
        new->billing_enabled = true;
        assert_difference(old, new, "{\"deliveries.billing.enabled\":false,\"tags\":[]}", "{\"deliveries.billing.enabled\":true,\"tags\":[\"gold\"]}");
        *new = *old;
        new->symbol = "{\"type\":\"png\"}";
        new->state = CUSTOMER_DISCONNECTING;
        assert_difference(old, new, "{\"symbol\":null,\"state\":\"active\"}", "{\"symbol\":{\"type\":\"png\"},\"state\":\"disconnecting\"}");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values_are_normalised_and_keys_made),
                cmocka_unit_test(test_wrong_values_name_their_field),
                cmocka_unit_test(test_a_value_of_another_type_is_refused_by_name),
                cmocka_unit_test(test_unknown_keys_are_refused_and_nothing_is_written_by_halves),
                cmocka_unit_test(test_the_kind_is_given_at_creation_only),
                cmocka_unit_test(test_an_account_that_changes_is_no_longer_verified),
                cmocka_unit_test(test_tags), cmocka_unit_test(test_pairs), cmocka_unit_test(test_contacts),
                cmocka_unit_test(test_recipients), cmocka_unit_test(test_clearing),
                cmocka_unit_test(test_what_a_whole_customer_needs),
                cmocka_unit_test(test_deliveries_need_someone_who_gets_them),
                cmocka_unit_test(test_differences_name_what_changed_and_nothing_else),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

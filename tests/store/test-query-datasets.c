/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/random.h"
#include "common/text.h"
#include "daemon/store/query.h"
#include "tests/store/rows.h"

/* Views, operations and their items, tasks, reports and the audit; and what a scope leaves of each. */

enum { ROWS = 30, OTHER_UID = 2000 };

static const Row *row_of(Rows *r, size_t i) {
        return &r->rows[i];
}

static int run_one(Rows *r, const char *sql) {
        return sqlite3_exec(db_handle(r->db), sql, NULL, NULL, NULL);
}

/* Two of everything: the first belongs to customer 1 or TEST_UID, the second to customer 2 or to another user. */
static int setup(void **state) {
        Rows *r = rows_new(ROWS);
        static const char *const statements[] = {
                "INSERT INTO view(n, id, revision, name, name_key, selector, columns, sort, owner, created) VALUES"
                " (1, randomblob(16), 1, 'Zoo', 'zoo', '', '[]', NULL, 0, 1), (2, randomblob(16), 4, 'Ärger', 'arger', 'tag = gold', '[\"id\"]',"
                " '-created', 1000, 2)",
                "INSERT INTO operation(n, id, kind, state, done, total, uid, user, behalf, created, finished, format, arguments) VALUES"
                " (1, x'000102030405060708090a0b0c0d0e0f', 'customer.edit', 'finished', 3, 3, 1000, 'ada', NULL, 1796117400000000, 1796117401000000, 1, '{}'),"
                " (2, randomblob(16), 'customer.import', 'running', 1, 9, 2000, 'bob \"b\"', 'c', 1796117402000000, NULL, 1, '{}')",
                "INSERT INTO operation_item(operation, n, line, customer, customer_id, organization, before, after, outcome, reason, message, finished)"
                " VALUES (1, 1, NULL, 1, (SELECT id FROM customer WHERE n = 1), 'One', '{\"country\":\"DE\"}', '{\"country\":\"AT\"}', 'ok', NULL, NULL, 5),"
                " (1, 2, NULL, 2, (SELECT id FROM customer WHERE n = 2), 'Two', NULL, NULL, 'refused', 'exists', 'it exists', 6),"
                " (1, 3, 7, NULL, NULL, NULL, NULL, NULL, 'failed', 'missing', NULL, 7), (2, 1, 1, 1, NULL, 'One', NULL, NULL, 'ok', NULL, NULL, 8)",
                "INSERT INTO task(n, id, kind, state, lane, due, created, operation, owner, format, arguments, error) VALUES"
                " (1, randomblob(16), 'export', 'queued', 'people', 100, 30, NULL, 1000, 1, '{}', NULL),"
                " (2, randomblob(16), 'import', 'failed', 'sweeps', 50, 20, 1, 2000, 1, '{}', 'no space')",
                "INSERT INTO report(n, id, kind, format, file_name, path, rows, bytes, sha256, data_date, created, customer, owner) VALUES"
                " (1, randomblob(16), 'customers', 'xlsx', 'c.xlsx', 'x', 5, 77, x'00ff', '2026-12-01', 10, 1, 1000),"
                " (2, randomblob(16), 'monthly', 'pdf', 'm.pdf', 'y', 6, 78, x'0a', '2026-12-02', 20, NULL, 2000)",
                "INSERT INTO audit(n, format, time, uid, user, behalf, verb, object, outcome, code, request_id, digest, chain) VALUES"
                " (1, 1, 1000000, 1000, 'ada', NULL, 'customer.edit', (SELECT lower(hex(id)) FROM customer WHERE n = 1), 'ok', NULL, 'r1', x'', x'beef'),"
                " (2, 1, 3000000, 2000, 'bob', 'carol', 'customer.edit', (SELECT lower(hex(id)) FROM customer WHERE n = 2), 'refused', 'stale', NULL, x'', x'00'),"
                " (3, 1, 2000000, 0, 'system', NULL, 'admin.backup', NULL, 'ok', NULL, NULL, x'', x'01')",
                "INSERT INTO audit_value(audit, customer, salt, before, after) VALUES (1, 1, x'', '{\"country\":\"DE\"}', '{\"country\":\"AT\"}'),"
                " (2, 2, x'', NULL, NULL)",
        };
        for (size_t i = 0; i < ELEMENTSOF(statements); i++)
                if (run_one(r, statements[i]) != SQLITE_OK)
                        fail_msg("%s: %s", statements[i], sqlite3_errmsg(db_handle(r->db)));
        *state = r;
        return 0;
}

static int teardown(void **state) {
        rows_free(*state);
        return 0;
}

static char *answer(Rows *r, const QueryRequest *request) {
        Problem problem;
        Query *q;
        Buffer b = {};

        if (query_compile(r->arena, request, &q, &problem) != 0)
                fail_msg("%s: %s", request->selector, problem.text);
        assert_int_equal(query_run(r->db, q, QUERY_ROWS, &b, NULL), 0);
        char *s = arena_strdup(r->arena, buffer_string(&b));
        buffer_done(&b);
        return s;
}

/* One column of the rows, one a line. */
static void assert_column(Rows *r, const char *kind, const char *column, const char *selector, const char *sort, const char *wanted) {
        const QueryRequest request = {
                .dataset = dataset_find(kind), .columns = &column, .n_columns = 1, .selector = selector, .sort = sort, .uid = TEST_UID, .parent = 1,
        };
        const char *got = answer(r, &request);
        if (strcmp(got, wanted) != 0)
                fail_msg("%s, selector %s, sort %s: %s", kind, selector ?: "none", sort ?: "none", got);
}

/* Each kind as it is shown, whole. */
static void assert_whole(Rows *r, const char *kind, const char *selector, const char *wanted) {
        const QueryRequest request = { .dataset = dataset_find(kind), .selector = selector, .uid = TEST_UID, .parent = 1 };
        assert_string_equal(answer(r, &request), wanted);
}

static void test_views(void **state) {
        Rows *r = *state;

        assert_column(r, "views", "name", NULL, NULL, "[\"Ärger\"]\n[\"Zoo\"]\n");
        assert_column(r, "views", "name", NULL, "-name", "[\"Zoo\"]\n[\"Ärger\"]\n");
        assert_column(r, "views", "selector", "name = Zoo", NULL, "[null]\n");
        assert_column(r, "views", "columns", "name ~ ARGER and owner = 1000", NULL, "[[\"id\"]]\n");
        assert_column(r, "views", "name", NULL, "sort", "[\"Ärger\"]\n[\"Zoo\"]\n");
        assert_column(r, "views", "name", NULL, "-sort", "[\"Zoo\"]\n[\"Ärger\"]\n");
}

static void test_operations(void **state) {
        Rows *r = *state;

        assert_whole(r, "operations", "state = finished",
                     "[\"000102030405060708090a0b0c0d0e0f\",\"customer.edit\",\"finished\",3,3,0,0,0,0,"
                     "{\"uid\":1000,\"name\":\"ada\",\"on_behalf_of\":null},\"2026-12-01T09:30:00Z\",\"2026-12-01T09:30:01Z\"]\n");
        assert_column(r, "operations", "kind", NULL, NULL, "[\"customer.import\"]\n[\"customer.edit\"]\n");
        assert_column(r, "operations", "actor", "actor ~ BOB", NULL, "[{\"uid\":2000,\"name\":\"bob \\\"b\\\"\",\"on_behalf_of\":\"c\"}]\n");
        assert_column(r, "operations", "kind", "state != finished", NULL, "[\"customer.import\"]\n");
        assert_column(r, "operations", "kind", "state in (running, finished)", "created", "[\"customer.edit\"]\n[\"customer.import\"]\n");
        assert_column(r, "operations", "kind", "id = 000102030405060708090A0B0C0D0E0F", NULL, "[\"customer.edit\"]\n");
        assert_column(r, "operations", "kind", NULL, "finished", "[\"customer.edit\"]\n[\"customer.import\"]\n");
}

static void test_items(void **state) {
        Rows *r = *state;
        char id[ID_TEXT_SIZE];

        assert_column(r, "items", "n", NULL, NULL, "[1]\n[2]\n[3]\n");
        assert_column(r, "items", "line", NULL, "-n", "[7]\n[null]\n[null]\n");
        assert_column(r, "items", "n", "outcome in (refused, failed)", NULL, "[2]\n[3]\n");
        assert_column(r, "items", "before", "n = 1", NULL, "[{\"country\":\"DE\"}]\n");
        assert_column(r, "items", "customer", "customer = 00000000000000000000000000000000", NULL, "");
        id_text(row_of(r, 1)->id, id);
        assert_column(r, "items", "n", arena_printf(r->arena, "customer = %s", id), NULL, "[2]\n");
        assert_column(r, "items", "n", arena_printf(r->arena, "customer != %s", id), NULL, "[1]\n[3]\n");
        assert_column(r, "items", "n", NULL, "line", "[3]\n[1]\n[2]\n");
}

/* What is unset sorts last, through every page, also where what is unset is an id. */
static void test_items_by_customer(void **state) {
        Rows *r = *state;
        static const char *const columns[] = { "n" };
        QueryRequest request = {
                .dataset = dataset_find("items"), .columns = columns, .n_columns = 1, .sort = "customer", .limit = 1, .uid = TEST_UID, .parent = 1,
        };
        _cleanup_(buffer_done) Buffer b = {};

        assert_int_equal(run_one(r, "INSERT INTO operation_item(operation, n, outcome) VALUES (1, 4, 'ok'), (1, 5, 'ok')"), SQLITE_OK);
        for (;;) {
                char *next = NULL;
                Problem problem;
                Query *q;
                assert_int_equal(query_compile(r->arena, &request, &q, &problem), 0);
                assert_int_equal(query_run(r->db, q, QUERY_ROWS, &b, &next), 0);
                if (!next)
                        break;
                request.cursor = arena_strdup(r->arena, next);
                free(next);
        }
        bool swapped = memcmp(&row_of(r, 0)->id, &row_of(r, 1)->id, sizeof(Id)) > 0;
        assert_string_equal(b.data, swapped ? "[2]\n[1]\n[3]\n[4]\n[5]\n" : "[1]\n[2]\n[3]\n[4]\n[5]\n");
}

/* customer.FIELD is that of the row's customer; a row without one satisfies only negations. */
static void test_customer_fields(void **state) {
        Rows *r = *state;

        assert_int_equal(run_one(r, "UPDATE customer SET first_name = 'Ada' WHERE n = 1; UPDATE customer SET first_name = NULL WHERE n = 2;"
                                    "DELETE FROM customer_tag WHERE customer <= 2;"
                                    "INSERT INTO customer_tag SELECT 'only', organization_key, organization, id, 'only', n FROM customer WHERE n = 2;"),
                         SQLITE_OK);
        assert_column(r, "items", "n", "customer.first_name = Ada", NULL, "[1]\n");
        assert_column(r, "items", "n", "customer.first_name != Ada", NULL, "[2]\n[3]\n");
        assert_column(r, "items", "n", "not customer.first_name = Ada", NULL, "[2]\n[3]\n");
        assert_column(r, "items", "n", "customer.tag = only", NULL, "[2]\n");
        assert_column(r, "items", "n", "customer.tag in (only, none) or customer.first_name ~ ad", NULL, "[1]\n[2]\n");
        assert_column(r, "items", "n", "customer.pinned = no and not customer.pinned = no", NULL, "");
        assert_column(r, "reports", "kind", "customer.first_name = Ada", NULL, "[\"customers\"]\n");
}

static void test_tasks(void **state) {
        Rows *r = *state;

        assert_column(r, "tasks", "kind", NULL, NULL, "[\"import\"]\n[\"export\"]\n");
        assert_column(r, "tasks", "kind", NULL, "due", "[\"import\"]\n[\"export\"]\n");
        assert_column(r, "tasks", "kind", NULL, "created", "[\"export\"]\n[\"import\"]\n");
        assert_column(r, "tasks", "operation", "state = failed and lane = sweeps", NULL, "[\"000102030405060708090a0b0c0d0e0f\"]\n");
        assert_column(r, "tasks", "kind", "operation = 000102030405060708090a0b0c0d0e0f", NULL, "[\"import\"]\n");
        assert_column(r, "tasks", "error", NULL, "error", "[\"no space\"]\n[null]\n");
        /* Hidden columns come only when they are asked for. */
        const QueryRequest request = { .dataset = dataset_find("tasks"), .uid = TEST_UID };
        Problem problem;
        Query *q;
        assert_int_equal(query_compile(r->arena, &request, &q, &problem), 0);
        assert_int_equal(query_columns(q), 9);
        assert_column(r, "tasks", "created", "kind = export", NULL, "[\"1970-01-01T00:00:00Z\"]\n");
}

static void test_reports(void **state) {
        Rows *r = *state;
        char id[ID_TEXT_SIZE];

        assert_column(r, "reports", "kind", NULL, NULL, "[\"monthly\"]\n[\"customers\"]\n");
        assert_column(r, "reports", "sha256", "bytes < 78", NULL, "[\"00ff\"]\n");
        assert_column(r, "reports", "organization", "kind = monthly", NULL, "[null]\n");
        assert_column(r, "reports", "customer", "kind = customers", NULL,
                      arena_printf(r->arena, "[\"%s\"]\n", id_text(row_of(r, 0)->id, id)));
        assert_column(r, "reports", "recipients", "format = pdf", NULL, "[[]]\n");
}

static void test_audit(void **state) {
        Rows *r = *state;
        char id[ID_TEXT_SIZE];

        id_text(row_of(r, 0)->id, id);
        assert_whole(r, "audit", arena_printf(r->arena, "object = \"%s\"", id),
                     arena_printf(r->arena,
                                  "[1,\"1970-01-01T00:00:01Z\",{\"uid\":1000,\"name\":\"ada\",\"on_behalf_of\":null},\"customer.edit\",\"%s\",\"ok\",null,"
                                  "{\"country\":\"DE\"},{\"country\":\"AT\"},\"r1\",\"beef\"]\n", id));
        assert_column(r, "audit", "n", NULL, NULL, "[3]\n[2]\n[1]\n");
        assert_column(r, "audit", "n", "outcome = refused or actor = system", NULL, "[3]\n[2]\n");
        assert_column(r, "audit", "n", "actor in (ada, bob)", "n", "[1]\n[2]\n");
        assert_column(r, "audit", "n", "not actor = system", "time", "[1]\n[2]\n");
        assert_column(r, "audit", "n", "time > 1970-01-01T00:00:01Z", NULL, "[3]\n[2]\n");
        assert_column(r, "audit", "n", "time = 1970-01-01", NULL, "[3]\n[2]\n[1]\n");

        QueryRequest request = { .dataset = dataset_find("audit"), .since = 2000000, .until = 3000000, .uid = TEST_UID };
        static const char *const columns[] = { "n" };
        request.columns = columns;
        request.n_columns = 1;
        assert_string_equal(answer(r, &request), "[3]\n");
}

/* ---- scope ---- */

static size_t count_lines(const char *s) {
        size_t n = 0;
        for (; *s; s++)
                n += *s == '\n';
        return n;
}

/* Under a scope that holds customer 1 alone, nothing tells of another, whatever the selector says. */
static void test_scope(void **state) {
        Rows *r = *state;
        static const char *const kinds[] = { "customers", "items", "reports", "audit", "operations", "tasks", "views" };
        static const size_t wanted[] = { 1, 2, 1, 1, 1, 1, 2 };
        static const char *const fields[] = { "organization", "organization", "kind", "verb", "kind", "kind", "name" };
        Selector *scope;
        Problem problem;
        char id[ID_TEXT_SIZE];

        const char *text = arena_printf(r->arena, "id = %s or (tag = gold and not tag = gold)", id_text(row_of(r, 0)->id, id));
        assert_int_equal(selector_read(r->arena, dataset_find("customers"), text, &scope, &problem), 0);
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                for (size_t k = 0; k < 3; k++) {
                        QueryRequest request = { .dataset = dataset_find(kinds[i]), .uid = TEST_UID, .parent = 1, .scope = scope };
                        int64_t count = -1;
                        Query *q;
                        if (k == 1)
                                request.selector = arena_printf(r->arena, "%s != x or not %s = x", fields[i], fields[i]);
                        if (k == 2)
                                request.selector = arena_printf(r->arena, "not (%s = x and %s != x)", fields[i], fields[i]);
                        assert_int_equal(count_lines(answer(r, &request)), wanted[i]);
                        assert_int_equal(query_compile(r->arena, &request, &q, &problem), 0);
                        assert_int_equal(query_count(r->db, q, &count), 0);
                        assert_int_equal(count, wanted[i]);
                }
        /* Neither does a search, or an order that an equality leads. */
        QueryRequest request = { .dataset = dataset_find("customers"), .uid = TEST_UID, .search = row_of(r, 1)->organization, .scope = scope };
        assert_true(count_lines(answer(r, &request)) <= 1);
        request.search = NULL;
        request.selector = arena_printf(r->arena, "id = %s", id_text(row_of(r, 1)->id, id));
        assert_string_equal(answer(r, &request), "");
}

/* A scope of one term leads like a filter, and is not lost by that. */
static void test_scope_leads(void **state) {
        Rows *r = *state;
        Selector *scope;
        Problem problem;

        assert_int_equal(selector_read(r->arena, dataset_find("customers"), "tag = gold", &scope, &problem), 0);
        const QueryRequest scoped = { .dataset = dataset_find("customers"), .uid = TEST_UID, .scope = scope, .selector = "state != invited" };
        const QueryRequest plain = { .dataset = dataset_find("customers"), .uid = TEST_UID, .selector = "tag = gold and state != invited" };
        assert_string_equal(answer(r, &scoped), answer(r, &plain));
}

/* Pins are the caller's. */
static void test_pins(void **state) {
        Rows *r = *state;
        static const char *const columns[] = { "pinned" };
        size_t pinned = 0;

        for (size_t i = 0; i < r->n; i++)
                pinned += row_of(r, i)->pinned;
        QueryRequest request = {
                .dataset = dataset_find("customers"), .columns = columns, .n_columns = 1, .selector = "pinned = yes", .uid = TEST_UID,
        };
        assert_int_equal(count_lines(answer(r, &request)), pinned);
        request.uid = OTHER_UID;
        assert_int_equal(count_lines(answer(r, &request)), 0);
        request.selector = "pinned != yes";
        assert_int_equal(count_lines(answer(r, &request)), r->n);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_views), TEST(test_operations), TEST(test_items), TEST(test_items_by_customer), TEST(test_customer_fields),
                TEST(test_tasks), TEST(test_reports),    TEST(test_audit), TEST(test_scope),             TEST(test_scope_leads),
                TEST(test_pins),
        };
        rows_seed();
        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "common/random.h"
#include "daemon/model/unicode.h"
#include "daemon/store/query.h"
#include "tests/store/rows.h"

/* Pages, cursors, formats, scope, and the datasets besides customers. */

enum { ROWS = 120 };

typedef Rows Fixture;

static int setup(void **state) {
        *state = rows_new(ROWS);
        return 0;
}

static int teardown(void **state) {
        rows_free(*state);
        return 0;
}

static QueryRequest customers(void) {
        return (QueryRequest) { .dataset = dataset_find("customers"), .uid = TEST_UID };
}

/* One page as JSON; the caller drops it. */
static json_t *page(Fixture *f, const QueryRequest *request, char **ret_next) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        _cleanup_(buffer_done) Buffer b = {};
        Problem problem;
        Query *q;

        if (query_compile(a, request, &q, &problem) != 0)
                fail_msg("%s: %s", problem.code, problem.text);
        assert_int_equal(query_run(f->db, q, QUERY_ARRAY, &b, ret_next), 0);
        json_error_t error;
        json_t *rows = json_loadb(b.data, b.size, JSON_REJECT_DUPLICATES, &error);
        if (!rows)
                fail_msg("%s: %s", error.text, b.data);
        return rows;
}

static const char *cell(const json_t *rows, size_t i, const char *key) {
        return json_string_value(json_object_get(json_array_get(rows, i), key));
}

static void assert_refused(const QueryRequest *request, const char *code, const char *field) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem problem = {};
        Query *q;

        assert_int_equal(query_compile(a, request, &q, &problem), 1);
        assert_int_equal(problem.kind, PROBLEM_INVALID_ARGUMENT);
        assert_string_equal(problem.code, code);
        assert_string_equal(problem.field, field);
}

/* ---- walks ---- */

/* Somebody else makes, renames and removes customers between two pages. Those that the test counts stay untouched. */
static void disturb(Fixture *f, Arena *a) {
        Row row;

        turn_begin(f->db);
        for (int i = 0; i < 3; i++) {
                row_randomize(a, &row, f->next_n++);
                assert_int_equal(row_insert(f->db, &row), 0);
                if (i == 0)
                        assert_int_equal(row_delete(f->db, &row), 0);
        }
        assert_int_equal(turn_end(f->db), TURN_DONE);
}

static void walk(Fixture *f, const char *sort, const char *selector, int64_t limit, bool disturbed) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        static const char *const columns[] = { "id" };
        int seen[ROWS] = {};
        QueryRequest request = customers();

        request.columns = columns;
        request.n_columns = 1;
        request.sort = sort;
        request.selector = selector;
        request.limit = limit;
        for (;;) {
                char *next = NULL;
                json_t *rows = page(f, &request, &next);
                for (size_t i = 0; i < json_array_size(rows); i++)
                        for (size_t k = 0; k < ROWS; k++) {
                                char id[ID_TEXT_SIZE];
                                if (strcmp(id_text(f->rows[k].id, id), cell(rows, i, "id")) == 0)
                                        seen[k]++;
                        }
                json_decref(rows);
                if (!next)
                        break;
                request.cursor = arena_strdup(a, next);
                free(next);
                if (disturbed)
                        disturb(f, a);
        }
        turn_begin(f->db);
        for (; f->next_n > ROWS + 1; f->next_n--)
                assert_int_equal(row_delete(f->db, &(Row) { .n = f->next_n - 1 }), 0);
        assert_int_equal(turn_end(f->db), TURN_DONE);
        for (size_t k = 0; k < ROWS; k++)
                if (seen[k] != 1)
                        fail_msg("sort %s, selector %s: customer %zu was seen %d times", sort, selector ?: "none", k, seen[k]);
}

/* Every customer exactly once, by every column that sorts, in both directions, whatever others do. */
static void test_every_walk_sees_all_once(void **state) {
        Fixture *f = *state;

        for (const Column *c = dataset_find("customers")->columns; c->name; c++) {
                if (!(c->flags & C_SORT))
                        continue;
                walk(f, c->name, NULL, 7, true);
                walk(f, arena_printf(f->arena, "-%s", c->name), NULL, 13, true);
        }
        walk(f, NULL, "tenants = 0 or tenants > 0", 1, false);
        walk(f, "-organization", "status != no-backup-updates", 3, true);
        walk(f, NULL, "state in (invited, active, disconnecting)", 5, true);
}

/* ---- cursors ---- */

static void test_cursor_of_another_query(void **state) {
        Fixture *f = *state;
        static const char *const columns[] = { "organization", "id" }, *const others[] = { "id", "organization" };
        QueryRequest request = customers();
        char *next = NULL;

        request.columns = columns;
        request.n_columns = 2;
        request.limit = 10;
        json_decref(page(f, &request, &next));
        assert_non_null(next);
        request.cursor = next;
        json_decref(page(f, &request, NULL));

        QueryRequest wrong = request;
        wrong.limit = 20;                    /* not part of the question */
        json_decref(page(f, &wrong, NULL));
        wrong.selector = "tag = gold";
        assert_refused(&wrong, "bad-cursor", "cursor");
        wrong = request;
        wrong.search = "o";
        assert_refused(&wrong, "bad-cursor", "cursor");
        wrong = request;
        wrong.sort = "-organization";
        assert_refused(&wrong, "bad-cursor", "cursor");
        wrong = request;
        wrong.sort = "created";
        assert_refused(&wrong, "bad-cursor", "cursor");
        wrong = request;
        wrong.n_columns = 1;
        assert_refused(&wrong, "bad-cursor", "cursor");
        wrong = request;
        wrong.columns = others;
        assert_refused(&wrong, "bad-cursor", "cursor");
        wrong = request;
        wrong.uid = TEST_UID + 1;
        assert_refused(&wrong, "bad-cursor", "cursor");
        wrong = request;
        wrong.since = 1;
        assert_refused(&wrong, "bad-cursor", "cursor");
        wrong = request;
        wrong.dataset = dataset_find("views");
        wrong.n_columns = 0;
        assert_refused(&wrong, "bad-cursor", "cursor");
        free(next);
}

/* Whatever is done to a cursor's text, it is refused or begins somewhere: never a fault. */
static void test_damaged_cursor(void **state) {
        static const char *const texts[] = { "", " ", "A", "AQ", "=", "AQ==", "\xff", "next", "AQAAAAAAAAAAAAAAAAAAAAAA", "ü" };
        Fixture *f = *state;
        _cleanup_(arena_freep) Arena *a = arena_new();
        QueryRequest request = customers();
        char *next = NULL;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                request.cursor = texts[i];
                assert_refused(&request, "bad-cursor", "cursor");
        }
        request.cursor = NULL;
        request.limit = 10;
        json_decref(page(f, &request, &next));
        size_t length = strlen(next);
        for (int i = 0; i < 2000; i++) {
                _cleanup_(buffer_done) Buffer b = {};
                Problem problem;
                Query *q;
                char *text = arena_strdup(a, next);
                if (random_below(3) == 0)
                        text[random_below(length)] = 0;
                else
                        text[random_below(length)] = (char) (33 + random_below(90));
                request.cursor = text;
                if (query_compile(a, &request, &q, &problem) == 0)
                        assert_int_equal(query_run(f->db, q, QUERY_ARRAY, &b, NULL), 0);
                else
                        assert_string_equal(problem.code, "bad-cursor");
        }
        free(next);
}

/* ---- requests ---- */

static void test_names_refused(void **state) {
        static const char *const unknown[] = { "organisation" }, *const doubled[] = { "id", "country", "id" };
        static const char *const singular[] = { "tag" }, *const hostile[] = { "id, (SELECT 1)" };
        Fixture *f = *state;
        QueryRequest request = customers();
        Problem problem;
        Query *q;

        request.columns = unknown;
        request.n_columns = 1;
        assert_refused(&request, "unknown-column", "columns");
        assert_int_equal(query_compile(f->arena, &request, &q, &problem), 1);
        assert_string_equal(problem.candidates[0], "organization");
        request.columns = singular;
        assert_refused(&request, "unknown-column", "columns");
        request.columns = hostile;
        assert_refused(&request, "unknown-column", "columns");
        request.columns = doubled;
        request.n_columns = 3;
        assert_refused(&request, "doubled-column", "columns");

        static const char *const sorts[] = { "", "-", "--organization", "organization desc", "tag", "random()" };
        for (size_t i = 0; i < ELEMENTSOF(sorts); i++) {
                request = customers();
                request.sort = sorts[i];
                assert_refused(&request, "unknown-column", "sort");
        }
        request.sort = "-contacts";
        assert_refused(&request, "not-sortable", "sort");
        request.sort = NULL;
        request.selector = "";
        assert_refused(&request, "bad-selector", "selector");
        request.selector = NULL;
        request.dataset = dataset_find("audit");
        request.search = "x";
        assert_refused(&request, "no-search", "search");
}

/* Text from outside reaches the rows it names, and never the statement. */
static void test_hostile_text(void **state) {
        static const char *const names[] = {
                "'; DROP TABLE customer; --", "\" OR 1=1", "%", "_", "*", "?1", ":a", "@a", "$a", "\\", "\\\"", "a\nb", "--", "/*", "NULL",
                "text_key(organization)", "\xef\xbc\x87; x", "x'00'",
        };
        Fixture *f = *state;
        static const char *const columns[] = { "organization" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_(buffer_done) Buffer b = {};
                Row row;
                row_randomize(f->arena, &row, f->next_n++);
                row.organization = row.tags[0] = row.first_name = row.site = names[i];
                row.tags[1] = NULL;
                rows_add(f, &row);

                static const char *const forms[] = { "organization = ", "tag = ", "first_name = ", "custom.site = " };
                for (size_t k = 0; k < ELEMENTSOF(forms); k++) {
                        buffer_clear(&b);
                        buffer_add_string(&b, forms[k]);
                        selector_quote(&b, names[i]);
                        QueryRequest request = customers();
                        request.columns = columns;
                        request.n_columns = 1;
                        request.selector = b.data;
                        json_t *rows = page(f, &request, NULL);
                        assert_int_equal(json_array_size(rows), 1);
                        assert_string_equal(cell(rows, 0, "organization"), names[i]);
                        json_decref(rows);
                }
                QueryRequest request = customers();
                request.search = names[i];
                json_t *rows = page(f, &request, NULL);
                for (size_t k = 0; k < json_array_size(rows); k++)
                        assert_non_null(strstr(text_key(f->arena, cell(rows, k, "organization")), text_key(f->arena, names[i])));
                assert_true(json_array_size(rows) > 0);
                json_decref(rows);
        }
        /* A pair's name is text too. */
        QueryRequest request = customers();
        request.selector = "\"custom.x' OR '1' = '1\" = y";
        json_t *rows = page(f, &request, NULL);
        assert_int_equal(json_array_size(rows), 0);
        json_decref(rows);
}

/* The largest selector that is taken, with a search, a scope and a cursor on top. */
static void test_largest_selector(void **state) {
        Fixture *f = *state;
        _cleanup_(buffer_done) Buffer b = {};
        QueryRequest request = customers();
        Selector *scope;
        Problem problem;
        char *next = NULL;

        for (int i = 0; i < SELECTOR_DEPTH_MAX; i++)
                buffer_add_string(&b, "(");
        for (int i = 0; i < SELECTOR_TERMS_MAX; i++) {
                buffer_add_string(&b, i ? i % 2 ? " and tag != t" : " and not tag in (t" : "tag != t");
                for (int k = 0; i > 0 && i % 2 == 0 && k < 29; k++)
                        buffer_printf(&b, ", \"%d %d\"", i, k);
                buffer_add_string(&b, i > 0 && i % 2 == 0 ? ")" : "");
        }
        for (int i = 0; i < SELECTOR_DEPTH_MAX; i++)
                buffer_add_string(&b, ")");
        /* "not in" would be one level more than is left. */
        char *text = arena_strdup(f->arena, b.data + 1);
        text[strlen(text) - 1] = 0;
        assert_int_equal(selector_read(f->arena, request.dataset, text, &scope, &problem), 0);
        request.selector = text;
        request.scope = scope;
        request.search = "o";
        request.limit = 2;
        json_decref(page(f, &request, &next));
        assert_non_null(next);
        request.cursor = next;
        json_t *rows = page(f, &request, NULL);
        assert_int_equal(json_array_size(rows), 2);
        json_decref(rows);
        free(next);
}

static void test_blanks_of_a_search_count(void **state) {
        Fixture *f = *state;
        QueryRequest request = customers();

        request.search = " \t ";
        json_t *all = page(f, &request, NULL);
        assert_int_equal(json_array_size(all), ROWS);
        json_decref(all);
        request.search = "zoo ";
        json_t *rows = page(f, &request, NULL);
        for (size_t i = 0; i < json_array_size(rows); i++)
                assert_non_null(strstr(cell(rows, i, "organization"), "Zoo "));
        json_decref(rows);
        request.search = "zoo  ";
        rows = page(f, &request, NULL);
        assert_int_equal(json_array_size(rows), 0);
        json_decref(rows);
}

/* ---- formats ---- */

static const Row *plain_row(Fixture *f, Row *row) {
        *row = (Row) {
                .n = f->next_n++, .id = id_new(), .organization = "Contoso \"C\"", .account_type = "local", .last_name = "=1+1",
                .tags = { "a\"b", "c\\d", "e;f" }, .state = "active", .mode = "partner", .status = "not-applicable", .reason = "none",
                .created = 1796117400 * USEC_SEC + 5,
        };
        rows_add(f, row);
        return row;
}

static char *answer(Fixture *f, const QueryRequest *request, QueryFormat format) {
        Problem problem;
        Query *q;
        Buffer b = {};

        assert_int_equal(query_compile(f->arena, request, &q, &problem), 0);
        assert_int_equal(query_run(f->db, q, format, &b, NULL), 0);
        char *s = arena_strdup(f->arena, buffer_string(&b));
        buffer_done(&b);
        return s;
}

/* Every key in the contract's order; what is unknown is null, never 0 or "". */
static void test_whole_object(void **state) {
        Fixture *f = *state;
        Row row;
        char id[ID_TEXT_SIZE];
        QueryRequest request = customers();

        id_text(plain_row(f, &row)->id, id);
        request.selector = arena_printf(f->arena, "id = %s", id);
        assert_string_equal(
                answer(f, &request, QUERY_LINES),
                arena_printf(f->arena,
                             "{\"id\":\"%s\",\"revision\":1,\"organization\":\"Contoso \\\"C\\\"\",\"registered_account\":null,"
                             "\"account_type\":\"local\",\"cloud\":null,\"first_name\":null,\"last_name\":\"=1+1\",\"country\":null,\"phone\":null,"
                             "\"data_center\":null,\"language\":null,\"time_zone\":null,\"tags\":[\"a\\\"b\",\"c\\\\d\",\"e;f\"],\"contacts\":[],"
                             "\"custom\":{},\"symbol\":null,\"state\":\"active\",\"management_mode\":\"partner\",\"status\":\"not-applicable\","
                             "\"status_reason\":\"none\",\"expired_hidden\":false,\"services\":[],\"subscriptions\":[],\"tenants\":0,"
                             "\"open_tickets\":0,\"pinned\":false,\"next_expiration\":null,\"created\":\"2026-12-01T09:30:00Z\","
                             "\"notification\":null,\"deliveries.billing.enabled\":false,\"deliveries.billing.recipients\":[],"
                             "\"deliveries.billing.profile\":null,\"deliveries.service_reports.enabled\":false,"
                             "\"deliveries.service_reports.recipients\":[],\"account_verified\":false}\n", id));
}

static void test_formats(void **state) {
        static const char *const columns[] = { "organization", "last_name", "tags", "custom", "pinned", "created", "country", "tenants" };
        Fixture *f = *state;
        Row row;
        char id[ID_TEXT_SIZE];
        QueryRequest request = customers();

        id_text(plain_row(f, &row)->id, id);
        request.selector = arena_printf(f->arena, "id = %s", id);
        request.columns = columns;
        request.n_columns = ELEMENTSOF(columns);
        assert_string_equal(answer(f, &request, QUERY_ROWS),
                            "[\"Contoso \\\"C\\\"\",\"=1+1\",[\"a\\\"b\",\"c\\\\d\",\"e;f\"],{},false,\"2026-12-01T09:30:00Z\",null,0]\n");
        assert_string_equal(answer(f, &request, QUERY_CSV),
                            "organization,last_name,tags,custom,pinned,created,country,tenants\r\n"
                            "\"Contoso \"\"C\"\"\",'=1+1,\"a\"\"b;c\\d;e;f\",{},false,2026-12-01T09:30:00Z,,0\r\n");
        request.selector = "id = 00000000000000000000000000000000";
        assert_string_equal(answer(f, &request, QUERY_ARRAY), "[]");
        assert_string_equal(answer(f, &request, QUERY_LINES), "");
        assert_string_equal(answer(f, &request, QUERY_CSV), "organization,last_name,tags,custom,pinned,created,country,tenants\r\n");
}

static int gather(void *userdata, const char *bytes, size_t n) {
        buffer_add(userdata, bytes, n);
        return 0;
}

static int gather_line(void *userdata, const char *bytes, size_t n) {
        buffer_add(userdata, bytes, n);
        buffer_add_char(userdata, '\n');
        return 0;
}

static int stop_at_third(void *userdata, const char *bytes, size_t n) {
        return ++*(int *) userdata == 3 ? -ECANCELED : 0;
}

/* The same bytes in one piece, in parts, and row by row. */
static void test_pouring_is_running(void **state) {
        Fixture *f = *state;
        static const QueryFormat formats[] = { QUERY_ARRAY, QUERY_LINES, QUERY_ROWS, QUERY_CSV };
        QueryRequest request = customers();
        Problem problem;
        Query *q;
        int rows = 0;

        for (int i = 0; i < 2000; i++) {
                Row row;
                row_randomize(f->arena, &row, f->next_n++);
                assert_int_equal(row_insert(f->db, &row), 0);
        }
        assert_int_equal(query_compile(f->arena, &request, &q, &problem), 0);
        for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
                _cleanup_(buffer_done) Buffer whole = {}, parts = {};
                assert_int_equal(query_run(f->db, q, formats[i], &whole, NULL), 0);
                assert_int_equal(query_pour(f->db, q, formats[i], gather, &parts), 0);
                assert_true(whole.size > 256 << 10);
                assert_int_equal(whole.size, parts.size);
                assert_memory_equal(whole.data, parts.data, whole.size);
                if (formats[i] == QUERY_LINES) {
                        buffer_clear(&parts);
                        assert_int_equal(query_stream(f->db, q, gather_line, &parts), 0);
                        assert_string_equal(whole.data, parts.data);
                }
        }
        assert_int_equal(query_stream(f->db, q, stop_at_third, &rows), -ECANCELED);
        assert_int_equal(rows, 3);
        request.limit = 5;
        assert_int_equal(query_compile(f->arena, &request, &q, &problem), 0);
        rows = -100;
        assert_int_equal(query_stream(f->db, q, stop_at_third, &rows), 0);
        assert_int_equal(rows, -95);
}

/* Stopped by the connection's limit: nothing stays in the answer, and without a limit the same query is answered. */
static void test_stopped_query(void **state) {
        Fixture *f = *state;
        static const bool canceled = true;
        _cleanup_(buffer_done) Buffer b = {};
        QueryRequest request = customers();
        char *next = NULL;
        Problem problem;
        int64_t count = -1;
        Query *q;

        for (int i = 0; i < 500; i++) {
                Row row;
                row_randomize(f->arena, &row, f->next_n++);
                assert_int_equal(row_insert(f->db, &row), 0);
        }
        request.limit = 400;
        assert_int_equal(query_compile(f->arena, &request, &q, &problem), 0);
        buffer_add_string(&b, "before");
        assert_int_equal(db_snapshot_begin(f->db), 0);
        db_limit_reads(f->db, 0, &canceled);
        assert_int_equal(query_run(f->db, q, QUERY_ARRAY, &b, &next), -ETIME);
        assert_string_equal(b.data, "before");
        assert_null(next);
        assert_int_equal(query_count(f->db, q, &count), -ETIME);
        db_limit_reads(f->db, 0, NULL);
        assert_int_equal(query_run(f->db, q, QUERY_ARRAY, &b, &next), 0);
        assert_true(b.size > 100);
        assert_non_null(next);
        db_snapshot_end(f->db);
        free(next);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_every_walk_sees_all_once), TEST(test_cursor_of_another_query), TEST(test_damaged_cursor),
                TEST(test_names_refused),            TEST(test_hostile_text),            TEST(test_blanks_of_a_search_count),
                TEST(test_whole_object),             TEST(test_formats),                 TEST(test_pouring_is_running),
                TEST(test_stopped_query),            TEST(test_largest_selector),
        };
        rows_seed();
        return cmocka_run_group_tests(tests, NULL, NULL);
}

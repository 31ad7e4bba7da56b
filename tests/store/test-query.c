/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/random.h"
#include "common/text.h"
#include "common/time.h"
#include "daemon/model/address.h"
#include "daemon/model/unicode.h"
#include "daemon/store/query-private.h"
#include "tests/store/rows.h"

/* What a query answers, against what a loop over the same rows answers. */

enum { ROWS = 150, SELECTORS = 20000 };

typedef Rows Fixture;

static int setup(void **state) {
        *state = rows_new(ROWS);
        return 0;
}

static int teardown(void **state) {
        rows_free(*state);
        return 0;
}

/* ---- the loop: cells ---- */

typedef struct Cell {
        char type;                           /* t text, l list, i number, z time, d id, 0 unset */
        const char *text;
        const char *const *list;
        int64_t number;
        Id id;
} Cell;

static Cell text_cell(const char *s) {
        return s ? (Cell) { .type = 't', .text = s } : (Cell) {};
}

static Cell number_cell(int64_t v) {
        return (Cell) { .type = 'i', .number = v };
}

typedef struct TestField {
        const char *name;
        char type;                           /* as a cell's, and: e enumeration, a address, c country, b bool, p any tickets, g group */
        size_t offset;
        const char *const *words;            /* values to draw from, some of which no row has */
        bool sortable;
} TestField;

#define WORDS(...) ((const char *const[]) { __VA_ARGS__, NULL })
#define TAGS WORDS("gold", "Gold", "GOLD", "silver", "Größe L", "a\"b\\c", "x;y", "strasse", "ol")
#define STATES WORDS("trial", "active", "expiring", "expired", "grace", "suspended")
#define TIMES WORDS("2026-01-01", "2026-01-03", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00.777777Z", "2026-01-05T01:00:00+01:00")
#define SERVICES WORDS("baseline", "cloud-backup-m365", "cloud", "insights")
#define STATUSES WORDS("not-applicable", "working", "failed", "multiple-issues", "no-backup-updates")
#define YES_NO WORDS("yes", "no", "true", "false")

static const TestField fields[] = {
        { "organization", 't', offsetof(Row, organization), WORDS("Contoso GmbH", "muller", "STRASSE AG", "σ", "", "%", "Müller gmbh"), true },
        { "registered_account", 'a', offsetof(Row, account), WORDS("ADMIN3@x.example", "admin", "ädmin7@X.Example", "x.example"), true },
        { "account", 'a', offsetof(Row, account), WORDS("admin9@x.example", "Admin12@x.example") },
        { "account_type", 'e', offsetof(Row, account_type), WORDS("m365", "local", "google", "link"), true },
        { "cloud", 'e', offsetof(Row, cloud), WORDS("commercial", "gcc", "dod"), true },
        { "first_name", 't', offsetof(Row, first_name), WORDS("ada", "Ada", "A"), true },
        { "last_name", 't', offsetof(Row, last_name), WORDS("Example", "x", "=1"), true },
        { "country", 'c', offsetof(Row, country), WORDS("DE", "at", "IN", "FR"), true },
        { "phone", 't', offsetof(Row, phone), WORDS("030", "+49", "1"), true },
        { "tag", 'l', offsetof(Row, tags), TAGS },
        { "tags", 'l', offsetof(Row, tags), TAGS, true },
        { "service", 'l', offsetof(Row, services), SERVICES },
        { "services", 'l', offsetof(Row, services), SERVICES, true },
        { "subscription", 'l', offsetof(Row, subscriptions), STATES },
        { "subscriptions", 'l', offsetof(Row, subscriptions), STATES, true },
        { "deliveries.service_reports.recipients", 'L', offsetof(Row, recipients), WORDS("A@X.example", "b@x.example", "noc@MÜNCHEN.example"), true },
        { "custom.site", 't', offsetof(Row, site), WORDS("north", "sud", "or") },
        { "state", 'e', offsetof(Row, state), WORDS("invited", "active", "disconnecting"), true },
        { "mode", 'e', offsetof(Row, mode), WORDS("partner", "customer", "unset") },
        { "management_mode", 'e', offsetof(Row, mode), WORDS("partner", "customer", "unset"), true },
        { "status", 'e', offsetof(Row, status), STATUSES, true },
        { "status_reason", 't', offsetof(Row, reason), WORDS("no backup subscription", "FAIL"), true },
        { "expired_hidden", 'b', offsetof(Row, hidden), YES_NO, true },
        { "account_verified", 'b', offsetof(Row, verified), YES_NO, true },
        { "pinned", 'b', offsetof(Row, pinned), YES_NO, true },
        { "tenants", 'i', offsetof(Row, tenants), WORDS("0", "1", "2", "7"), true },
        { "open_tickets", 'i', offsetof(Row, open_tickets), WORDS("0", "1", "2"), true },
        { "open-tickets", 'p', offsetof(Row, open_tickets), YES_NO },
        { "open-tickets", 'i', offsetof(Row, open_tickets), WORDS("0", "1", "3") },
        { "next_expiration", 'z', offsetof(Row, next_expiration), WORDS("2027-01-01", "2027-01-03T00:00:00Z"), true },
        { "created", 'z', offsetof(Row, created), TIMES, true },
        { "id", 'd', offsetof(Row, id), WORDS("0123456789abcdef0123456789abcdef"), true },
        { "group", 'g', 0, WORDS("de", "Those of FR") },
};

static Cell cell_of(const Row *row, const TestField *f) {
        const void *at = (const char *) row + f->offset;

        switch (f->type) {
        case 't': case 'e': case 'a': case 'c':
                return text_cell(*(const char *const *) at);
        case 'l': case 'L':
                return (Cell) { .type = 'l', .list = at };
        case 'b':
                return number_cell(*(const bool *) at);
        case 'i':
                return number_cell(*(const int64_t *) at);
        case 'p':
                return number_cell(*(const int64_t *) at > 0);
        case 'z':
                return *(const int64_t *) at ? (Cell) { .type = 'z', .number = *(const int64_t *) at } : (Cell) {};
        case 'd':
                return (Cell) { .type = 'd', .id = *(const Id *) at };
        default:
                return (Cell) {};
        }
}

/* ---- the loop: terms ---- */

typedef struct Expr {
        char kind;                           /* & | ! and t: a term */
        struct Expr *left, *right;
        const TestField *field;
        char op;                             /* = ! (not equal) i (in) ~ < > */
        const char *values[4];
        size_t n_values;
} Expr;

static bool text_holds(Arena *a, const char *text, const Expr *e, bool address) {
        const char *value = e->values[0];

        switch (e->op) {
        case '~':
                return strstr(text_key(a, text), text_key(a, value));
        case '<':
                return strcmp(text_key(a, text), text_key(a, value)) < 0;
        case '>':
                return strcmp(text_key(a, text), text_key(a, value)) > 0;
        }
        for (size_t i = 0; i < e->n_values; i++)
                if (address && strchr(e->values[i], '@') ? strcmp(address_key(a, text), address_key(a, e->values[i])) == 0
                                                         : strcmp(text, e->values[i]) == 0)
                        return true;
        return false;
}

static bool number_holds(int64_t v, const Expr *e, char type) {
        for (size_t i = 0; i < e->n_values; i++) {
                const char *s = e->values[i];
                int64_t from = 0, to;
                if (type == 'z') {
                        assert_true(time_parse(s, &from));
                        to = from + (strlen(s) == 10 ? USEC_DAY : strchr(s, '.') ? 1 : USEC_SEC);
                } else {
                        from = type == 'i' ? atoll(s) : str_equal(s, "yes") || str_equal(s, "true");
                        to = from + 1;
                }
                if (e->op == '<' ? v < from : e->op == '>' ? v > from : v >= from && v < to)
                        return true;
        }
        return false;
}

static bool country_holds(Arena *a, const char *country, const Expr *e) {
        if (!strchr("=!i", e->op))
                return text_holds(a, country, e, false);
        for (size_t i = 0; i < e->n_values; i++)
                if (strcasecmp(country, e->values[i]) == 0)
                        return true;
        return false;
}

/* Without its negation. */
static bool term_holds(Arena *a, const Row *row, const Expr *e) {
        Cell cell = cell_of(row, e->field);
        char type = e->field->type;
        char hex[ID_TEXT_SIZE];

        if (type == 'g') {
                for (size_t i = 0; i < e->n_values; i++)
                        if (str_equal(row->country, strcmp(e->values[i], "de") == 0 ? "DE" : "FR"))
                                return true;
                return false;
        }
        switch (cell.type) {
        case 't':
                return type == 'c' ? country_holds(a, cell.text, e) : text_holds(a, cell.text, e, type == 'a');
        case 'l':
                for (size_t i = 0; i < ROW_LIST_MAX && cell.list[i]; i++)
                        if (text_holds(a, cell.list[i], e, type == 'L'))
                                return true;
                return false;
        case 'i':
        case 'z':
                return number_holds(cell.number, e, type);
        case 'd':
                for (size_t i = 0; i < e->n_values; i++)
                        if (strcasecmp(id_text(cell.id, hex), e->values[i]) == 0)
                                return true;
                return false;
        default:
                return false;
        }
}

static bool holds(Arena *a, const Row *row, const Expr *e) {
        switch (e->kind) {
        case '&':
                return holds(a, row, e->left) && holds(a, row, e->right);
        case '|':
                return holds(a, row, e->left) || holds(a, row, e->right);
        case '!':
                return !holds(a, row, e->left);
        default:
                return term_holds(a, row, e) != (e->op == '!');
        }
}

/* ---- random selectors ---- */

static const char *operators_of(char type) {
        switch (type) {
        case 't': case 'a': case 'c':
                return "=!i~<>";
        case 'l': case 'L':
                return "=!i~";
        case 'i': case 'z':
                return "=!i<>";
        default:
                return "=!i";
        }
}

static Expr *random_term(Fixture *f, Arena *a) {
        Expr *e = arena_alloc(a, sizeof(*e));
        size_t n_words = 0;

        e->kind = 't';
        e->field = &fields[random_below(ELEMENTSOF(fields))];
        const char *operators = operators_of(e->field->type);
        e->op = operators[random_below(strlen(operators))];
        while (e->field->words[n_words])
                n_words++;
        e->n_values = e->op == 'i' ? 1 + random_below(ELEMENTSOF(e->values)) : 1;
        if ((e->field->type == 'l' && str_starts(e->field->name, "subscription")) && e->op == '~')
                e->op = '=';
        for (size_t i = 0; i < e->n_values; i++) {
                e->values[i] = e->field->words[random_below(n_words)];
                if (e->field->type == 'd' && random_below(4))
                        e->values[i] = id_text(f->rows[random_below(ROWS)].id, arena_alloc(a, ID_TEXT_SIZE));
        }
        return e;
}

static Expr *random_expr(Fixture *f, Arena *a, unsigned depth) {
        Expr *e;

        if (depth == 0 || random_below(3) == 0)
                return random_term(f, a);
        e = arena_alloc(a, sizeof(*e));
        e->kind = "&&&|!"[random_below(5)];
        e->left = random_expr(f, a, depth - 1);
        if (e->kind != '!')
                e->right = random_expr(f, a, depth - 1);
        return e;
}

static bool needs_quotes(const char *s) {
        static const char *const reserved[] = { "and", "or", "not", "in", NULL };
        return !*s || names_find(reserved, s) >= 0 || strpbrk(s, " \"\\;%=") || random_below(4) == 0;
}

static void write_value(Buffer *b, const char *s) {
        if (needs_quotes(s))
                selector_quote(b, s);
        else
                buffer_add_string(b, s);
}

static void write_expr(Buffer *b, const Expr *e) {
        static const char operators[] = "=!~<>", *const shown[] = { " = ", "!=", " ~ ", "<", " > " };

        if (e->kind == 't') {
                buffer_add_string(b, e->field->name);
                buffer_add_string(b, e->op == 'i' ? " in (" : shown[strchr(operators, e->op) - operators]);
                for (size_t i = 0; i < e->n_values; i++) {
                        if (i > 0)
                                buffer_add_string(b, random_below(2) ? ", " : ",");
                        write_value(b, e->values[i]);
                }
                if (e->op == 'i')
                        buffer_add_char(b, ')');
                return;
        }
        if (e->kind == '!') {
                buffer_add_string(b, "not (");
                write_expr(b, e->left);
                buffer_add_char(b, ')');
                return;
        }
        /* "and" binds closer: its children need parentheses only where they are "or". */
        const Expr *sides[] = { e->left, e->right };
        for (int i = 0; i < 2; i++) {
                bool wrap = (e->kind == '&' && sides[i]->kind == '|') || random_below(6) == 0;
                buffer_add_string(b, i ? e->kind == '&' ? " and " : " or " : "");
                buffer_add_string(b, wrap ? "(" : "");
                write_expr(b, sides[i]);
                buffer_add_string(b, wrap ? ")" : "");
        }
}

/* ---- order ---- */

static struct {
        const TestField *field;
        bool descending;
} order_wanted;

static int compare_cells(Arena *a, const Cell *x, const Cell *y, char type) {
        if (!x->type || !y->type)
                return (!x->type) - (!y->type);
        if (x->type == 't') {
                int r = type == 'e' ? 0 : strcmp(text_key(a, x->text), text_key(a, y->text));
                return r ? r : strcmp(x->text, y->text);
        }
        if (x->type == 'd')
                return memcmp(&x->id, &y->id, sizeof(x->id));
        if (x->type != 'l')
                return (x->number > y->number) - (x->number < y->number);
        /* An empty list is unset; others compare by their elements. */
        if (!x->list[0] || !y->list[0])
                return (!x->list[0]) - (!y->list[0]);
        const char *s = row_list_json(a, x->list), *t = row_list_json(a, y->list);
        int r = strcmp(text_key(a, arena_strndup(a, s, strlen(s) - 1)), text_key(a, arena_strndup(a, t, strlen(t) - 1)));
        return r ? r : strcmp(s, t);
}

static int compare_rows(const void *p, const void *q) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const Row *x = *(const Row *const *) p, *y = *(const Row *const *) q;
        Cell c = cell_of(x, order_wanted.field), d = cell_of(y, order_wanted.field);
        int r = compare_cells(a, &c, &d, order_wanted.field->type);
        if (r == 0)
                r = memcmp(&x->id, &y->id, sizeof(x->id));
        return order_wanted.descending ? -r : r;
}

static size_t rows_wanted(Fixture *f, Arena *a, const Expr *e, const char *search, const Row *ret[ROWS]) {
        size_t n = 0;

        for (size_t i = 0; i < ROWS; i++) {
                if (e && !holds(a, &f->rows[i], e))
                        continue;
                if (search && !strstr(text_key(a, f->rows[i].organization), text_key(a, search)))
                        continue;
                ret[n++] = &f->rows[i];
        }
        qsort(ret, n, sizeof(*ret), compare_rows);
        return n;
}

/* ---- the compiler's answer ---- */

typedef struct Answer {
        Id ids[2 * ROWS];
        size_t n;
} Answer;

/* The rows that people see: as many as the internal keys of the same page, and the same next. */
static void check_rows(Fixture *f, Arena *a, QueryRequest request, size_t n, const char *next_of_keys) {
        static const char *const columns[] = { "id" };
        _cleanup_(buffer_done) Buffer rows = {};
        _cleanup_(freep) char *next = NULL;
        Query *q;
        Problem problem;

        request.columns = columns;
        request.n_columns = 1;
        assert_int_equal(query_compile(a, &request, &q, &problem), 0);
        assert_int_equal(query_run(f->db, q, QUERY_ROWS, &rows, &next), 0);
        assert_int_equal(rows.size, n * strlen("[\"0123456789abcdef0123456789abcdef\"]\n"));
        assert_int_equal(!next, !next_of_keys);
}

/* All pages, by the internal keys. */
static void run_pages(Fixture *f, Arena *a, QueryRequest request, Answer *ret) {
        ret->n = 0;
        for (;;) {
                QueryKey keys[2 * ROWS];
                _cleanup_(freep) char *next = NULL;
                Query *q;
                Problem problem;
                size_t n;

                if (query_compile_ids(a, &request, &q, &problem) != 0)
                        fail_msg("%s: %s", request.selector, problem.text);
                assert_int_equal(query_ids(f->db, q, keys, 2 * ROWS, &n, &next), 0);
                if (!request.cursor && random_below(4) == 0)
                        check_rows(f, a, request, n, next);
                for (size_t i = 0; i < n; i++)
                        ret->ids[ret->n++] = keys[i].id;
                if (!next)
                        return;
                assert_int_equal(n, request.limit);
                request.cursor = arena_strdup(a, next);
        }
}

static void check_count(Fixture *f, Arena *a, const QueryRequest *request, size_t wanted) {
        int64_t count = -1;
        Query *q;
        Problem problem;

        assert_int_equal(query_compile(a, request, &q, &problem), 0);
        assert_int_equal(query_count(f->db, q, &count), 0);
        if (count != (int64_t) wanted)
                fail_msg("selector %s: count %d, wanted %zu", request->selector, (int) count, wanted);
}

static void check_answer(Fixture *f, Arena *a, const QueryRequest *request, const Expr *e) {
        const Row *wanted[ROWS];
        Answer got;

        size_t n = rows_wanted(f, a, e, request->search, wanted);
        run_pages(f, a, *request, &got);
        bool same = got.n == n;
        for (size_t i = 0; i < n && same; i++)
                same = id_equal(got.ids[i], wanted[i]->id);
        if (!same)
                fail_msg("selector %s, search %s, sort %s, limit %d: %zu rows, wanted %zu", request->selector ?: "none",
                         request->search ?: "none", request->sort, (int) request->limit, got.n, n);
        if (random_below(2))
                check_count(f, a, request, n);
}

/* One leader in the order asked for: nothing is sorted that could be walked, nothing is read that an index knows. */
static void check_plan(Fixture *f, Arena *a, const QueryRequest *request) {
        Query *q;
        Problem problem;
        sqlite3_stmt *s;

        assert_int_equal(query_compile(a, request, &q, &problem), 0);
        char *sql = arena_printf(a, "EXPLAIN QUERY PLAN %s", query_sql(q));
        assert_int_equal(sqlite3_prepare_v2(db_handle(f->db), sql, -1, &s, NULL), SQLITE_OK);
        while (sqlite3_step(s) == SQLITE_ROW) {
                const char *detail = (const char *) sqlite3_column_text(s, 3);
                /* A search sorts the few names that share a key. */
                bool sorts = strstr(detail, "TEMP B-TREE") && !strstr(detail, "RIGHT PART"), scans = strcmp(detail, "SCAN c") == 0 || strstr(detail, "AUTOMATIC");
                if ((sorts || scans) && q->order.indexed && !q->sorts)
                        fail_msg("%s\nplan: %s", query_sql(q), detail);
        }
        sqlite3_finalize(s);
}

static const TestField *random_sort(void) {
        const TestField *f;
        do
                f = random_below(2) ? &fields[0] : &fields[random_below(ELEMENTSOF(fields))];
        while (!f->sortable);
        return f;
}

static void test_random_selectors(void **state) {
        static const char *const searches[] = { NULL, NULL, NULL, "MULLER", "o", "Strasse a", "%", "  ", "σ" };
        Fixture *f = *state;

        for (int i = 0; i < SELECTORS; i++) {
                _cleanup_(arena_freep) Arena *a = arena_new();
                _cleanup_(buffer_done) Buffer b = {};
                Expr *e = random_expr(f, a, (unsigned) random_below(5));
                const char *search = searches[random_below(ELEMENTSOF(searches))];

                write_expr(&b, e);
                order_wanted.field = random_sort();
                order_wanted.descending = random_below(2);
                static const SelectorGroup groups[] = { { "DE", "country = DE" }, { "Those of FR", "country = FR and not country = DE" } };
                QueryRequest request = {
                        .dataset = dataset_find("customers"), .selector = b.data, .search = search, .uid = TEST_UID, .groups = { groups, 2 },
                        .sort = arena_printf(a, "%s%s", order_wanted.descending ? "-" : "", order_wanted.field->name),
                        .limit = random_below(2) ? 0 : 5 + (int64_t) random_below(60),
                };
                if (i % 4 == 0)
                        check_plan(f, a, &request);
                if (str_equal(request.search, "  ")) {
                        /* Blank: no search. */
                        QueryRequest unsearched = request;
                        unsearched.search = NULL;
                        check_answer(f, a, &unsearched, e);
                        Query *p, *q;
                        Problem problem;
                        assert_int_equal(query_compile(a, &request, &p, &problem), 0);
                        assert_int_equal(query_compile(a, &unsearched, &q, &problem), 0);
                        assert_string_equal(query_sql(p), query_sql(q));
                } else
                        check_answer(f, a, &request, e);
                if (i % 50 == 0) {
                        turn_begin(f->db);
                        assert_int_equal(turn_end(f->db), TURN_DONE);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_random_selectors, setup, teardown),
        };
        rows_seed();
        return cmocka_run_group_tests(tests, NULL, NULL);
}

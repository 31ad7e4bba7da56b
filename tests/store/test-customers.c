/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "common/json.h"
#include "common/random.h"
#include "daemon/model/address.h"
#include "daemon/model/unicode.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/db-private.h"
#include "daemon/store/operation-store.h"
#include "tests/store/scratch.h"

/* Customers as they are kept: every field there and back, children that follow, and nothing left of an erased one. */

static const Usec now = 1767225600 * USEC_SEC;

/* Every text of it holds the marker. */
static Customer *make(Arena *a, const char *marker) {
        Customer *c = customer_new(a);

        c->id = id_new();
        c->organization = arena_printf(a, "%s Größe \"GmbH\"", marker);
        c->registered_account = arena_printf(a, "Admin-%s@x.example", marker);
        c->account_verified = true;
        c->account_type = ACCOUNT_M365;
        c->cloud = 1;
        c->first_name = arena_printf(a, "Ada %s", marker);
        c->last_name = arena_printf(a, "Example %s", marker);
        c->country = "DE";
        c->phone = arena_printf(a, "+49 %s", marker);
        c->data_center = arena_printf(a, "dc-%s", marker);
        c->language = "de";
        c->time_zone = "Europe/Berlin";
        c->tags = arena_printf(a, "[\"gold\",\"tag %s\"]", marker);
        c->contacts = arena_printf(a, "[{\"name\":\"%s\",\"address\":\"%s@y.example\",\"language\":null,\"role\":\"billing\"}]", marker, marker);
        c->custom = arena_printf(a, "{\"name %s\":\"value %s\",\"site\":\"\"}", marker, marker);
        c->symbol = arena_printf(a, "{\"type\":\"png\",\"sha256\":\"%s\"}", marker);
        c->state = CUSTOMER_INVITED;
        c->management_mode = MODE_UNSET;
        c->created = now;
        c->notification = arena_printf(a, "noc %s", marker);
        c->billing_enabled = true;
        c->billing_recipients = arena_printf(a, "[\"b-%s@x.example\"]", marker);
        c->billing_profile = arena_printf(a, "profile %s", marker);
        c->service_reports_enabled = true;
        c->service_reports_recipients = arena_printf(a, "[\"s-%s@x.example\"]", marker);
        c->organization_key = text_key(a, c->organization);
        c->account_key = address_key(a, c->registered_account);
        return c;
}

static Customer *load(Scratch *s, int64_t n) {
        Customer *c = NULL;
        assert_int_equal(customer_load(s->db, s->arena, n, &c), 1);
        return c;
}

#define assert_same_text(a, b) assert_true(str_equal(a, b))

static void assert_same(const Customer *x, const Customer *y) {
        assert_true(id_equal(x->id, y->id));
        assert_same_text(x->organization, y->organization);
        assert_same_text(x->organization_key, y->organization_key);
        assert_same_text(x->registered_account, y->registered_account);
        assert_same_text(x->account_key, y->account_key);
        assert_int_equal(x->account_verified, y->account_verified);
        assert_int_equal(x->account_type, y->account_type);
        assert_int_equal(x->state, y->state);
        assert_same_text(x->status, y->status);
        assert_same_text(x->status_reason, y->status_reason);
        assert_int_equal(x->created, y->created);
        assert_same_text(x->before_disconnect, y->before_disconnect);
        assert_int_equal(x->erase_after, y->erase_after);
        assert_int_equal(x->next_expiration, y->next_expiration);
        assert_true(customer_equal(x, y));
}

static void test_there_and_back(void **state) {
        Scratch *s = *state;
        Customer *full = make(s->arena, "marker"), *empty = customer_new(s->arena);
        int64_t n = 0;

        empty->id = id_new();
        empty->organization = empty->organization_key = "x";
        empty->created = now + 1;
        turn_begin(s->db);
        assert_int_equal(customer_insert(s->db, full), 0);
        assert_int_equal(customer_insert(s->db, empty), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        scratch_reopen(s);
        assert_same(load(s, full->n), full);
        assert_same(load(s, empty->n), empty);
        assert_int_equal(load(s, full->n)->revision, 1);
        assert_null(load(s, empty->n)->country);
        assert_null(load(s, empty->n)->registered_account);
        assert_int_equal(load(s, empty->n)->cloud, -1);
        assert_int_equal(customer_find_id(s->db, full->id, &n), 1);
        assert_int_equal(n, full->n);
        assert_int_equal(customer_find_account(s->db, full->account_key, &n), 1);
        assert_int_equal(customer_find_account(s->db, "nobody@x.example", &n), 0);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM customer_tag"), 2);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM customer_custom WHERE name = 'site' AND value = ''"), 1);
}

static void test_found_by_name_and_prefix(void **state) {
        Scratch *s = *state;
        int64_t found[3];
        const char *near[3];

        turn_begin(s->db);
        for (int i = 0; i < 4; i++) {
                Customer *c = make(s->arena, arena_printf(s->arena, "m%d", i));
                memset(c->id.bytes, 0xab, sizeof(c->id.bytes));
                c->id.bytes[15] = (uint8_t) i;
                c->organization = i < 3 ? "Contoso" : "contoso";
                c->organization_key = "contoso";
                assert_int_equal(customer_insert(s->db, c), 0);
        }
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(customer_find_organization(s->db, "Contoso", found, 3), 3);
        assert_int_equal(customer_find_organization(s->db, "Contoso", found, 2), 3);
        assert_int_equal(customer_find_organization(s->db, "contoso", found, 3), 1);
        assert_int_equal(customer_find_organization(s->db, "Conto", found, 3), 0);
        assert_int_equal(customer_find_prefix(s->db, "ababab", found, 3), 4);
        assert_int_equal(customer_find_prefix(s->db, "abababababababababababababababab", found, 3), 0);
        assert_int_equal(customer_find_prefix(s->db, "abababababababababababababababa", found, 3), 0);
        assert_int_equal(customer_find_prefix(s->db, "ababababababababababababababab0", found, 3), 4);
        assert_int_equal(customer_find_prefix(s->db, "abababababababababababababab0", found, 3), 0);
        assert_int_equal(customer_find_prefix(s->db, "bbbbbb", found, 3), 0);
        assert_int_equal(customer_near(s->db, s->arena, "cont", near, 3), 3);
        assert_int_equal(customer_near(s->db, s->arena, "toso", near, 3), 3);
        assert_int_equal(customer_near(s->db, s->arena, "%", near, 3), 0);
}

static int count_updates(unsigned type, void *userdata, void *statement, void *unused) {
        Buffer *sql = userdata;
        if (type == SQLITE_TRACE_STMT && strncmp(sqlite3_sql(statement), "UPDATE customer SET", 19) == 0)
                buffer_add_string(sql, sqlite3_sql(statement));
        return 0;
}

/* Each index costs: an edit of one field writes this field and the revision. */
static void test_only_what_changed_is_written(void **state) {
        Scratch *s = *state;
        Customer *old = make(s->arena, "a"), *new;
        _cleanup_(buffer_done) Buffer sql = {};

        turn_begin(s->db);
        assert_int_equal(customer_insert(s->db, old), 0);
        old = load(s, old->n);
        new = arena_alloc(s->arena, sizeof(*new));
        *new = *old;
        new->phone = "other";
        sqlite3_trace_v2(db_handle(s->db), SQLITE_TRACE_STMT, count_updates, &sql);
        assert_int_equal(customer_update(s->db, old, new), 0);
        sqlite3_trace_v2(db_handle(s->db), 0, NULL, NULL);
        assert_string_equal(sql.data, "UPDATE customer SET revision=?,phone=? WHERE n=?");
        assert_int_equal(new->revision, 2);
        assert_same(load(s, old->n), new);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

/* Every field by itself, set to another value and back to none. */
static void test_every_field_is_updated(void **state) {
        Scratch *s = *state;
        Customer *old = make(s->arena, "a"), *other = make(s->arena, "b"), *empty = customer_new(s->arena);

        other->id = old->id;
        other->account_type = ACCOUNT_GOOGLE, other->cloud = 2, other->country = "AT", other->state = CUSTOMER_DISCONNECTING;
        other->management_mode = MODE_CUSTOMER, other->expired_hidden = true, other->before_disconnect = "{}", other->erase_after = now + 5;
        other->language = "en", other->time_zone = "UTC", other->account_verified = false, other->billing_enabled = false;
        other->service_reports_enabled = false;
        empty->id = old->id, empty->organization = empty->organization_key = "x", empty->created = now;
        turn_begin(s->db);
        assert_int_equal(customer_insert(s->db, old), 0);
        const Customer *steps[] = { other, empty, old };
        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                Customer *before = load(s, old->n), *after = arena_alloc(s->arena, sizeof(*after));
                *after = *steps[i];
                after->n = old->n;
                assert_int_equal(customer_update(s->db, before, after), 0);
                assert_int_equal(after->revision, (int64_t) i + 2);
                assert_same(load(s, old->n), after);
        }
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

/* The checker: every child row is the one its customer gives, and no other. */
static void assert_children(Scratch *s) {
        assert_int_equal(scratch_int(s->db,
                "SELECT (SELECT count(*) FROM customer_tag t LEFT JOIN customer c ON c.n = t.customer WHERE c.n IS NULL OR c.id <> t.id OR"
                " c.organization <> t.organization OR c.organization_key <> t.organization_key) +"
                " (SELECT count(*) FROM customer_service t LEFT JOIN customer c ON c.n = t.customer WHERE c.n IS NULL OR c.id <> t.id OR"
                " c.organization <> t.organization OR c.organization_key <> t.organization_key) +"
                " (SELECT count(*) FROM customer_subscription t LEFT JOIN customer c ON c.n = t.customer WHERE c.n IS NULL OR c.id <> t.id OR"
                " c.organization <> t.organization OR c.organization_key <> t.organization_key)"), 0);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM (SELECT n, value FROM customer, json_each(tags)"
                                            " EXCEPT SELECT customer, tag FROM customer_tag)"), 0);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM (SELECT customer, tag FROM customer_tag"
                                            " EXCEPT SELECT n, value FROM customer, json_each(tags))"), 0);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM (SELECT n, key, value FROM customer, json_each(custom)"
                                            " EXCEPT SELECT customer, name, value FROM customer_custom)"), 0);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM (SELECT customer, name, value FROM customer_custom"
                                            " EXCEPT SELECT n, key, value FROM customer, json_each(custom))"), 0);
}

static const char *random_list(Arena *a, bool map) {
        Buffer b = {};
        buffer_add_char(&b, map ? '{' : '[');
        for (int i = 0, n = 0; i < 5; i++)
                if (random_below(2))
                        buffer_printf(&b, map ? "%s\"k%d\":\"v%d\"" : "%s\"t%d\"", n++ ? "," : "", i, (int) random_below(3));
        buffer_add_char(&b, map ? '}' : ']');
        const char *text = arena_strdup(a, buffer_string(&b));
        buffer_done(&b);
        return text;
}

static void test_children_follow(void **state) {
        Scratch *s = *state;
        int64_t n[20];

        scratch_seed();
        turn_begin(s->db);
        for (size_t i = 0; i < ELEMENTSOF(n); i++) {
                Customer *c = make(s->arena, arena_printf(s->arena, "c%zu", i));
                c->tags = random_list(s->arena, false);
                assert_int_equal(customer_insert(s->db, c), 0);
                n[i] = c->n;
                assert_int_equal(row_run(s->db, "INSERT INTO customer_service(service, organization_key, organization, id, customer) VALUES('b',?,?,?,?)", "ttdi",
                                         c->organization_key, c->organization, c->id, c->n), 0);
                assert_int_equal(row_run(s->db, "INSERT INTO customer_subscription(state, organization_key, organization, id, customer) VALUES('active',?,?,?,?)",
                                         "ttdi", c->organization_key, c->organization, c->id, c->n), 0);
                assert_int_equal(row_run(s->db, "UPDATE customer SET services = '[\"b\"]', subscriptions = '[\"active\"]' WHERE n = ?", "i", c->n), 0);
        }
        assert_children(s);
        for (int round = 0; round < 300; round++) {
                _cleanup_(arena_freep) Arena *a = arena_new();
                Customer *old, *new = arena_alloc(a, sizeof(*new));
                assert_int_equal(customer_load(s->db, a, n[random_below(ELEMENTSOF(n))], &old), 1);
                *new = *old;
                if (random_below(2)) {
                        /* Names that many share, so that keys of rows meet. */
                        new->organization = arena_printf(a, "Name %d", (int) random_below(3));
                        new->organization_key = text_key(a, new->organization);
                }
                if (random_below(2))
                        new->tags = random_list(a, false);
                if (random_below(2))
                        new->custom = random_list(a, true);
                assert_int_equal(customer_update(s->db, old, new), 0);
        }
        assert_children(s);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

static void test_refresh(void **state) {
        Scratch *s = *state;
        Customer *c = make(s->arena, "a");

        turn_begin(s->db);
        assert_int_equal(customer_insert(s->db, c), 0);
        assert_int_equal(row_run(s->db, "UPDATE customer SET status = 'failed', services = '[\"x\"]', tenants = 3, open_tickets = 1, next_expiration = 7", ""), 0);
        assert_int_equal(customer_refresh(s->db, c->n), 0);
        assert_same(load(s, c->n), c);
        assert_int_equal(load(s, c->n)->tenants, 0);
        assert_int_equal(load(s, c->n)->open_tickets, 0);
        assert_string_equal(load(s, c->n)->services, "[]");
        assert_int_equal(load(s, c->n)->revision, 1);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

static void test_symbols_and_pins(void **state) {
        Scratch *s = *state;
        Customer *c = make(s->arena, "a");
        _cleanup_(buffer_done) Buffer bytes = {};

        turn_begin(s->db);
        assert_int_equal(customer_insert(s->db, c), 0);
        assert_int_equal(customer_symbol_get(s->db, c->n, &bytes), 0);
        assert_int_equal(customer_symbol_put(s->db, c->n, "first\0", 6), 0);
        assert_int_equal(customer_symbol_put(s->db, c->n, "se\0cond", 7), 0);
        assert_int_equal(customer_symbol_get(s->db, c->n, &bytes), 1);
        assert_int_equal(bytes.size, 7);
        assert_memory_equal(bytes.data, "se\0cond", 7);
        assert_int_equal(customer_symbol_put(s->db, c->n, NULL, 0), 0);
        assert_int_equal(customer_symbol_get(s->db, c->n, &bytes), 0);

        assert_int_equal(customer_pin(s->db, 1000, c->n, 5), 0);
        assert_int_equal(customer_pin(s->db, 1000, c->n, 9), 0);
        assert_int_equal(customer_pin(s->db, 1001, c->n, 7), 0);
        assert_int_equal(scratch_int(s->db, "SELECT pinned FROM pin WHERE uid = 1000"), 5);
        assert_int_equal(customer_unpin(s->db, 1000, c->n), 0);
        assert_int_equal(customer_unpin(s->db, 1000, c->n), 0);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM pin"), 1);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

/* ---- erasure ---- */

static void plant(Scratch *s, int i) {
        Customer *c = make(s->arena, arena_printf(s->arena, "%s-%d", i % 2 ? "Xq7Marker" : "Remaining", i));
        const char *id = id_text(c->id, arena_alloc(s->arena, ID_TEXT_SIZE));
        const AuditRecord record = {
                .time = now, .uid = 0, .user = "root", .verb = "customer.onboard", .object = id, .outcome = "ok", .customer = 0,
                .before = arena_printf(s->arena, "{\"organization\":\"%s\"}", c->organization), .after = c->contacts,
        };

        assert_int_equal(customer_insert(s->db, c), 0);
        AuditRecord its = record;
        its.customer = c->n;
        assert_true(audit_append(s->db, &its) >= 0);
        assert_int_equal(customer_symbol_put(s->db, c->n, c->phone, strlen(c->phone)), 0);
        assert_int_equal(customer_pin(s->db, 1000, c->n, now), 0);
        Operation o = { .kind = "customer.edit", .total = 1, .user = "root", .created = now, .arguments = arena_printf(s->arena, "{\"fields\":{\"phone\":\"%s\"},\"keys\":[]}", c->phone) };
        assert_int_equal(operation_insert(s->db, &o), 0);
        const OperationItem item = {
                .n = 1, .customer = c->n, .customer_id = &c->id, .organization = c->organization, .before = c->custom, .after = c->tags,
                .outcome = "refused", .reason = "r", .message = c->organization, .finished = now,
        };
        assert_int_equal(operation_item_insert(s->db, &o, &item), 0);
        o.state = "failed", o.done = 1, o.refused = 1, o.finished = now;
        assert_int_equal(operation_progress(s->db, &o), 0);
}

static size_t occurrences(const char *path, const char *marker) {
        _cleanup_(buffer_done) Buffer b = {};
        size_t n = 0, length = strlen(marker);

        if (access(path, F_OK) < 0)
                return 0;
        b = scratch_bytes(path);
        for (size_t i = 0; i + length <= b.size; i++)
                n += strncasecmp(b.data + i, marker, length) == 0;
        return n;
}

static void test_erase_leaves_nothing(void **state) {
        enum { CUSTOMERS = 400 };
        Scratch *s = *state;
        AuditVerdict verdict;
        int64_t open = 0;

        turn_begin(s->db);
        for (int i = 0; i < CUSTOMERS; i++)
                plant(s, i);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_true(occurrences(scratch_path(s, "tenantd.db-wal"), "Xq7Marker") > CUSTOMERS);

        turn_begin(s->db);
        for (int64_t n = 2; n <= CUSTOMERS; n += 2) {
                bool done = false, items = false;
                /* As disconnect does: the audit gives up nobody else's values. */
                assert_int_equal(row_run(s->db, "UPDATE customer SET erase_after = 1 WHERE n = ?", "i", n), 0);
                while (!done)
                        assert_int_equal(audit_erase_values(s->db, n, 100, &done), 0);
                while (!items)
                        assert_int_equal(operation_items_erase(s->db, n, 100, &items), 0);
                assert_int_equal(customer_erase(s->db, n, now + 9, now + 99), 0);
        }
        assert_int_equal(erasures_open(s->db, &open), 0);
        assert_int_equal(open, CUSTOMERS / 2);
        assert_int_equal(turn_end(s->db), TURN_DONE);
        assert_int_equal(db_vacuum(s->db), 0);
        turn_begin(s->db);
        assert_int_equal(erasure_complete(s->db, now + 10), 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);

        assert_int_equal(occurrences(scratch_path(s, "tenantd.db"), "Xq7Marker"), 0);
        assert_int_equal(occurrences(scratch_path(s, "tenantd.db-wal"), "Xq7Marker"), 0);
        assert_true(occurrences(scratch_path(s, "tenantd.db"), "Remaining") > CUSTOMERS);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM customer"), CUSTOMERS / 2);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM erasure WHERE erased > 0 AND completed > erased AND backups_until > 0"), CUSTOMERS / 2);
        assert_int_equal(scratch_int(s->db, "SELECT count(*) FROM operation_item"), CUSTOMERS);
        assert_children(s);
        assert_int_equal(audit_verify(s->db, &verdict), 0);
        assert_int_equal(verdict.broken, 0);
        assert_int_equal(verdict.records, CUSTOMERS);
        assert_int_equal(verdict.erased, CUSTOMERS / 2);
        assert_int_equal(erasures_open(s->db, &open), 0);
        assert_int_equal(open, 0);
}

static void test_due_for_erasure(void **state) {
        Scratch *s = *state;
        int64_t found[2];
        size_t count = 0;

        turn_begin(s->db);
        for (int i = 0; i < 4; i++) {
                Customer *c = make(s->arena, arena_printf(s->arena, "c%d", i)), *new = arena_alloc(s->arena, sizeof(*new));
                assert_int_equal(customer_insert(s->db, c), 0);
                *new = *c;
                new->erase_after = i == 3 ? USEC_NONE : now - i;
                assert_int_equal(customer_update(s->db, c, new), 0);
        }
        assert_int_equal(customer_due_for_erasure(s->db, now, found, 2, &count), 0);
        assert_true(count >= 2);
        assert_int_equal(found[0], 3);
        assert_int_equal(found[1], 2);
        assert_int_equal(customer_due_for_erasure(s->db, now - 3, found, 2, &count), 0);
        assert_int_equal(count, 0);
        assert_int_equal(turn_end(s->db), TURN_DONE);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_there_and_back),
                TEST(test_found_by_name_and_prefix),
                TEST(test_only_what_changed_is_written),
                TEST(test_every_field_is_updated),
                TEST(test_children_follow),
                TEST(test_refresh),
                TEST(test_symbols_and_pins),
                TEST(test_erase_leaves_nothing),
                TEST(test_due_for_erasure),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

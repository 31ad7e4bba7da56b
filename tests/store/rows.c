/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/json.h"
#include "common/random.h"
#include "daemon/model/address.h"
#include "daemon/model/unicode.h"
#include "tests/store/rows.h"

#define PICK(...)                                                                \
        ({                                                                       \
                static const char *const _words[] = { __VA_ARGS__ };             \
                _words[random_below(ELEMENTSOF(_words))];                        \
        })

static void pick_list(const char *ret[ROW_LIST_MAX], const char *const *words, size_t n_words) {
        size_t n = random_below(ROW_LIST_MAX);
        size_t at = random_below(n_words);
        for (size_t i = 0; i < n && i < n_words; i++)
                ret[i] = words[(at + i) % n_words];
}

void row_randomize(Arena *a, Row *ret, int64_t n) {
        static const char *const tags[] = { "gold", "Gold", "silver", "Größe L", "a\"b\\c", "x;y", "straße" };
        static const char *const services[] = { "cloud-backup-m365", "cloud-backup-google", "baseline", "insights" };
        static const char *const states[] = { "trial", "active", "expiring", "expired", "grace" };
        static const char *const addresses[] = { "a@x.example", "B@x.example", "noc@münchen.example" };

        *ret = (Row) { .n = n, .id = id_new() };
        ret->organization = arena_printf(a, "%s %s", PICK("Contoso", "contoso", "Müller", "Muller", "Αθήνα Σ", "STRASSE", "straße", "Zoo"),
                                         PICK("GmbH", "gmbh", "AG", "Ltd", "", "50%_off", "'; DROP TABLE customer; --"));
        if (random_below(4) > 0)
                ret->account = arena_printf(a, "%s%lld@%s", PICK("Admin", "admin", "Ädmin"), (long long) n, PICK("x.example", "X.example"));
        ret->account_type = PICK("m365", "m365-gov", "google", "salesforce", "local", "link");
        ret->cloud = PICK("commercial", "gcc", NULL, NULL);
        ret->first_name = PICK("Ada", "ada", "Åda", NULL);
        ret->last_name = PICK("Example", "Beispiel", "éxample", NULL, "=1+1");
        ret->country = PICK("DE", "AT", "CH", "IN", NULL);
        ret->phone = PICK("+49 30 1", "030", NULL);
        pick_list(ret->tags, tags, ELEMENTSOF(tags));
        pick_list(ret->services, services, ELEMENTSOF(services));
        pick_list(ret->subscriptions, states, ELEMENTSOF(states));
        pick_list(ret->recipients, addresses, ELEMENTSOF(addresses));
        ret->site = PICK("north", "North", "süd", NULL);
        ret->state = PICK("invited", "active", "active", "disconnecting");
        ret->mode = PICK("partner", "partner", "customer", "unset");
        ret->status = PICK("not-applicable", "working", "failed", "multiple-issues", "finished-with-exception");
        ret->reason = PICK("no backup subscription", "two services fail", NULL);
        ret->hidden = random_below(2);
        ret->verified = random_below(2);
        ret->pinned = random_below(5) == 0;
        ret->tenants = (int64_t) random_below(3);
        ret->open_tickets = random_below(3) ? 0 : (int64_t) random_below(4);
        /* A few days, so that values meet; with microseconds, as a clock gives them. */
        ret->created = 1767225600 * USEC_SEC + (int64_t) random_below(5) * USEC_DAY + (int64_t) random_below(3) * 777777;
        if (random_below(2))
                ret->next_expiration = 1798761600 * USEC_SEC + (int64_t) random_below(5) * USEC_DAY;
}

const char *row_list_json(Arena *a, const char *const *items) {
        Buffer b = {};
        json_put_array_begin(&b);
        for (size_t i = 0; i < ROW_LIST_MAX && items[i]; i++)
                json_put_string(&b, items[i]);
        json_put_array_end(&b);
        const char *text = arena_strdup(a, buffer_string(&b));
        buffer_done(&b);
        return text;
}

static int insert_children(Db *db, Arena *a, const Row *row) {
        const char *key = text_key(a, row->organization);
        int r = 0;

        for (size_t i = 0; i < ROW_LIST_MAX && row->tags[i] && r >= 0; i++)
                r = row_run(db, "INSERT INTO customer_tag(tag, tag_key, organization_key, organization, id, customer) VALUES(?,?,?,?,?,?)",
                            "ttttdi", row->tags[i], text_key(a, row->tags[i]), key, row->organization, row->id, row->n);
        for (size_t i = 0; i < ROW_LIST_MAX && row->services[i] && r >= 0; i++)
                r = row_run(db, "INSERT INTO customer_service(service, organization_key, organization, id, customer) VALUES(?,?,?,?,?)",
                            "tttdi", row->services[i], key, row->organization, row->id, row->n);
        for (size_t i = 0; i < ROW_LIST_MAX && row->subscriptions[i] && r >= 0; i++)
                r = row_run(db, "INSERT INTO customer_subscription(state, organization_key, organization, id, customer) VALUES(?,?,?,?,?)",
                            "tttdi", row->subscriptions[i], key, row->organization, row->id, row->n);
        if (row->site && r >= 0)
                r = row_run(db, "INSERT INTO customer_custom(customer, name, value, value_key) VALUES(?,'site',?,?)", "itt", row->n, row->site,
                            text_key(a, row->site));
        if (row->pinned && r >= 0)
                r = row_run(db, "INSERT INTO pin(uid, customer, pinned) VALUES(?,?,1)", "ii", (int64_t) TEST_UID, row->n);
        return r;
}

int row_insert(Db *db, const Row *row) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *account_key = row->account ? address_key(a, row->account) : NULL;
        _cleanup_(buffer_done) Buffer custom = {};

        json_put_object_begin(&custom);
        if (row->site)
                json_put_key_string(&custom, "site", row->site);
        json_put_object_end(&custom);

        int r = row_run(db,
                        "INSERT INTO customer(n, id, revision, organization, organization_key, registered_account, account_key, account_type,"
                        " cloud, first_name, last_name, country, phone, tags, services, subscriptions, custom, state, management_mode, status,"
                        " status_reason, expired_hidden, account_verified, tenants, open_tickets, next_expiration, created,"
                        " service_reports_recipients) VALUES(?,?,1,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                        "idttttttttttttttttttiiiiuut", row->n, row->id, row->organization, text_key(a, row->organization), row->account,
                        account_key, row->account_type, row->cloud, row->first_name, row->last_name, row->country ?: "", row->phone,
                        row_list_json(a, row->tags), row_list_json(a, row->services), row_list_json(a, row->subscriptions), custom.data, row->state,
                        row->mode, row->status, row->reason ?: "", (int64_t) row->hidden, (int64_t) row->verified, row->tenants,
                        row->open_tickets, row->next_expiration ?: USEC_NONE, row->created, row_list_json(a, row->recipients));
        return r < 0 ? r : insert_children(db, a, row);
}

int row_delete(Db *db, const Row *row) {
        static const char *const deletes[] = {
                "DELETE FROM customer_tag WHERE customer = ?", "DELETE FROM customer_service WHERE customer = ?",
                "DELETE FROM customer_subscription WHERE customer = ?", "DELETE FROM customer_custom WHERE customer = ?",
                "DELETE FROM pin WHERE customer = ?", "DELETE FROM customer WHERE n = ?",
        };
        int r = 0;
        for (size_t i = 0; i < ELEMENTSOF(deletes) && r >= 0; i++)
                r = row_run(db, deletes[i], "i", row->n);
        return r;
}

Rows *rows_new(size_t n) {
        Rows *r = memory_new(sizeof(*r));
        Problem problem;
        int status;

        strcpy(r->directory, "/tmp/test-query-XXXXXX");
        assert_non_null(mkdtemp(r->directory));
        r->arena = arena_new();
        assert_int_equal(db_open_writer(r->directory, NULL, &r->db, &status, &problem), 0);
        /* Nothing here is about what survives. */
        assert_int_equal(sqlite3_exec(db_handle(r->db), "PRAGMA synchronous=OFF", NULL, NULL, NULL), SQLITE_OK);
        r->rows = arena_alloc(r->arena, n * sizeof(*r->rows));
        r->n = n;
        r->next_n = (int64_t) n + 1;
        turn_begin(r->db);
        for (size_t i = 0; i < n; i++) {
                row_randomize(r->arena, &r->rows[i], (int64_t) i + 1);
                assert_int_equal(row_insert(r->db, &r->rows[i]), 0);
        }
        assert_int_equal(turn_end(r->db), TURN_DONE);
        return r;
}

void rows_free(Rows *r) {
        char command[100];

        db_close(r->db);
        arena_free(r->arena);
        snprintf(command, sizeof(command), "rm -r '%s'", r->directory);
        assert_int_equal(system(command), 0);
        free(r);
}

void rows_add(Rows *r, const Row *row) {
        turn_begin(r->db);
        assert_int_equal(row_insert(r->db, row), 0);
        assert_int_equal(turn_end(r->db), TURN_DONE);
}

void rows_seed(void) {
        const char *given = getenv("TEST_SEED");
        uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t) clock_now();

        printf("TEST_SEED=%llu\n", (unsigned long long) seed);
        random_seed_for_tests(seed);
}

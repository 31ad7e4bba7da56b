/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"
#include "daemon/action/outbox.h"
#include "daemon/action/restore-action.h"
#include "daemon/store/audit-store.h"
#include "tests/action/asked.h"

/* Use cases by their outcome: the answer, the rows, the one audit record, the remembered request. */

#define LOCAL "\"registered_account\":\"admin@contoso.example\",\"first_name\":\"Ada\",\"last_name\":\"Example\",\"country\":\"DE\""
#define CONTOSO "{\"organization\":\"Contoso\"," LOCAL "}"

static int64_t audits(Asker *a) {
        return count_of(a, "SELECT count(*) FROM audit");
}

static const char *last_audit(Asker *a, const char *column) {
        return text_of(a, arena_printf(a->scratch->arena, "SELECT %s FROM audit LEFT JOIN audit_value ON audit = n ORDER BY n DESC LIMIT 1", column));
}

static void assert_chain(Asker *a) {
        AuditVerdict v;
        assert_int_equal(audit_verify(a->scratch->db, &v), 0);
        assert_int_equal(v.broken, 0);
}

static void refused(Asker *a, ProblemKind kind, const char *code, const char *field, const char *verb, const char *ids, const char *fields, const char *options) {
        int64_t before = audits(a);
        Answer answer = ask(a, verb, ids, fields, options);
        assert_int_equal(answer.end, TURN_DONE);
        ask_refused(a, kind, code, field, &answer);
        /* One record of it, which tells who, what and why, and no values. */
        assert_int_equal(audits(a), before + 1);
        assert_string_equal(last_audit(a, "outcome"), "refused");
        assert_string_equal(last_audit(a, "code"), code);
        assert_string_equal(last_audit(a, "verb"), verb);
        assert_string_equal(last_audit(a, "user"), "ada");
        assert_null(last_audit(a, "coalesce(before, after)"));
}

/* ---- onboard ---- */

static void test_onboard(void **state) {
        Asker *a = *state;
        Answer answer = ask_done(a, "customer.onboard", "", "{\"organization\":\"  Contoso\\u0301 \",\"tags\":[\"silver\",\"gold\",\"silver\"]," LOCAL "}", NULL);
        char id[ID_TEXT_SIZE];

        assert_int_equal(answer.revision, 1);
        assert_string_equal(text_of(a, "SELECT organization FROM customer"), "Contosó");
        assert_string_equal(text_of(a, "SELECT tags FROM customer"), "[\"gold\",\"silver\"]");
        assert_string_equal(text_of(a, "SELECT state || management_mode || account_type || status FROM customer"), "activepartnerlocalnot-applicable");
        assert_int_equal(audits(a), 1);
        assert_string_equal(last_audit(a, "verb"), "customer.onboard");
        assert_string_equal(last_audit(a, "object"), id_text(answer.id, id));
        assert_string_equal(last_audit(a, "outcome"), "ok");
        assert_null(last_audit(a, "before"));
        assert_non_null(strstr(last_audit(a, "after"), "\"country\":\"DE\""));
        assert_null(last_audit(a, "request_id"));
        assert_chain(a);
}

static void test_required_fields(void **state) {
        static const char *const fields[] = { "organization", "registered_account", "first_name", "last_name", "country" };
        Asker *a = *state;

        for (size_t without = 0; without < ELEMENTSOF(fields); without++) {
                Buffer b = {};
                json_put_object_begin(&b);
                for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                        if (i != without)
                                json_put_key_string(&b, fields[i], i == 1 ? "a@x.example" : i == 4 ? "DE" : "Name");
                json_put_object_end(&b);
                refused(a, PROBLEM_INVALID_ARGUMENT, "missing", fields[without], "customer.onboard", "", buffer_string(&b), NULL);
                buffer_done(&b);
        }
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer"), 0);
        /* Others need a name only, and are invited. */
        static const char *const types[] = { "m365", "m365-gov", "google", "salesforce" };
        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                Answer answer = ask_done(a, "customer.onboard", "", arena_printf(a->scratch->arena, "{\"organization\":\"%s\",\"account_type\":\"%s\"}", types[i], types[i]), NULL);
                assert_non_null(strstr(answer.text, "\"url\":null"));
        }
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer WHERE state = 'invited' AND management_mode = 'unset'"), 4);
        refused(a, PROBLEM_INVALID_ARGUMENT, "missing", "organization", "customer.onboard", "", "{\"account_type\":\"google\"}", NULL);
}

static void test_bad_values(void **state) {
        static const struct {
                const char *fields, *code, *field;
        } cases[] = {
                { "{\"organization\":\"\"," LOCAL "}", "too-short", "organization" },
                { "{\"organization\":\"   \"," LOCAL "}", "too-short", "organization" },
                { "{\"organization\":\"a\\u202eb\"," LOCAL "}", "bidi-control", "organization" },
                { "{\"organization\":\"a\\nb\"," LOCAL "}", "control-character", "organization" },
                { "{\"organization\":\"a\\u2028b\"," LOCAL "}", "control-character", "organization" },
                { "{\"organization\":\"a\\ufdd0b\"," LOCAL "}", "noncharacter", "organization" },
                { "{\"organization\":\"\\u200d\\u200e\"," LOCAL "}", "nothing-visible", "organization" },
                { "{\"organization\":7," LOCAL "}", "wrong-type", "organization" },
                { "{\"organization\":\"x\",\"tags\":[\"a,b\"]," LOCAL "}", "bad-tag", "tags" },
                { "{\"organization\":\"x\",\"tags\":\"a\"," LOCAL "}", "wrong-type", "tags" },
                { "{\"organization\":\"x\",\"cloud\":\"gcc\"," LOCAL "}", "no-cloud", "cloud" },
                { "{\"organization\":\"x\",\"account_type\":\"\"," LOCAL "}", "unknown-word", "account_type" },
                { "{\"organization\":\"x\",\"management_mode\":\"none\"," LOCAL "}", "unknown-word", "management_mode" },
                { "{\"organization\":\"x\",\"organisation\":\"y\"," LOCAL "}", "unknown-key", "organisation" },
                { "{\"organization\":\"x\",\"language\":\"german\"," LOCAL "}", "bad-language", "language" },
                { "{\"organization\":\"x\",\"contacts\":[{\"name\":\"x\"}]," LOCAL "}", "bad-contact", "contacts" },
                { "{\"organization\":\"x\",\"clear\":[\"organization\"]," LOCAL "}", "set-and-cleared", "organization" },
                { "{\"organization\":\"x\",\"deliveries.service_reports.recipients\":[\"nobody\"]," LOCAL "}", "bad-address", "deliveries.service_reports.recipients" },
        };
        Asker *a = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                refused(a, PROBLEM_INVALID_ARGUMENT, cases[i].code, cases[i].field, "customer.onboard", "", cases[i].fields, NULL);
        refused(a, PROBLEM_REFUSED, "no-recipients", "deliveries.service_reports.recipients", "customer.onboard", "",
                "{\"organization\":\"x\",\"deliveries.service_reports.enabled\":true," LOCAL "}", NULL);
        refused(a, PROBLEM_REFUSED, "no-profile", "deliveries.billing.profile", "customer.onboard", "",
                "{\"organization\":\"x\",\"deliveries.billing.enabled\":true,\"deliveries.billing.recipients\":[\"a@x.example\"]," LOCAL "}", NULL);
        refused(a, PROBLEM_NOT_FOUND, "no-such-notification", "notification", "customer.onboard", "", "{\"organization\":\"x\",\"notification\":\"noc\"," LOCAL "}", NULL);
        refused(a, PROBLEM_INVALID_ARGUMENT, "unknown-key", "reason", "customer.onboard", "", CONTOSO, "{\"reason\":\"x\"}");
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer"), 0);
        assert_chain(a);
}

static void test_limits_count_characters(void **state) {
        Asker *a = *state;
        Buffer name = {};

        for (int i = 0; i < 200; i++)
                buffer_add_string(&name, "ä");
        onboard(a, buffer_string(&name), "a@x.example");
        buffer_add_string(&name, "ä");
        refused(a, PROBLEM_INVALID_ARGUMENT, "too-long", "organization", "customer.onboard", "",
                arena_printf(a->scratch->arena, "{\"organization\":\"%s\"," LOCAL "}", buffer_string(&name)), NULL);
        buffer_done(&name);
        for (int n = 32; n <= 33; n++) {
                Buffer b = {};
                buffer_printf(&b, "{\"organization\":\"x%d\",\"registered_account\":\"t%d@x.example\",\"first_name\":\"A\",\"last_name\":\"B\",\"country\":\"DE\",\"tags\":[\"t0\"", n, n);
                for (int i = 1; i < n; i++)
                        buffer_printf(&b, ",\"t%d\"", i);
                buffer_add_string(&b, "]}");
                Answer answer = ask(a, "customer.onboard", "", buffer_string(&b), NULL);
                if (n == 33)
                        ask_refused(a, PROBLEM_INVALID_ARGUMENT, "too-many", "tags", &answer);
                else
                        assert_int_equal(answer.result, 0);
                buffer_done(&b);
        }
}

static void test_account_is_unique(void **state) {
        static const char *const same[] = { "admin@contoso.example", "ADMIN@contoso.EXAMPLE", "\\\"admin\\\"@contoso.example" };
        Asker *a = *state;

        onboard(a, "Contoso", "Admin@Contoso.example");
        for (size_t i = 0; i < ELEMENTSOF(same); i++)
                refused(a, PROBLEM_EXISTS, "account-exists", "registered_account", "customer.onboard", "",
                        arena_printf(a->scratch->arena, "{\"organization\":\"Other\",\"registered_account\":\"%s\",\"first_name\":\"A\",\"last_name\":\"B\",\"country\":\"DE\"}", same[i]), NULL);
        /* The same name is no reason to refuse. */
        onboard(a, "Contoso", "other@contoso.example");
        onboard(a, "IDN", "a@münchen.example");
        refused(a, PROBLEM_EXISTS, "account-exists", "registered_account", "customer.edit", "other@contoso.example", "{\"registered_account\":\"A@xn--mnchen-3ya.example\"}", NULL);
        /* One's own address in another spelling is one's own. */
        ask_done(a, "customer.edit", "a@münchen.example", "{\"registered_account\":\"A@MÜNCHEN.example\"}", NULL);
        assert_string_equal(text_of(a, "SELECT registered_account FROM customer WHERE organization = 'IDN'"), "A@MÜNCHEN.example");
}

/* ---- edit ---- */

static void test_edit(void **state) {
        Asker *a = *state;
        Answer made = onboard(a, "Contoso", "admin@contoso.example");
        Answer edited = ask_done(a, "customer.edit", "Contoso", "{\"country\":\"AT\",\"tags\":[\"gold\"]}", NULL);

        assert_true(id_equal(made.id, edited.id));
        assert_int_equal(edited.revision, 2);
        assert_string_equal(last_audit(a, "before"), "{\"country\":\"DE\",\"tags\":[]}");
        assert_string_equal(last_audit(a, "after"), "{\"country\":\"AT\",\"tags\":[\"gold\"]}");
        assert_int_equal(audits(a), 2);

        /* Nothing differs: done, audited, and the revision stays. */
        edited = ask_done(a, "customer.edit", "Contoso", "{\"country\":\"AT\"}", NULL);
        assert_int_equal(edited.revision, 2);
        assert_int_equal(audits(a), 3);

        ask_done(a, "customer.edit", "Contoso", "{\"phone\":\"1\"}", "{\"revision\":2}");
        refused(a, PROBLEM_CONFLICT, "stale-revision", "revision", "customer.edit", "Contoso", "{\"phone\":\"2\"}", "{\"revision\":2}");
        refused(a, PROBLEM_INVALID_ARGUMENT, "wrong-type", "revision", "customer.edit", "Contoso", "{\"phone\":\"2\"}", "{\"revision\":\"3\"}");
        assert_string_equal(text_of(a, "SELECT phone FROM customer"), "1");
        ask_done(a, "customer.edit", "Contoso", "{\"clear\":[\"phone\",\"tags\"]}", "{\"revision\":3}");
        assert_null(text_of(a, "SELECT phone FROM customer"));
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer_tag"), 0);
        refused(a, PROBLEM_INVALID_ARGUMENT, "missing", "first_name", "customer.edit", "Contoso", "{\"clear\":[\"first_name\"]}", NULL);
        refused(a, PROBLEM_INVALID_ARGUMENT, "not-editable", "account_type", "customer.edit", "Contoso", "{\"account_type\":\"google\"}", NULL);
        refused(a, PROBLEM_NOT_FOUND, "no-such-customer", "", "customer.edit", "Contosa", "{\"phone\":\"2\"}", NULL);
        refused(a, PROBLEM_INVALID_ARGUMENT, "missing", "ids", "customer.edit", "", "{\"phone\":\"2\"}", NULL);
        refused(a, PROBLEM_INVALID_ARGUMENT, "missing", "selector", "customer.edit", "", "{\"phone\":\"2\"}", "{\"selector\":\"\"}");
        refused(a, PROBLEM_INVALID_ARGUMENT, "ids-and-selector", "selector", "customer.edit", "Contoso", "{\"phone\":\"2\"}", "{\"selector\":\"tag = x\"}");
        assert_chain(a);
}

static void test_names_of_a_customer(void **state) {
        Asker *a = *state;
        char id[ID_TEXT_SIZE];
        Answer made = onboard(a, "Contoso", "admin@contoso.example");

        onboard(a, "Twin", "t1@x.example");
        onboard(a, "Twin", "t2@x.example");
        /* Somebody whose name looks like another's account: the account wins. */
        onboard(a, "admin@contoso.example", "t3@x.example");
        id_text(made.id, id);
        static const char *const names[] = { "admin@contoso.example", "ADMIN@CONTOSO.EXAMPLE", "Contoso", " Contoso ", "Contoso" };
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_true(id_equal(ask_done(a, "customer.pin", names[i], NULL, NULL).id, made.id));
        assert_true(id_equal(ask_done(a, "customer.pin", id, NULL, NULL).id, made.id));
        id[12] = 0;
        assert_true(id_equal(ask_done(a, "customer.pin", id, NULL, NULL).id, made.id));
        id[5] = 0;
        refused(a, PROBLEM_NOT_FOUND, "no-such-customer", "", "customer.pin", id, NULL, NULL);
        refused(a, PROBLEM_NOT_FOUND, "no-such-customer", "", "customer.pin", "contoso", NULL, NULL);
        refused(a, PROBLEM_AMBIGUOUS, "ambiguous", "", "customer.pin", "Twin", NULL, NULL);
        Answer answer = ask(a, "customer.pin", "Twin", NULL, NULL);
        assert_int_equal(answer.problem.n_candidates, 2);
        answer = ask(a, "customer.pin", "cont", NULL, NULL);
        assert_true(answer.problem.n_candidates >= 1);
        assert_string_equal(answer.problem.candidates[0], "Contoso");
        assert_int_equal(count_of(a, "SELECT count(*) FROM pin"), 1);
}

static void test_modes(void **state) {
        static const char *const modes[] = { "partner", "customer", "unset" };
        /* From (row) to (column): . nothing changes, y allowed, else why not. */
        static const char *const table[3][3] = {
                { ".", "y", "mode-not-allowed" }, { "take-back-needed", ".", "take-back-needed" }, { "y", "y", "." },
        };
        Asker *a = *state;

        for (int by_edit = 0; by_edit < 2; by_edit++)
                for (int from = 0; from < 3; from++)
                        for (int to = 0; to < 3; to++) {
                                const char *account = arena_printf(a->scratch->arena, "m%d%d%d@x.example", by_edit, from, to);
                                ask_done(a, "customer.onboard", "",
                                         arena_printf(a->scratch->arena, "{\"organization\":\"x\",\"registered_account\":\"%s\",\"first_name\":\"A\",\"last_name\":\"B\","
                                                                         "\"country\":\"DE\",\"management_mode\":\"%s\"}", account, modes[from]), NULL);
                                const char *verb = by_edit ? "customer.edit" : "customer.mode";
                                const char *fields = arena_printf(a->scratch->arena, "{\"%s\":\"%s\"}", by_edit ? "management_mode" : "mode", modes[to]);
                                if (strlen(table[from][to]) > 1) {
                                        refused(a, PROBLEM_REFUSED, table[from][to], "management_mode", verb, account, fields, NULL);
                                        continue;
                                }
                                Answer answer = ask_done(a, verb, account, fields, NULL);
                                assert_int_equal(answer.revision, table[from][to][0] == 'y' ? 2 : 1);
                        }
        refused(a, PROBLEM_INVALID_ARGUMENT, "missing", "mode", "customer.mode", "m000@x.example", "{}", NULL);
        refused(a, PROBLEM_INVALID_ARGUMENT, "unknown-word", "mode", "customer.mode", "m000@x.example", "{\"mode\":\"ours\"}", NULL);
        assert_chain(a);
}

static void test_pins_are_the_callers(void **state) {
        Asker *a = *state;

        onboard(a, "Contoso", "admin@contoso.example");
        Answer answer = ask_done(a, "customer.pin", "Contoso", NULL, NULL);
        assert_int_equal(answer.revision, 1);
        a->caller = (Caller) { .uid = 1001, .user = "bob", .all = true };
        ask_done(a, "customer.unpin", "Contoso", NULL, NULL);
        assert_int_equal(count_of(a, "SELECT count(*) FROM pin WHERE uid = 1000"), 1);
        ask_done(a, "customer.pin", "Contoso", NULL, NULL);
        assert_int_equal(count_of(a, "SELECT count(*) FROM pin"), 2);
        assert_int_equal(audits(a), 4);
}

/* ---- request_id ---- */

static void test_repeated(void **state) {
        Asker *a = *state;
        Answer first = ask_done(a, "customer.onboard", "", CONTOSO, "{\"request_id\":\"r1\"}");
        assert_string_equal(last_audit(a, "request_id"), "r1");
        a->now += USEC_DAY;
        Answer again = ask_done(a, "customer.onboard", "", CONTOSO, "{\"request_id\":\"r1\"}");

        assert_string_equal(first.text, again.text);
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer"), 1);
        assert_int_equal(audits(a), 1);
        ask_done(a, "customer.edit", "Contoso", "{\"phone\":\"1\"}", "{\"request_id\":\"r2\"}");
        ask_done(a, "customer.edit", "Contoso", "{\"phone\":\"2\"}", "{\"request_id\":\"r3\"}");
        again = ask_done(a, "customer.edit", "Contoso", "{\"phone\":\"1\"}", "{\"request_id\":\"r2\"}");
        assert_int_equal(again.revision, 2);
        assert_string_equal(text_of(a, "SELECT phone FROM customer"), "2");
        /* The order of keys says nothing. */
        again = ask_done(a, "customer.onboard", "", "{" LOCAL ",\"organization\":\"Contoso\"}", "{\"request_id\":\"r1\"}");
        assert_string_equal(first.text, again.text);
}

static void test_reused(void **state) {
        Asker *a = *state;

        ask_done(a, "customer.onboard", "", CONTOSO, "{\"request_id\":\"r1\"}");
        refused(a, PROBLEM_CONFLICT, "request-id-reused", "request_id", "customer.onboard", "", "{\"organization\":\"Contoso2\"," LOCAL "}", "{\"request_id\":\"r1\"}");
        ask_done(a, "customer.edit", "Contoso", "{\"phone\":\"1\"}", "{\"request_id\":\"r1\"}");
        refused(a, PROBLEM_CONFLICT, "request-id-reused", "request_id", "customer.edit", "admin@contoso.example", "{\"phone\":\"1\"}", "{\"request_id\":\"r1\"}");
        refused(a, PROBLEM_CONFLICT, "request-id-reused", "request_id", "customer.edit", "Contoso", "{\"phone\":\"1\"}", "{\"request_id\":\"r1\",\"revision\":2}");
        /* What was refused for that is not remembered in the first answer's place. */
        assert_int_equal(ask_done(a, "customer.edit", "Contoso", "{\"phone\":\"1\"}", "{\"request_id\":\"r1\"}").revision, 2);
        refused(a, PROBLEM_INVALID_ARGUMENT, "bad-request-id", "request_id", "customer.edit", "Contoso", "{\"phone\":\"3\"}", "{\"request_id\":\"\"}");
        refused(a, PROBLEM_INVALID_ARGUMENT, "wrong-type", "request_id", "customer.edit", "Contoso", "{\"phone\":\"3\"}", "{\"request_id\":7}");
        char id[130] = {};
        memset(id, 'x', 129);
        refused(a, PROBLEM_INVALID_ARGUMENT, "bad-request-id", "request_id", "customer.edit", "Contoso", "{\"phone\":\"3\"}",
                arena_printf(a->scratch->arena, "{\"request_id\":\"%s\"}", id));
        id[128] = 0;
        ask_done(a, "customer.edit", "Contoso", "{\"phone\":\"3\"}", arena_printf(a->scratch->arena, "{\"request_id\":\"%s\"}", id));
        /* Somebody else's is somebody else's. */
        a->caller = (Caller) { .uid = 1001, .user = "ada", .all = true };
        ask_done(a, "customer.edit", "Contoso", "{\"phone\":\"4\"}", "{\"request_id\":\"r1\"}");
        a->caller = (Caller) { .uid = 1000, .user = "ada", .behalf = "portal", .all = true };
        ask_done(a, "customer.edit", "Contoso", "{\"phone\":\"5\"}", "{\"request_id\":\"r1\"}");
        assert_string_equal(text_of(a, "SELECT phone FROM customer"), "5");
}

static void test_refusals_are_remembered(void **state) {
        Asker *a = *state;

        onboard(a, "Other", "admin@contoso.example");
        refused(a, PROBLEM_EXISTS, "account-exists", "registered_account", "customer.onboard", "", CONTOSO, "{\"request_id\":\"r1\"}");
        ask_done(a, "customer.edit", "Other", "{\"registered_account\":\"other@contoso.example\"}", NULL);
        Answer again = ask(a, "customer.onboard", "", CONTOSO, "{\"request_id\":\"r1\"}");
        ask_refused(a, PROBLEM_EXISTS, "account-exists", "registered_account", &again);
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer"), 1);
        assert_int_equal(count_of(a, "SELECT count(*) FROM audit WHERE request_id = 'r1'"), 1);
        ask_done(a, "customer.onboard", "", CONTOSO, "{\"request_id\":\"r2\"}");
}

/* A full disk is told and forgotten. */
static void test_full_disk_is_not_remembered(void **state) {
        Asker *a = *state;

        onboard(a, "Other", "other@contoso.example");
        shim_fail(&(ShimFault) { .operations = SHIM_WRITE, .files = SHIM_WAL, .code = SQLITE_FULL });
        Answer answer = ask(a, "customer.onboard", "", CONTOSO, "{\"request_id\":\"r1\"}");
        assert_int_equal(answer.end, TURN_NOT_DONE);
        turn_failure(a->scratch->db, &answer.problem);
        assert_string_equal(answer.problem.code, "disk-full");
        shim_heal();
        assert_int_equal(audits(a), 1);
        ask_done(a, "customer.onboard", "", CONTOSO, "{\"request_id\":\"r1\"}");
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer"), 2);
        assert_int_equal(audits(a), 2);
        assert_chain(a);
}

/* A turn in which one action loses the transaction: the others of it are lost, too, and none runs after it. */
static void test_broken_turn(void **state) {
        Asker *a = *state;
        Db *db = a->scratch->db;

        for (int i = 0; i < 100; i++)
                onboard(a, arena_printf(a->scratch->arena, "Org %d", i), arena_printf(a->scratch->arena, "o%d@x.example", i));
        int64_t before = audits(a);
        turn_begin(db);
        assert_int_equal(ask(a, "customer.edit", "Org 1", "{\"phone\":\"1\"}", "{\"request_id\":\"a\"}").result, 0);
        sqlite3_db_release_memory(db_handle(db));
        shim_fail(&(ShimFault) { .operations = SHIM_READ, .files = SHIM_FILES, .code = SQLITE_IOERR_READ });
        assert_true(ask(a, "customer.edit", "Org 99", "{\"organization\":\"New\",\"tags\":[\"x\"]}", "{\"request_id\":\"b\"}").result < 0);
        shim_heal();
        assert_true(turn_is_broken(db));
        assert_true(ask(a, "customer.edit", "Org 2", "{\"phone\":\"1\"}", "{\"request_id\":\"c\"}").result < 0);
        assert_int_equal(turn_end(db), TURN_NOT_DONE);
        scratch_close(a->scratch);
        scratch_open(a->scratch);
        assert_int_equal(audits(a), before);
        assert_int_equal(count_of(a, "SELECT count(*) FROM request"), 0);
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer WHERE phone IS NOT NULL OR organization = 'New'"), 0);
        assert_chain(a);
}

/* ---- dry runs ---- */

static const char *fingerprint(Asker *a) {
        return text_of(a, "SELECT (SELECT count(*) FROM audit) || '/' || (SELECT count(*) FROM request) || '/' || (SELECT count(*) FROM customer) || '/' ||"
                          " (SELECT count(*) FROM operation) || '/' || (SELECT count(*) FROM task) || '/' || (SELECT count(*) FROM pin) || '/' ||"
                          " (SELECT sum(revision) FROM customer)");
}

static void test_dry_runs_leave_nothing(void **state) {
        static const struct {
                const char *verb, *ids, *fields, *options;
                bool refused;
        } cases[] = {
                { "customer.onboard", "", "{\"organization\":\"New\",\"registered_account\":\"n@x.example\",\"first_name\":\"A\",\"last_name\":\"B\",\"country\":\"DE\"}", "", false },
                { "customer.onboard", "", CONTOSO, "", false },
                { "customer.onboard", "", "{\"organization\":7}", "", true },
                { "customer.edit", "Contoso", "{\"phone\":\"1\"}", "", false },
                { "customer.edit", "Contoso", "{\"phone\":\"1\"}", "\"revision\":9,", false },
                { "customer.edit", "Contoso|Other", "{\"phone\":\"1\"}", "", false },
                { "customer.edit", "", "{\"phone\":\"1\"}", "\"selector\":\"country = DE\",", false },
                { "customer.edit", "Nobody", "{\"phone\":\"1\"}", "", true },
                { "customer.mode", "Contoso", "{\"mode\":\"customer\"}", "", false },
                { "customer.pin", "Contoso", "{}", "", false },
                { "customer.disconnect", "Contoso", NULL, "\"confirm\":\"Contoso\",", false },
                { "customer.disconnect", "Contoso", NULL, "\"confirm\":\"contoso\",", false },
                { "view.save", "", "{\"name\":\"v\",\"selector\":\"tag = gold\"}", "", false },
                { "partner.set", "", NULL, "\"name\":\"MSP\",", false },
        };
        Asker *a = *state;

        onboard(a, "Contoso", "admin@contoso.example");
        onboard(a, "Other", "other@contoso.example");
        const char *before = fingerprint(a);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t n;
                Answer answer = ask(a, cases[i].verb, cases[i].ids, cases[i].fields,
                                    arena_printf(a->scratch->arena, "{%s\"dry_run\":true,\"request_id\":\"dry\"}", cases[i].options));
                if (answer.result != cases[i].refused)
                        fail_msg("case %zu: %d %s", i, answer.result, answer.problem.text);
                if (strcmp(fingerprint(a), before) != 0)
                        fail_msg("case %zu (%s) left something: %s, before %s", i, cases[i].verb, fingerprint(a), before);
                (void) turn_effects(a->scratch->db, &n);
                assert_int_equal(n, 0);
        }
        assert_int_equal(count_of(a, "SELECT count(*) FROM view"), 0);
        assert_int_equal(count_of(a, "SELECT count(*) FROM partner"), 0);
}

/* ---- disconnect ---- */

static void test_disconnect_and_back(void **state) {
        Asker *a = *state;

        ask_done(a, "customer.onboard", "", "{\"organization\":\"Contoso\",\"deliveries.service_reports.recipients\":[\"c@x.example\"],"
                                            "\"deliveries.service_reports.enabled\":true," LOCAL "}", NULL);
        refused(a, PROBLEM_INVALID_ARGUMENT, "missing", "confirm", "customer.disconnect", "Contoso", NULL, NULL);
        refused(a, PROBLEM_REFUSED, "name-differs", "confirm", "customer.disconnect", "Contoso", NULL, "{\"confirm\":\"contoso\"}");
        refused(a, PROBLEM_REFUSED, "not-disconnecting", "", "customer.reconnect", "Contoso", NULL, NULL);
        ask_done(a, "customer.disconnect", "Contoso", NULL, "{\"confirm\":\" Contoso \"}");
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer WHERE state = 'disconnecting' AND service_reports_enabled = 0"), 1);
        refused(a, PROBLEM_REFUSED, "already-disconnecting", "", "customer.disconnect", "Contoso", NULL, "{\"confirm\":\"Contoso\"}");

        a->now += 7 * USEC_DAY - 1;
        run_queue(a);
        ask_done(a, "customer.reconnect", "Contoso", NULL, NULL);
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer WHERE state = 'active' AND service_reports_enabled = 1 AND erase_after IS NULL"), 1);
        /* The erasure that was planned finds that it is not wanted. */
        a->now += USEC_DAY;
        run_queue(a);
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer"), 1);

        ask_done(a, "customer.disconnect", "Contoso", NULL, "{\"confirm\":\"Contoso\"}");
        /* Begun by a clock that has gone back since: it waits for the day, and is not over. */
        assert_int_equal(row_run(a->scratch->db, "UPDATE task SET due = 0 WHERE kind = 'erase' AND state = 'queued'", ""), 0);
        run_queue(a);
        assert_int_equal(count_of(a, "SELECT count(*) FROM task, customer WHERE task.kind = 'erase' AND task.state = 'waiting' AND due = erase_after"), 1);
        a->now += 7 * USEC_DAY;
        refused(a, PROBLEM_REFUSED, "grace-over", "", "customer.reconnect", "Contoso", NULL, NULL);
        run_queue(a);
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer"), 0);
        assert_int_equal(count_of(a, "SELECT count(*) FROM erasure WHERE completed IS NULL AND backups_until > erased"), 1);
        assert_string_equal(last_audit(a, "verb"), "customer.erase");
        assert_string_equal(last_audit(a, "user"), "system");
        assert_int_equal(count_of(a, "SELECT count(*) FROM audit_value WHERE customer IS NOT NULL"), 0);
        refused(a, PROBLEM_NOT_FOUND, "no-such-customer", "", "customer.pin", "Contoso", NULL, NULL);
        assert_chain(a);
}

/* One that a restore brought back, of those that had been erased: it is not reconnected, whatever the clock says since. */
static void test_erased_again_for_good(void **state) {
        Asker *a = *state;
        static const char *const names[] = { "Fresh", "Leaving" };

        ask_done(a, "customer.onboard", "", "{\"organization\":\"Fresh\"," LOCAL "}", NULL);
        ask_done(a, "customer.onboard", "", "{\"organization\":\"Leaving\",\"registered_account\":\"b@x.example\",\"first_name\":\"B\",\"last_name\":\"B\",\"country\":\"DE\"}", NULL);
        ask_done(a, "customer.disconnect", "Leaving", NULL, "{\"confirm\":\"Leaving\"}");
        const char *note = arena_printf(a->scratch->arena, "{\"epoch\":2,\"time\":1,\"uid\":0,\"user\":\"root\",\"digest\":\"%064d\",\"answer\":\"{}\",\"erased\":[\"%s\",\"%s\"]}",
                                        0, text_of(a, "SELECT lower(hex(id)) FROM customer WHERE n = 1"), text_of(a, "SELECT lower(hex(id)) FROM customer WHERE n = 2"));
        turn_begin(a->scratch->db);
        scratch_put(a->scratch->db, "restore-note", note);
        Context c = asker_context(a, a->scratch->arena);
        assert_int_equal(restore_begin_epoch(&c), 0);
        assert_int_equal(turn_end(a->scratch->db), TURN_DONE);
        a->now -= USEC_HOUR;
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                refused(a, PROBLEM_REFUSED, "grace-over", "", "customer.reconnect", names[i], NULL, NULL);
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer WHERE state = 'disconnecting'"), 2);
        assert_chain(a);
}

/* What was erased after the backup was judged is not among those that are erased again. */
static void test_restored_only_as_it_was_judged(void **state) {
        Asker *a = *state;
        const Request request = { .id = "", .query = &(Dict) {}, .fields = &(Dict) {}, .options = &(Dict) {}, .picture = "{}", .spool = "spool/x.db" };
        static const char *const none[] = { NULL };
        static const ChangeRow row = { "admin.restore", admin_restore, none };
        Context c = asker_context(a, a->scratch->arena);
        Problem problem = {};
        Buffer answer = {};

        ask_done(a, "customer.onboard", "", CONTOSO, NULL);
        ask_done(a, "customer.disconnect", "Contoso", NULL, "{\"confirm\":\"Contoso\"}");
        a->now += 8 * USEC_DAY;
        run_queue(a);
        assert_int_equal(count_of(a, "SELECT count(*) FROM erasure"), 1);
        turn_begin(a->scratch->db);
        assert_int_equal(action_change(&c, &row, &request, &answer, &problem), 1);
        assert_int_equal(problem.kind, PROBLEM_BUSY);
        assert_string_equal(problem.code, "erased-meanwhile");
        assert_false(turn_has_effect(a->scratch->db, EFFECT_RESTORE));
        Request again = request;
        again.newest_erasure = 1;
        assert_int_equal(action_change(&c, &row, &again, &answer, &problem), 0);
        assert_true(turn_has_effect(a->scratch->db, EFFECT_RESTORE));
        assert_int_equal(turn_end(a->scratch->db), TURN_DONE);
        buffer_done(&answer);
}

/* ---- mail ---- */

static void look_for_mail(Asker *a, int64_t couriers) {
        Context c = asker_context(a, a->scratch->arena);
        turn_begin(a->scratch->db);
        assert_int_equal(outbox_look(&c), 0);
        assert_int_equal(turn_end(a->scratch->db), TURN_DONE);
        assert_int_equal(count_of(a, "SELECT count(*) FROM task WHERE kind = 'mail' AND state IN ('queued', 'waiting')"), couriers);
}

static void test_mail_does_not_lie_when_its_courier_was_canceled(void **state) {
        Asker *a = *state;
        Context c = asker_context(a, a->scratch->arena);
        const Letter letter = { .event = "test", .address = "noc@msp.example" };

        look_for_mail(a, 0);
        turn_begin(a->scratch->db);
        assert_int_equal(outbox_put(&c, &letter, NULL), 0);
        assert_int_equal(turn_end(a->scratch->db), TURN_DONE);
        look_for_mail(a, 1);
        assert_int_equal(row_run(a->scratch->db, "UPDATE task SET state = 'canceled' WHERE kind = 'mail'", ""), 0);
        /* Somebody may be about to come. */
        look_for_mail(a, 0);
        a->now += 31 * USEC_SEC;
        look_for_mail(a, 1);
        look_for_mail(a, 1);
        /* One that waits for its relay is not helped by another. */
        assert_int_equal(row_run(a->scratch->db, "UPDATE task SET state = 'waiting' WHERE kind = 'mail' AND state = 'queued'", ""), 0);
        look_for_mail(a, 1);
}

/* ---- views and partner ---- */

static void test_views(void **state) {
        Asker *a = *state;

        ask_done(a, "view.save", "", "{\"name\":\"Gold\",\"selector\":\"tag = gold\",\"columns\":[\"organization\"],\"sort\":\"-created\"}", NULL);
        refused(a, PROBLEM_EXISTS, "view-exists", "name", "view.save", "", "{\"name\":\"Gold\"}", NULL);
        refused(a, PROBLEM_INVALID_ARGUMENT, "missing", "name", "view.save", "", "{\"selector\":\"tag = gold\"}", NULL);
        Answer answer = ask(a, "view.save", "", "{\"name\":\"Bad\",\"selector\":\"tag = (\"}", NULL);
        assert_int_equal(answer.result, 1);
        answer = ask(a, "view.save", "", "{\"name\":\"Bad\",\"columns\":[\"nonsense\"]}", NULL);
        assert_int_equal(answer.result, 1);
        answer = ask_done(a, "view.edit", "Gold", "{\"name\":\"Silver\",\"selector\":\"tag = silver\"}", "{\"revision\":1}");
        assert_int_equal(answer.revision, 2);
        refused(a, PROBLEM_CONFLICT, "stale-revision", "revision", "view.delete", "Silver", NULL, "{\"revision\":1}");
        refused(a, PROBLEM_NOT_FOUND, "no-such-view", "", "view.delete", "Gold", NULL, NULL);
        ask_done(a, "view.delete", "Silver", NULL, NULL);
        assert_int_equal(count_of(a, "SELECT count(*) FROM view"), 0);
        assert_chain(a);
}

static void test_partner(void **state) {
        Asker *a = *state;
        Answer answer = ask_done(a, "partner.set", "", NULL, "{\"name\":\"MSP\",\"currency\":\"CHF\"}");

        assert_int_equal(answer.revision, 1);
        assert_int_equal(ask_done(a, "partner.set", "", NULL, "{\"name\":\"MSP 2\",\"revision\":1}").revision, 2);
        refused(a, PROBLEM_CONFLICT, "stale-revision", "revision", "partner.set", "", NULL, "{\"name\":\"x\",\"revision\":1}");
        answer = ask(a, "partner.set", "", NULL, "{\"currency\":\"francs\"}");
        assert_int_equal(answer.result, 1);
        assert_string_equal(answer.problem.field, "currency");
        assert_string_equal(text_of(a, "SELECT name || currency FROM partner"), "MSP 2CHF");
        assert_int_equal(audits(a), 4);

        /* A logo goes with its bytes. */
        assert_int_equal(sqlite3_exec(db_handle(a->scratch->db), "UPDATE partner SET logo = '{}', logo_bytes = x'01'", NULL, NULL, NULL), SQLITE_OK);
        ask_done(a, "partner.set", "", NULL, "{\"name\":\"MSP 3\"}");
        assert_int_equal(count_of(a, "SELECT logo_bytes IS NOT NULL FROM partner"), 1);
        ask_done(a, "partner.set", "", NULL, "{\"clear\":[\"logo\"]}");
        assert_int_equal(count_of(a, "SELECT logo IS NULL AND logo_bytes IS NULL FROM partner"), 1);
}

static void forbid(Asker *a, const char *table, const char *when) {
        const char *sql = arena_printf(a->scratch->arena, "CREATE TEMP TRIGGER no BEFORE INSERT ON %s WHEN %s BEGIN SELECT RAISE(ABORT, 'not today'); END", table, when);
        assert_int_equal(sqlite3_exec(db_handle(a->scratch->db), sql, NULL, NULL, NULL), SQLITE_OK);
}

static void allow(Asker *a) {
        assert_int_equal(sqlite3_exec(db_handle(a->scratch->db), "DROP TRIGGER no", NULL, NULL, NULL), SQLITE_OK);
}

/* A change whose record cannot be written was not made; neither was one whose answer cannot be remembered. */
static void test_no_change_without_its_record(void **state) {
        Asker *a = *state;
        Answer contoso = onboard(a, "Contoso", "admin@contoso.example");
        int64_t before = audits(a);
        char id[ID_TEXT_SIZE];
        id_text(contoso.id, id);

        forbid(a, "audit", "new.outcome = 'ok'");
        Answer answer = ask(a, "customer.edit", id, "{\"phone\":\"1\"}", "{\"request_id\":\"r\"}");
        assert_true(answer.result < 0 && answer.end == TURN_DONE);
        assert_string_equal(answer.text, "");
        allow(a);
        assert_int_equal(count_of(a, "SELECT revision FROM customer"), 1);
        assert_int_equal(audits(a), before + 1);
        assert_string_equal(last_audit(a, "outcome"), "failed");

        forbid(a, "request", "true");
        answer = ask(a, "customer.edit", id, "{\"phone\":\"1\"}", "{\"request_id\":\"r\"}");
        assert_true(answer.result < 0 && answer.end == TURN_DONE);
        allow(a);
        assert_int_equal(count_of(a, "SELECT revision FROM customer"), 1);
        assert_string_equal(last_audit(a, "outcome"), "failed");

        ask_done(a, "customer.edit", id, "{\"phone\":\"1\"}", "{\"request_id\":\"r\"}");
        assert_int_equal(count_of(a, "SELECT revision FROM customer"), 2);
        assert_chain(a);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, asker_setup, asker_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_onboard),         TEST(test_required_fields),
                TEST(test_bad_values),      TEST(test_limits_count_characters),
                TEST(test_account_is_unique), TEST(test_edit),
                TEST(test_names_of_a_customer), TEST(test_modes),
                TEST(test_pins_are_the_callers), TEST(test_repeated),
                TEST(test_reused),          TEST(test_refusals_are_remembered),
                TEST(test_full_disk_is_not_remembered), TEST(test_broken_turn),
                TEST(test_no_change_without_its_record),
                TEST(test_dry_runs_leave_nothing), TEST(test_disconnect_and_back), TEST(test_erased_again_for_good),
                TEST(test_restored_only_as_it_was_judged), TEST(test_mail_does_not_lie_when_its_courier_was_canceled),
                TEST(test_views),           TEST(test_partner),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

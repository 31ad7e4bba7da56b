/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/files.h"
#include "common/json.h"
#include "daemon/store/audit-store.h"
#include "daemon/task/import.h"
#include "tests/action/asked.h"

/* Operations from the call to the last item, with the queue run inline: counts equal items, each item once, whatever
 * happens between two slices. */

static void onboard_many(Asker *a, int n, const char *marker) {
        for (int i = 0; i < n; i++)
                onboard(a, arena_printf(a->scratch->arena, "%s %d", marker, i), arena_printf(a->scratch->arena, "%s%d@x.example", marker, i));
}

/* What the checker of the kill tests asks of every operation. */
static void assert_sound(Asker *a) {
        AuditVerdict v;

        assert_int_equal(count_of(a, "SELECT count(*) FROM operation o WHERE (SELECT count(*) FROM operation_item i WHERE i.operation = o.n AND outcome = 'ok') <> ok"
                                     " OR (SELECT count(*) FROM operation_item i WHERE i.operation = o.n AND outcome = 'refused') <> refused"
                                     " OR (SELECT count(*) FROM operation_item i WHERE i.operation = o.n AND outcome = 'failed') <> failed"), 0);
        assert_int_equal(count_of(a, "SELECT count(*) FROM operation WHERE state <> 'running' AND (done <> total OR ok + refused + failed + canceled <> done"
                                     " OR finished IS NULL)"), 0);
        assert_int_equal(count_of(a, "SELECT count(*) FROM operation o WHERE (SELECT count(*) FROM audit u WHERE u.operation = o.id) <>"
                                     " (SELECT count(*) FROM operation_item i WHERE i.operation = o.n)"), 0);
        assert_int_equal(count_of(a, "SELECT count(*) FROM (SELECT operation, customer FROM operation_item WHERE customer IS NOT NULL AND outcome = 'ok'"
                                     " GROUP BY 1, 2 HAVING count(*) > 1)"), 0);
        assert_int_equal(audit_verify(a->scratch->db, &v), 0);
        assert_int_equal(v.broken, 0);
}

static const char *state_of(Asker *a, Id id) {
        char text[ID_TEXT_SIZE];
        return text_of(a, arena_printf(a->scratch->arena, "SELECT state || ' ' || done || '/' || total || ' ' || ok || ' ' || refused || ' ' || failed || ' ' || canceled"
                                                          " FROM operation WHERE id = x'%s'", id_text(id, text)));
}

static const char *id_of(Asker *a, Id id) {
        return id_text(id, arena_alloc(a->scratch->arena, ID_TEXT_SIZE));
}

static void test_selector(void **state) {
        Asker *a = *state;

        onboard_many(a, 600, "Org");
        ask_done(a, "customer.edit", "Org 7", "{\"country\":\"AT\"}", NULL);
        Answer o = ask_done(a, "customer.edit", "", "{\"phone\":\"1\",\"tags\":[\"x\"]}", "{\"selector\":\"country = DE\"}");
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer WHERE phone IS NOT NULL"), 0);
        run_queue(a);
        assert_string_equal(state_of(a, o.id), "finished 599/599 599 0 0 0");
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer WHERE phone = '1'"), 599);
        assert_int_equal(count_of(a, "SELECT count(*) FROM task WHERE state = 'done'"), 1);
        assert_sound(a);
}

/* A selector is an operation even if it matches one, or none. */
static void test_small_ones(void **state) {
        Asker *a = *state;

        onboard_many(a, 2, "Org");
        Answer one = ask_done(a, "customer.edit", "", "{\"phone\":\"1\"}", "{\"selector\":\"organization = \\\"Org 1\\\"\"}");
        Answer none = ask_done(a, "customer.edit", "", "{\"phone\":\"2\"}", "{\"selector\":\"country = FR\"}");
        Answer twice = ask_done(a, "customer.edit", "Org 0|Org 0|Org 1", "{\"phone\":\"3\"}", NULL);
        run_queue(a);
        assert_string_equal(state_of(a, one.id), "finished 1/1 1 0 0 0");
        assert_string_equal(state_of(a, none.id), "finished 0/0 0 0 0 0");
        assert_string_equal(state_of(a, twice.id), "finished 2/2 2 0 0 0");
        assert_sound(a);
}

static void test_refused_items(void **state) {
        Asker *a = *state;

        onboard_many(a, 3, "Org");
        ask_done(a, "customer.mode", "Org 1", "{\"mode\":\"customer\"}", NULL);
        Answer o = ask_done(a, "customer.mode", "Org 0|Org 1|Org 2", "{\"mode\":\"partner\"}", NULL);
        run_queue(a);
        assert_string_equal(state_of(a, o.id), "partially-failed 3/3 2 1 0 0");
        assert_string_equal(text_of(a, "SELECT organization || ' ' || reason FROM operation_item WHERE outcome = 'refused'"), "Org 1 take-back-needed");
        assert_int_equal(count_of(a, "SELECT count(*) FROM operation_item WHERE outcome = 'refused' AND message IS NOT NULL AND customer_id IS NOT NULL"), 1);
        Answer all = ask_done(a, "customer.edit", "Org 0|Org 1|Org 2", "{\"registered_account\":\"org2@x.example\"}", NULL);
        run_queue(a);
        assert_string_equal(state_of(a, all.id), "partially-failed 3/3 1 2 0 0");

        Answer again = ask_done(a, "operation.retry", id_of(a, all.id), NULL, NULL);
        run_queue(a);
        assert_string_equal(state_of(a, again.id), "failed 2/2 0 2 0 0");
        ask_done(a, "customer.edit", "Org 2", "{\"registered_account\":\"free@x.example\"}", NULL);
        again = ask_done(a, "operation.retry", id_of(a, again.id), NULL, NULL);
        run_queue(a);
        assert_string_equal(state_of(a, again.id), "partially-failed 2/2 1 1 0 0");
        assert_sound(a);

        Answer answer = ask(a, "operation.retry", id_of(a, onboard(a, "x", "x@x.example").id), NULL, NULL);
        ask_refused(a, PROBLEM_NOT_FOUND, "no-such-operation", "", &answer);
        Answer done = ask_done(a, "customer.edit", "Org 0|Org 2", "{\"phone\":\"5\"}", NULL);
        answer = ask(a, "operation.retry", id_of(a, done.id), NULL, NULL);
        ask_refused(a, PROBLEM_REFUSED, "still-running", "", &answer);
        run_queue(a);
        answer = ask(a, "operation.retry", id_of(a, done.id), NULL, NULL);
        ask_refused(a, PROBLEM_REFUSED, "nothing-to-retry", "", &answer);
}

static void test_revert(void **state) {
        Asker *a = *state;

        onboard_many(a, 4, "Org");
        ask_done(a, "customer.edit", "Org 0", "{\"phone\":\"old\",\"tags\":[\"a\"],\"custom\":{\"k\":\"v\"}}", NULL);
        ask_done(a, "customer.edit", "Org 1", "{\"contacts\":[{\"address\":\"c@x.example\",\"role\":\"billing\"}],\"language\":\"de\"}", NULL);
        const char *content = "SELECT group_concat(organization || coalesce(phone,'-') || tags || custom || contacts || coalesce(language,'-') || coalesce(last_name,'-'), '|')"
                              " FROM (SELECT * FROM customer ORDER BY n)";
        const char *before = text_of(a, content);
        Answer o = ask_done(a, "customer.edit", "Org 0|Org 1|Org 2", "{\"phone\":\"new\",\"clear\":[\"tags\",\"custom\",\"contacts\",\"language\"],\"last_name\":\"X\"}", NULL);
        run_queue(a);
        assert_string_not_equal(text_of(a, content), before);
        Answer reverted = ask_done(a, "operation.revert", id_of(a, o.id), NULL, NULL);
        run_queue(a);
        assert_string_equal(state_of(a, reverted.id), "finished 3/3 3 0 0 0");
        assert_string_equal(text_of(a, content), before);

        /* A symbol is not kept: without it the customer would not be what it was. */
        assert_int_equal(sqlite3_exec(db_handle(a->scratch->db), "UPDATE customer SET symbol = '{\"type\":\"png\"}' WHERE organization = 'Org 0'", NULL, NULL, NULL), SQLITE_OK);
        o = ask_done(a, "customer.edit", "Org 0|Org 1", "{\"phone\":\"new\",\"clear\":[\"symbol\"]}", NULL);
        run_queue(a);
        reverted = ask_done(a, "operation.revert", id_of(a, o.id), NULL, NULL);
        run_queue(a);
        assert_string_equal(state_of(a, reverted.id), "partially-failed 2/2 1 1 0 0");
        assert_string_equal(text_of(a, "SELECT reason FROM operation_item WHERE outcome = 'refused'"), "symbol-gone");
        assert_string_equal(text_of(a, "SELECT phone FROM customer WHERE organization = 'Org 0'"), "new");

        /* What was changed since is somebody's wish. */
        o = ask_done(a, "customer.edit", "Org 2|Org 3", "{\"phone\":\"new\"}", NULL);
        run_queue(a);
        ask_done(a, "customer.edit", "Org 3", "{\"phone\":\"newer\"}", NULL);
        reverted = ask_done(a, "operation.revert", id_of(a, o.id), NULL, NULL);
        run_queue(a);
        assert_string_equal(state_of(a, reverted.id), "partially-failed 2/2 1 1 0 0");
        assert_string_equal(text_of(a, "SELECT reason FROM operation_item WHERE outcome = 'refused' ORDER BY operation DESC"), "changed-since");
        assert_string_equal(text_of(a, "SELECT phone FROM customer WHERE organization = 'Org 3'"), "newer");
        assert_null(text_of(a, "SELECT phone FROM customer WHERE organization = 'Org 2'"));
        assert_sound(a);
}

static void test_cancel(void **state) {
        Asker *a = *state;

        onboard_many(a, 700, "Org");
        Answer o = ask_done(a, "customer.edit", "", "{\"phone\":\"1\"}", "{\"selector\":\"country = DE\"}");
        while (count_of(a, "SELECT ok FROM operation") == 0)
                queue_turn(a, false);
        int64_t done = count_of(a, "SELECT ok FROM operation");
        if (done < 700) {
                ask_done(a, "operation.cancel", id_of(a, o.id), NULL, NULL);
                run_queue(a);
                done = count_of(a, "SELECT ok FROM operation");
                assert_string_equal(state_of(a, o.id), arena_printf(a->scratch->arena, "canceled 700/700 %lld 0 0 %lld", (long long) done, (long long) (700 - done)));
        }
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer WHERE phone = '1'"), done);
        Answer answer = ask(a, "operation.cancel", id_of(a, o.id), NULL, NULL);
        ask_refused(a, PROBLEM_REFUSED, "not-running", "", &answer);
        Answer before = ask_done(a, "customer.edit", "Org 1|Org 2", "{\"phone\":\"2\"}", NULL);
        ask_done(a, "operation.cancel", id_of(a, before.id), NULL, NULL);
        run_queue(a);
        assert_string_equal(state_of(a, before.id), "canceled 2/2 0 0 0 2");
        /* What it never came to did not fail. */
        answer = ask(a, "operation.retry", id_of(a, before.id), NULL, NULL);
        ask_refused(a, PROBLEM_REFUSED, "nothing-to-retry", "", &answer);
        assert_sound(a);
}

/* Goes on with the queue until the operation ends. Now and then the disk is full, and the daemon dies of something else. */
static void run_through_deaths(Asker *a, const char *done) {
        for (int i = 0, deaths = 0; str_equal(text_of(a, "SELECT state FROM operation"), "running"); i++) {
                bool dies = i % 4 == 3 && deaths < 15;
                assert_true(i < 1000);
                queue_turn(a, dies);
                if (dies) {
                        recover_queue(a);
                        deaths++;
                }
                assert_int_equal(count_of(a, done), count_of(a, "SELECT ok FROM operation"));
                assert_sound(a);
        }
}

/* Turns that a full disk takes back, and deaths, between the slices. */
static void test_lost_turns_and_deaths(void **state) {
        Asker *a = *state;

        onboard_many(a, 900, "Org");
        Answer o = ask_done(a, "customer.edit", "", "{\"phone\":\"1\",\"country\":\"AT\"}", "{\"selector\":\"country = DE\"}");
        run_through_deaths(a, "SELECT count(*) FROM customer WHERE phone = '1'");
        assert_string_equal(state_of(a, o.id), "finished 900/900 900 0 0 0");
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer WHERE revision = 2"), 900);
        assert_sound(a);
}

/* ---- import ---- */

static const Dict *map_of(const Dict *fields, const char *key) {
        static const Dict empty;
        const Value *v = dict_find(fields, key);
        return v ? v->map : &empty;
}

static Answer import(Asker *a, const char *text, const char *fields) {
        Arena *arena = a->scratch->arena;
        Answer answer = { .end = TURN_NOT_DONE };
        _cleanup_(buffer_done) Buffer b = {};
        Dict f = {}, none = {};
        char id[ID_TEXT_SIZE];
        ImportFile *file;
        Context c = asker_context(a, arena);

        (void) mkdir(scratch_path(a->scratch, "spool"), 0700);
        assert_int_equal(dict_read_json(arena, fields ?: "{}", strlen(fields ?: "{}"), &f), 0);
        answer.result = import_file_open(arena, text, strlen(text), map_of(&f, "map"), map_of(&f, "set"), &file, &answer.problem);
        if (answer.result != 0)
                return answer;
        const Request request = {
                .id = "", .query = &none, .fields = &f, .options = &none, .lines = import_file_lines(file), .file_digest = "",
                .spool = arena_printf(arena, "spool/%s.csv", id_text(id_new(), id)),
        };
        assert_int_equal(file_write(scratch_path(a->scratch, request.spool), text, strlen(text), 0600), 0);
        const ChangeRow row = { "customer.import", customer_import, NULL };
        turn_begin(a->scratch->db);
        answer.result = action_change(&c, &row, &request, &b, &answer.problem);
        answer.end = turn_end(a->scratch->db);
        assert_int_equal(answer.result, 0);
        const char *at = strstr(buffer_string(&b), "\"id\":\"");
        assert_non_null(at);
        char hex[ID_TEXT_SIZE] = {};
        memcpy(hex, at + 6, 32);
        assert_true(id_parse(hex, &answer.id));
        return answer;
}

static void assert_spool_is_empty(Asker *a) {
        assert_int_equal(rmdir(scratch_path(a->scratch, "spool")), 0);
        assert_int_equal(mkdir(scratch_path(a->scratch, "spool"), 0700), 0);
}

#define HEADER "organization,registered_account,first_name,last_name,country,phone\n"

static void test_import(void **state) {
        Asker *a = *state;
        const char *file = HEADER "One,one@x.example,A,B,DE,\nTwo,two@x.example,A,B,Germany,\nBad,no-address,A,B,DE,\nNone,none@x.example,,B,DE,\n"
                                  "Three,three@x.example,A,B,DE,1,surplus\nFour,ONE@x.example,A,B,DE,\n";

        Answer o = import(a, file, NULL);
        run_queue(a);
        assert_string_equal(state_of(a, o.id), "partially-failed 6/6 2 4 0 0");
        assert_string_equal(text_of(a, "SELECT group_concat(line || ' ' || coalesce(reason, '-'), ',') FROM (SELECT * FROM operation_item ORDER BY n)"),
                            "2 -,3 -,4 failed,5 missing,6 failed,7 failed");
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer"), 2);
        assert_sound(a);
        assert_spool_is_empty(a);

        /* Again: what is there already is so. */
        o = import(a, HEADER "One,one@x.example,A,B,DE,\nTwo,TWO@x.example,A,B,,7\n", NULL);
        run_queue(a);
        assert_string_equal(state_of(a, o.id), "partially-failed 2/2 1 1 0 0");
        assert_int_equal(count_of(a, "SELECT count(*) FROM operation_item WHERE reason = 'exists' AND outcome = 'ok'"), 1);
        assert_int_equal(count_of(a, "SELECT count(*) FROM operation_item WHERE reason = 'already-managed' AND outcome = 'refused' AND message LIKE '%phone%'"), 1);
        o = import(a, HEADER "One,one@x.example,A,B,DE,\nTwo,TWO@x.example,A,B,,7\n", "{\"update\":true}");
        run_queue(a);
        assert_string_equal(state_of(a, o.id), "finished 2/2 2 0 0 0");
        assert_string_equal(text_of(a, "SELECT phone || registered_account FROM customer WHERE organization = 'Two'"), "7two@x.example");
        o = import(a, HEADER, NULL);
        run_queue(a);
        assert_string_equal(state_of(a, o.id), "finished 0/0 0 0 0 0");
        assert_sound(a);
        assert_spool_is_empty(a);
}

/* One account for every line: it stands on the first of them, and the others are told so. */
static void test_import_with_one_account(void **state) {
        Asker *a = *state;
        Buffer b = {};

        buffer_add_string(&b, "organization,first_name,last_name,country,registered_account\n");
        for (int i = 0; i < 300; i++)
                buffer_printf(&b, "Line %d,A,B,DE,%s\n", i, i % 3 == 2 ? "own@x.example" : "");
        Answer o = import(a, buffer_string(&b), "{\"set\":{\"registered_account\":\"all@x.example\"}}");
        buffer_done(&b);
        run_queue(a);
        assert_string_equal(state_of(a, o.id), "partially-failed 300/300 2 298 0 0");
        assert_int_equal(count_of(a, "SELECT count(*) FROM operation_item WHERE message LIKE 'all@x.example stands on line 2 %'"), 199);
        assert_int_equal(count_of(a, "SELECT count(*) FROM operation_item WHERE message LIKE 'own@x.example stands on line 4 %'"), 99);
        assert_sound(a);
}

/* What a line or a header calls itself may be as long as the file; what is kept and told of it is not. */
static void test_import_of_long_names(void **state) {
        Asker *a = *state;
        Buffer b = {};
        Problem problem;
        ImportFile *file;

        buffer_add_string(&b, HEADER);
        for (int i = 0; i < 100000; i++)
                buffer_add_string(&b, "ü");
        buffer_add_string(&b, ",long@x.example,A,B,DE,\n");
        import(a, buffer_string(&b), NULL);
        run_queue(a);
        assert_int_equal(count_of(a, "SELECT length(organization) FROM operation_item"), 400);
        assert_int_equal(import_file_open(a->scratch->arena, buffer_string(&b) + strlen(HEADER), b.size - strlen(HEADER), &(Dict) {}, &(Dict) {}, &file, &problem), 0);
        assert_in_range(strlen(import_file_unused(file)), 100, 1000);
        assert_true(utf8_valid(import_file_unused(file), strlen(import_file_unused(file))));
        buffer_done(&b);
}

static void test_import_through_deaths(void **state) {
        Asker *a = *state;
        _cleanup_(buffer_done) Buffer b = {};

        buffer_add_string(&b, HEADER);
        for (int i = 0; i < 1200; i++)
                buffer_printf(&b, "Org %d,o%d@x.example,A,B,%s,\n", i, i, i % 100 == 99 ? "XX" : "DE");
        Answer o = import(a, buffer_string(&b), NULL);
        run_through_deaths(a, "SELECT count(*) FROM customer");
        assert_string_equal(state_of(a, o.id), "partially-failed 1200/1200 1188 12 0 0");
        assert_int_equal(count_of(a, "SELECT count(DISTINCT line) FROM operation_item"), 1200);
        assert_sound(a);
        assert_spool_is_empty(a);
}

/* The file of an import vanished: the operation ends, and says so. */
static void test_import_without_its_file(void **state) {
        Asker *a = *state;

        Answer o = import(a, HEADER "One,one@x.example,A,B,DE,\nTwo,two@x.example,A,B,DE,\n", NULL);
        assert_int_equal(system(arena_printf(a->scratch->arena, "rm '%s'/spool/*", a->scratch->directory)), 0);
        run_queue(a);
        assert_string_equal(text_of(a, "SELECT state FROM operation"), "failed");
        assert_int_equal(count_of(a, "SELECT done = total AND failed = total FROM operation"), 1);
        assert_string_equal(text_of(a, "SELECT state FROM task"), "failed");
        (void) o;
}

/* ---- erasure, of everything that any of these left ---- */

static size_t occurrences(Asker *a, const char *name, const char *marker) {
        const char *path = scratch_path(a->scratch, name);
        if (access(path, F_OK) < 0)
                return 0;
        _cleanup_(buffer_done) Buffer b = scratch_bytes(path);
        size_t n = 0, length = strlen(marker);
        for (size_t i = 0; i + length <= b.size; i++)
                n += strncasecmp(b.data + i, marker, length) == 0;
        return n;
}

#define MARKER "Zq8Marker"

static void plant(Asker *a) {
        static const char everything[] =
                "{\"organization\":\"" MARKER " GmbH\",\"registered_account\":\"" MARKER "@x.example\",\"first_name\":\"" MARKER "\",\"last_name\":\"" MARKER "\","
                "\"country\":\"DE\",\"phone\":\"" MARKER "\",\"tags\":[\"" MARKER "\"],\"contacts\":[{\"name\":\"" MARKER "\",\"address\":\"" MARKER "@y.example\",\"role\":\"billing\"}],"
                "\"custom\":{\"" MARKER "\":\"" MARKER "\"},\"deliveries.billing.recipients\":[\"" MARKER "@z.example\"],"
                "\"deliveries.service_reports.recipients\":[\"" MARKER "@r.example\"]}";

        ask_done(a, "customer.onboard", "", everything, "{\"request_id\":\"plant\"}");
        onboard(a, "Other", "other@x.example");
        ask_done(a, "customer.edit", MARKER " GmbH", "{\"phone\":\"" MARKER " 2\"}", "{\"request_id\":\"plant\"}");
        ask_done(a, "customer.pin", MARKER " GmbH", NULL, NULL);
        /* In operations: of several, by selector, of a refused item, reverted and retried. */
        Answer o = ask_done(a, "customer.edit", MARKER " GmbH|Other", "{\"phone\":\"" MARKER " 3\",\"custom\":{\"k\":\"" MARKER "\"}}", NULL);
        run_queue(a);
        ask_done(a, "operation.revert", id_of(a, o.id), NULL, NULL);
        run_queue(a);
        ask_done(a, "customer.edit", "", "{\"last_name\":\"" MARKER "\"}", "{\"selector\":\"organization ~ \\\"" MARKER "\\\"\"}");
        run_queue(a);
        ask_done(a, "customer.edit", MARKER " GmbH|Other", "{\"registered_account\":\"" MARKER "@X.example\"}", NULL);
        run_queue(a);
        /* In imports: equal, differing, refused. */
        import(a, HEADER MARKER " GmbH," MARKER "@x.example,,,,\n", NULL);
        import(a, HEADER MARKER " GmbH," MARKER "@x.example," MARKER " 4,,,\n", NULL);
        import(a, HEADER MARKER " GmbH," MARKER "@x.example," MARKER " 5,,FR,\n", "{\"update\":true}");
        run_queue(a);
        /* In what was refused. */
        (void) ask(a, "customer.onboard", "", everything, "{\"request_id\":\"again\"}");
        (void) ask(a, "customer.edit", MARKER " GmbH", "{\"country\":\"" MARKER "\"}", "{\"request_id\":\"refused\"}");
        (void) ask(a, "customer.edit", MARKER, "{\"country\":\"DE\"}", NULL);
        (void) ask(a, "customer.disconnect", MARKER " GmbH", NULL, "{\"confirm\":\"" MARKER "\"}");
}

static void test_erased_everywhere(void **state) {
        Asker *a = *state;

        plant(a);
        assert_true(occurrences(a, "tenantd.db-wal", MARKER) > 50);
        ask_done(a, "customer.disconnect", MARKER " GmbH", NULL, "{\"confirm\":\"" MARKER " GmbH\"}");
        a->now += 7 * USEC_DAY;
        run_queue(a);
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer"), 1);
        /* The other customer was given the marker as well, by the same operation; it takes it back. */
        ask_done(a, "customer.edit", "Other", "{\"clear\":[\"phone\",\"custom\"],\"last_name\":\"B\"}", NULL);
        turn_begin(a->scratch->db);
        bool done = false;
        assert_int_equal(row_run(a->scratch->db, "UPDATE customer SET erase_after = 1", ""), 0);
        while (!done)
                assert_int_equal(audit_erase_values(a->scratch->db, count_of(a, "SELECT n FROM customer"), 100, &done), 0);
        assert_int_equal(row_run(a->scratch->db, "UPDATE operation_item SET before = NULL, after = NULL, message = NULL WHERE organization = 'Other'", ""), 0);
        assert_int_equal(turn_end(a->scratch->db), TURN_DONE);
        assert_int_equal(db_vacuum(a->scratch->db), 0);
        if (occurrences(a, "tenantd.db", MARKER) > 0) {
                int unused = system(arena_printf(a->scratch->arena, "sqlite3 'file:%s/tenantd.db?immutable=1' .dump 2>/dev/null | grep -i " MARKER, a->scratch->directory));
                (void) unused;
                fail_msg("%zu markers are left", occurrences(a, "tenantd.db", MARKER));
        }
        assert_int_equal(occurrences(a, "tenantd.db-wal", MARKER), 0);
        assert_spool_is_empty(a);
        assert_sound(a);
        /* What was erased cannot be done again by accident. */
        for (int64_t n = count_of(a, "SELECT max(n) FROM operation"); n > 0; n--) {
                const char *id = text_of(a, arena_printf(a->scratch->arena, "SELECT lower(hex(id)) FROM operation WHERE n = %lld", (long long) n));
                (void) ask(a, "operation.retry", id, NULL, NULL);
                (void) ask(a, "operation.revert", id, NULL, NULL);
        }
        run_queue(a);
        assert_int_equal(count_of(a, "SELECT count(*) FROM customer WHERE n > 2 OR organization <> 'Other' OR phone IS NOT NULL"), 0);
        assert_sound(a);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, asker_setup, asker_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_selector),         TEST(test_small_ones),
                TEST(test_refused_items),    TEST(test_revert),
                TEST(test_cancel),           TEST(test_lost_turns_and_deaths),
                TEST(test_import),           TEST(test_import_through_deaths),
                TEST(test_import_with_one_account), TEST(test_import_of_long_names),
                TEST(test_import_without_its_file), TEST(test_erased_everywhere),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

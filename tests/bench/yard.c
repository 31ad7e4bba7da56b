/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The yardsticks: what the same work costs with nothing of ours around it. Each prints one number.
 *
 *   yard edits DIR COLUMN SECONDS      raw SQLite, 64 edits to a transaction, checkpoints included: edits a second
 *   yard imports DIR LINES             raw SQLite inserting the rows an import writes, 250 to a transaction: lines a second
 *   yard enqueue DIR BATCH SECONDS     raw SQLite inserting tasks, BATCH to a commit: tasks a second
 *   yard claims DIR N SECONDS          raw SQLite claiming and settling tasks, N to a commit: tasks a second
 *   yard commit DIR                    one FULL commit of one row: median in µs
 *   yard replier ADDRESS NAME FILE     a bus service that answers List with the file's text and Get with an a{sv} of the
 *                                      same shape from memory (until killed)
 *   yard minimal ADDRESS NAME DIR      a minimal sd-bus + SQLite daemon (until killed) */
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/memory.h"
#include "daemon/store/schema.h"

static sqlite3 *db;

static void must(int rc, const char *what) {
        if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW) {
                fprintf(stderr, "yard: %s: %s\n", what, sqlite3_errmsg(db));
                exit(1);
        }
}

static void open_db(const char *dir) {
        char path[4200];
        snprintf(path, sizeof(path), "%s/tenantd.db", dir);
        must(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix-excl"), "open");
        must(sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_spill=OFF; PRAGMA cache_size=-16000;", NULL, NULL, NULL), "pragmas");
        int version = 0;
        sqlite3_stmt *s;
        sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL);
        if (sqlite3_step(s) == SQLITE_ROW)
                version = sqlite3_column_int(s, 0);
        sqlite3_finalize(s);
        if (version == 0)
                must(sqlite3_exec(db, schema_sql, NULL, NULL, NULL), "schema");
}

static sqlite3_stmt *prepare(const char *sql) {
        sqlite3_stmt *s;
        must(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL), sql);
        return s;
}

static void run(sqlite3_stmt *s) {
        int rc;
        while ((rc = sqlite3_step(s)) == SQLITE_ROW)
                ;
        must(rc, sqlite3_sql(s));
        sqlite3_reset(s);
}

static void exec(const char *sql) {
        must(sqlite3_exec(db, sql, NULL, NULL, NULL), sql);
}

static int64_t number(const char *sql) {
        sqlite3_stmt *s = prepare(sql);
        int64_t n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
        sqlite3_finalize(s);
        return n;
}

static sqlite3_stmt *audit, *value, *request;

static void audit_prepare(void) {
        audit = prepare("INSERT INTO audit(n, format, time, uid, user, verb, object, outcome, digest, chain) VALUES(?,1,?,0,'root','customer.edit',?,'ok',?,?)");
        value = prepare("INSERT INTO audit_value(audit, customer, salt, before, after) VALUES(?,?,?,?,?)");
        request = prepare("INSERT INTO request(uid, behalf, method, id, format, digest, created, answer) VALUES(0,'','customer.edit',?,1,?,?,?)");
}

static void audit_row(int64_t n, int64_t customer) {
        static const char bytes[32], before[60] = "{\"phone\":\"+49 30 1234567890\"}", after[60] = "{\"phone\":\"+49 30 0987654321\"}";
        sqlite3_bind_int64(audit, 1, n);
        sqlite3_bind_int64(audit, 2, n);
        sqlite3_bind_text(audit, 3, "0123456789abcdef0123456789abcdef", 32, SQLITE_STATIC);
        sqlite3_bind_blob(audit, 4, bytes, 32, SQLITE_STATIC);
        sqlite3_bind_blob(audit, 5, bytes, 32, SQLITE_STATIC);
        run(audit);
        sqlite3_bind_int64(value, 1, n);
        sqlite3_bind_int64(value, 2, customer);
        sqlite3_bind_blob(value, 3, bytes, 16, SQLITE_STATIC);
        sqlite3_bind_text(value, 4, before, -1, SQLITE_STATIC);
        sqlite3_bind_text(value, 5, after, -1, SQLITE_STATIC);
        run(value);
}

static void edits(const char *dir, const char *column, double seconds) {
        static const char *const countries[] = { "DE", "AT", "FR", "US", "GB", "IT", "ES", "SE" };
        char sql[200], text[40];
        open_db(dir);
        int64_t top = number("SELECT max(n) FROM customer"), n = number("SELECT coalesce(max(n), 0) FROM audit"), count = 0;
        sqlite3_stmt *first = prepare("SELECT n FROM customer WHERE n = ?"), *second = prepare("SELECT digest FROM request WHERE uid = 0 AND behalf = '' AND method = 'customer.edit' AND id = ?");
        snprintf(sql, sizeof(sql), "UPDATE customer SET revision = revision + 1, %s = ? WHERE n = ?", column);
        sqlite3_stmt *update = prepare(sql);
        audit_prepare();
        Usec begin = clock_monotonic(), end = begin + (Usec) (seconds * 1e6);
        while (clock_monotonic() < end) {
                exec("BEGIN");
                for (int i = 0; i < 64; i++, count++) {
                        int64_t customer = 1 + (count * 7919) % MIN(top, (int64_t) 20000);
                        snprintf(text, sizeof(text), "y%lld-%lld", (long long) begin, (long long) count);
                        sqlite3_bind_int64(first, 1, customer);
                        run(first);
                        sqlite3_bind_text(second, 1, text, -1, SQLITE_STATIC);
                        run(second);
                        sqlite3_bind_text(update, 1, strcmp(column, "country") == 0 ? countries[count % 8] : text, -1, SQLITE_STATIC);
                        sqlite3_bind_int64(update, 2, customer);
                        run(update);
                        audit_row(++n, customer);
                        sqlite3_bind_text(request, 1, text, -1, SQLITE_STATIC);
                        sqlite3_bind_blob(request, 2, "0123456789abcdef0123456789abcdef", 32, SQLITE_STATIC);
                        sqlite3_bind_int64(request, 3, n);
                        sqlite3_bind_text(request, 4, "{\"id\":\"0123456789abcdef0123456789abcdef\",\"revision\":12}", -1, SQLITE_STATIC);
                        run(request);
                }
                exec("COMMIT");
        }
        printf("%.1f\n", (double) count * 1e6 / (double) (clock_monotonic() - begin));
}

static void random_blob(sqlite3_stmt *s, int i) {
        uint64_t id[2] = { (uint64_t) random() << 32 | (uint64_t) random(), (uint64_t) random() << 32 | (uint64_t) random() };
        sqlite3_bind_blob(s, i, id, sizeof(id), SQLITE_TRANSIENT);
}

static void imports(const char *dir, int lines) {
        open_db(dir);
        sqlite3_stmt *customer = prepare("INSERT INTO customer(n, id, revision, organization, organization_key, registered_account, account_key, account_type,"
                                         " first_name, last_name, country, phone, tags, state, management_mode, status, status_reason, created)"
                                         " VALUES(?,?,1,?,?,?,?,'local','Ada','Example',?,'+49 30 1234567','[\"gold\"]','active','partner','not-applicable','no backup subscription',?)");
        sqlite3_stmt *tag = prepare("INSERT INTO customer_tag(tag, organization_key, organization, id, tag_key, customer) VALUES('gold',?,?,?,'gold',?)");
        sqlite3_stmt *item = prepare("INSERT INTO operation_item(operation, n, line, customer, customer_id, organization, after, outcome, finished)"
                                     " VALUES(1,?,?,?,?,?,'{\"organization\":\"Alpine Harbor 0000001\",\"country\":\"DE\"}','ok',?)");
        static const char *const countries[] = { "DE", "AT", "FR", "US", "GB", "IT", "ES", "SE" };
        char name[80], key[80], account[80];
        audit_prepare();
        Usec begin = clock_monotonic();
        for (int i = 1; i <= lines; i++) {
                if (i % 250 == 1)
                        exec("BEGIN");
                snprintf(name, sizeof(name), "Name %08lx %07d", random(), i);
                snprintf(key, sizeof(key), "name %s", name + 5);
                snprintf(account, sizeof(account), "c%d@x%d.example", i, i % 977);
                sqlite3_bind_int64(customer, 1, i);
                random_blob(customer, 2);
                sqlite3_bind_text(customer, 3, name, -1, SQLITE_STATIC);
                sqlite3_bind_text(customer, 4, key, -1, SQLITE_STATIC);
                sqlite3_bind_text(customer, 5, account, -1, SQLITE_STATIC);
                sqlite3_bind_text(customer, 6, account, -1, SQLITE_STATIC);
                sqlite3_bind_text(customer, 7, countries[i % 8], -1, SQLITE_STATIC);
                sqlite3_bind_int64(customer, 8, begin + i);
                run(customer);
                if (i % 3) {
                        sqlite3_bind_text(tag, 1, key, -1, SQLITE_STATIC);
                        sqlite3_bind_text(tag, 2, name, -1, SQLITE_STATIC);
                        random_blob(tag, 3);
                        sqlite3_bind_int64(tag, 4, i);
                        run(tag);
                }
                audit_row(i, i);
                for (int k = 1; k <= 3; k++)
                        sqlite3_bind_int64(item, k, i);
                random_blob(item, 4);
                sqlite3_bind_text(item, 5, name, -1, SQLITE_STATIC);
                sqlite3_bind_int64(item, 6, begin + i);
                run(item);
                if (i % 250 == 0 || i == lines)
                        exec("COMMIT");
        }
        printf("%.1f\n", (double) lines * 1e6 / (double) (clock_monotonic() - begin));
}

static sqlite3_stmt *task_statement(void) {
        return prepare("INSERT INTO task(n, id, kind, state, lane, due, created, owner, format, arguments) VALUES(?,?,'noop','queued','people',?,?,0,1,'{}')");
}

static void enqueue(const char *dir, int batch, double seconds) {
        open_db(dir);
        sqlite3_stmt *task = task_statement();
        int64_t n = number("SELECT coalesce(max(n), 0) FROM task"), count = 0;
        Usec begin = clock_monotonic(), end = begin + (Usec) (seconds * 1e6);
        while (clock_monotonic() < end) {
                exec("BEGIN");
                for (int i = 0; i < batch; i++, count++) {
                        sqlite3_bind_int64(task, 1, ++n);
                        random_blob(task, 2);
                        sqlite3_bind_int64(task, 3, clock_now());
                        sqlite3_bind_int64(task, 4, clock_now());
                        run(task);
                }
                exec("COMMIT");
        }
        printf("%.1f\n", (double) count * 1e6 / (double) (clock_monotonic() - begin));
}

static void claims(const char *dir, int lot, double seconds) {
        open_db(dir);
        sqlite3_stmt *task = task_statement(), *claim = prepare("UPDATE task SET state = 'running', attempt = 1, started = 1 WHERE n = ?"),
                     *settle = prepare("UPDATE task SET state = 'done', finished = 1 WHERE n = ?");
        int64_t n = number("SELECT coalesce(max(n), 0) FROM task"), count = 0, first = n + 1;
        exec("BEGIN");
        for (int i = 0; i < 100000; i++) {
                sqlite3_bind_int64(task, 1, ++n);
                random_blob(task, 2);
                sqlite3_bind_int64(task, 3, 1);
                sqlite3_bind_int64(task, 4, 1);
                run(task);
        }
        exec("COMMIT");
        Usec begin = clock_monotonic(), end = begin + (Usec) (seconds * 1e6);
        while (clock_monotonic() < end && count + lot <= 100000) {
                sqlite3_stmt *steps[] = { claim, settle };
                for (int k = 0; k < 2; k++) {
                        exec("BEGIN");
                        for (int i = 0; i < lot; i++) {
                                sqlite3_bind_int64(steps[k], 1, first + count + i);
                                run(steps[k]);
                        }
                        exec("COMMIT");
                }
                count += lot;
        }
        printf("%.1f\n", (double) count * 1e6 / (double) (clock_monotonic() - begin));
}

static int compare(const void *a, const void *b) {
        Usec x = *(const Usec *) a, y = *(const Usec *) b;
        return x < y ? -1 : x > y;
}

static void commits(const char *dir) {
        Usec times[400];
        open_db(dir);
        sqlite3_stmt *s = prepare("INSERT INTO setting(name, value) VALUES('y', ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value");
        for (size_t i = 0; i < ELEMENTSOF(times); i++) {
                Usec begin = clock_monotonic();
                char text[24];
                snprintf(text, sizeof(text), "%lld", (long long) begin);
                sqlite3_bind_text(s, 1, text, -1, SQLITE_STATIC);
                run(s);
                times[i] = clock_monotonic() - begin;
        }
        qsort(times, ELEMENTSOF(times), sizeof(*times), compare);
        printf("%lld\n", (long long) times[ELEMENTSOF(times) / 2]);
}

/* ---- services ---- */

static Buffer page;

static int on_list(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(m, "ss", buffer_string(&page), "cursor");
}

static int on_get(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        static const char *const texts[] = { "id", "organization", "registered_account", "account_type", "first_name", "last_name", "country", "phone",
                                             "state", "management_mode", "status", "status_reason" };
        static const char *const flags[] = { "expired_hidden", "pinned", "deliveries.billing.enabled", "deliveries.service_reports.enabled", "account_verified" };
        static const char *const numbers[] = { "revision", "tenants", "open_tickets", "created" };
        static const char *const lists[] = { "tags", "services", "subscriptions", "deliveries.billing.recipients", "deliveries.service_reports.recipients" };
        sd_bus_message *r = NULL;

        sd_bus_message_new_method_return(m, &r);
        sd_bus_message_open_container(r, 'a', "{sv}");
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                sd_bus_message_append(r, "{sv}", texts[i], "s", "a text of some length");
        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                sd_bus_message_append(r, "{sv}", flags[i], "b", 0);
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                sd_bus_message_append(r, "{sv}", numbers[i], "t", (uint64_t) 1);
        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                sd_bus_message_append(r, "{sv}", lists[i], "as", 0);
        sd_bus_message_close_container(r);
        int k = sd_bus_send(NULL, r, NULL);
        sd_bus_message_unref(r);
        return k < 0 ? k : 1;
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("List", "a{sv}", "ss", on_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Get", "s", "a{sv}", on_get, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static int serve(const char *address, const char *name) {
        sd_bus *bus = NULL;
        sd_bus_new(&bus);
        sd_bus_set_address(bus, address);
        sd_bus_set_bus_client(bus, true);
        if (sd_bus_start(bus) < 0)
                return 1;
        sd_bus_add_object_vtable(bus, NULL, "/org/tenantd/Tenant1", "org.tenantd.Tenant1.Customers", vtable, NULL);
        if (sd_bus_request_name(bus, name, 0) < 0)
                return 1;
        for (;;) {
                int r = sd_bus_process(bus, NULL);
                if (r < 0)
                        return 1;
                if (r == 0)
                        sd_bus_wait(bus, UINT64_MAX);
        }
}

int main(int argc, char **argv) {
        const char *what = argc > 2 ? argv[1] : "";

        if (strcmp(what, "edits") == 0 && argc == 5)
                edits(argv[2], argv[3], atof(argv[4]));
        else if (strcmp(what, "imports") == 0 && argc == 4)
                imports(argv[2], atoi(argv[3]));
        else if (strcmp(what, "enqueue") == 0 && argc == 5)
                enqueue(argv[2], atoi(argv[3]), atof(argv[4]));
        else if (strcmp(what, "claims") == 0 && argc == 5)
                claims(argv[2], atoi(argv[3]), atof(argv[4]));
        else if (strcmp(what, "commit") == 0)
                commits(argv[2]);
        else if (strcmp(what, "replier") == 0 && argc == 5)
                return file_read(argv[4], 1 << 24, &page) < 0 ? 1 : serve(argv[2], argv[3]);
        else if (strcmp(what, "minimal") == 0 && argc == 5) {
                open_db(argv[4]);
                return serve(argv[2], argv[3]);
        } else
                return 2;
        return 0;
}

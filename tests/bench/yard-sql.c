/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Raw SQLite doing the same work, with the daemon's schema and pragmas. Prints one number, if not said otherwise.
 *
 *   yard-sql edits DIR FIELD IDS SECONDS       64 edits to a transaction, checkpoints included: edits a second. Each: the
 *                                              customer by its id, the request_id, an UPDATE of the field and revision, an
 *                                              audit row of 300 bytes, a value row, a request row
 *   yard-sql imports DIR FILE                  the rows that an import of FILE writes, 1,000 lines to a commit: lines a second
 *   yard-sql enqueue DIR BATCH SECONDS         tasks, BATCH to a commit: tasks a second
 *   yard-sql claims DIR LOT SECONDS            LOT claims to a commit, then LOT settles to a commit: tasks a second
 *   yard-sql runs DIR COUNT                    for each of COUNT schedules a run, its task and what is due next, 250 to a commit:
 *                                              runs a second
 *   yard-sql commit DIR                        a FULL commit of one row, every 5 ms: µs at 50 % and at 99 %
 *   yard-sql query DIR                         one scan of all customers in the list's order, then writing them as JSON from
 *                                              memory: µs together, and bytes */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/id.h"
#include "common/memory.h"
#include "daemon/store/schema.h"
#include "tests/bench/yard-sql.h"

enum { EDITS_A_COMMIT = 64, LINES_A_COMMIT = 1000, TASKS_MAX = 100000, RUNS_A_COMMIT = 250 };

static sqlite3 *db;

static void must(int rc, const char *what) {
        if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
                bench_die(what, sqlite3_errmsg(db));
}

void yard_exec(const char *sql) {
        must(sqlite3_exec(db, sql, NULL, NULL, NULL), sql);
}

sqlite3_stmt *yard_prepare(const char *sql) {
        sqlite3_stmt *s;
        must(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL), sql);
        return s;
}

bool yard_row(sqlite3_stmt *s) {
        int rc = sqlite3_step(s);
        must(rc, sqlite3_sql(s));
        return rc == SQLITE_ROW;
}

void yard_run(sqlite3_stmt *s) {
        while (yard_row(s))
                ;
        sqlite3_reset(s);
}

int64_t yard_number(const char *sql) {
        sqlite3_stmt *s = yard_prepare(sql);
        int64_t n = yard_row(s) ? sqlite3_column_int64(s, 0) : 0;
        sqlite3_finalize(s);
        return n;
}

void yard_open(const char *folder) {
        char path[4200];
        snprintf(path, sizeof(path), "%s/tenantd.db", folder);
        must(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, "unix-excl"), path);
        yard_exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_spill=OFF; PRAGMA cache_size=-16000; PRAGMA foreign_keys=ON;"
                  "PRAGMA temp_store=FILE; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON; PRAGMA journal_size_limit=67108864;");
        if (yard_number("SELECT count(*) FROM sqlite_schema") == 0)
                yard_exec(schema_sql);
}

static void bind_text(sqlite3_stmt *s, int i, const char *text) {
        sqlite3_bind_text(s, i, text, -1, SQLITE_STATIC);
}

/* ---- what every change leaves ---- */

static sqlite3_stmt *audit, *value, *request;

/* With the fixed texts an audit row of 300 bytes: object 32, request_id 23, digest and chain 64, the rest here. */
static void audit_prepare(const char *verb) {
        char sql[600];
        snprintf(sql, sizeof(sql), "INSERT INTO audit(n, format, time, uid, user, behalf, verb, object, outcome, request_id, digest, chain)"
                                   " VALUES(?1, 1, 1767225600000000, 1000, 'somebody', '%0130d', '%s', ?2, 'ok', ?3, ?4, ?4)", 0, verb);
        audit = yard_prepare(sql);
        value = yard_prepare("INSERT INTO audit_value(audit, customer, salt, before, after) VALUES(?,?,?,?,?)");
        request = yard_prepare("INSERT INTO request(uid, behalf, method, id, format, digest, created, answer)"
                               " VALUES(1000, '', 'customer.edit', ?, 1, ?, 1767225600000000, ?)");
}

typedef struct Change {
        int64_t n, customer;
        const char *object, *request_id, *before, *after;
} Change;

static void audit_write(const Change *c) {
        static const char bytes[32] = "0123456789abcdef0123456789abcde";

        sqlite3_bind_int64(audit, 1, c->n);
        bind_text(audit, 2, c->object);
        bind_text(audit, 3, c->request_id);
        sqlite3_bind_blob(audit, 4, bytes, 32, SQLITE_STATIC);
        yard_run(audit);
        sqlite3_bind_int64(value, 1, c->n);
        sqlite3_bind_int64(value, 2, c->customer);
        sqlite3_bind_blob(value, 3, bytes, 16, SQLITE_STATIC);
        bind_text(value, 4, c->before);
        bind_text(value, 5, c->after);
        yard_run(value);
}

static void request_write(const Change *c, const char *answer) {
        bind_text(request, 1, c->request_id);
        sqlite3_bind_blob(request, 2, "0123456789abcdef0123456789abcde", 32, SQLITE_STATIC);
        bind_text(request, 3, answer);
        yard_run(request);
}

/* ---- edits ---- */

static char (*ids)[ID_TEXT_SIZE];
static size_t n_ids;

static void read_ids(const char *path) {
        FILE *f = fopen(path, "r");
        char id[40];
        if (!f)
                bench_die(path, "cannot be read");
        for (; fscanf(f, "%39s", id) == 1; n_ids++) {
                if (n_ids % 1024 == 0)
                        ids = memory_grow(ids, (n_ids + 1024) * sizeof(*ids));
                memcpy(ids[n_ids], id, ID_TEXT_SIZE);
        }
        fclose(f);
}

typedef struct EditStatements {
        sqlite3_stmt *find, *known, *update;
        bool country;
        unsigned seed;
        int64_t audits;
} EditStatements;

static void edit_one(EditStatements *e, size_t i) {
        char text[40], id[60], before[100], after[100], answer[100];
        const char *object = ids[(i * 7919 + e->seed % 1000) % n_ids], *new;
        Id key;

        snprintf(text, sizeof(text), "+49 30 %u%04zu", e->seed % 1000, i);
        snprintf(id, sizeof(id), "bench-%08x-%08zx", e->seed, i);
        new = e->country ? bench_country(e->seed * 8 + i + i / n_ids) : text;
        if (!id_parse(object, &key))
                bench_die(object, "no id");
        bind_text(e->known, 1, id);
        yard_run(e->known);
        sqlite3_bind_blob(e->find, 1, key.bytes, sizeof(key.bytes), SQLITE_STATIC);
        if (!yard_row(e->find))
                bench_die(object, "not there");
        int64_t customer = sqlite3_column_int64(e->find, 0), revision = sqlite3_column_int64(e->find, 1);
        snprintf(before, sizeof(before), "{\"field\":\"%s\"}", sqlite3_column_text(e->find, 2));
        sqlite3_reset(e->find);
        snprintf(after, sizeof(after), "{\"field\":\"%s\"}", new);
        sqlite3_bind_int64(e->update, 1, revision + 1);
        bind_text(e->update, 2, new);
        sqlite3_bind_int64(e->update, 3, customer);
        yard_run(e->update);
        const Change c = { ++e->audits, customer, object, id, before, after };
        audit_write(&c);
        snprintf(answer, sizeof(answer), "{\"id\":\"%s\",\"revision\":%lld}", object, (long long) revision + 1);
        request_write(&c, answer);
}

static void edits(const char *field, double seconds) {
        char find[100], update[100];
        size_t count = 0;

        snprintf(find, sizeof(find), "SELECT n, revision, %s FROM customer WHERE id = ?", field);
        snprintf(update, sizeof(update), "UPDATE customer SET revision = ?, %s = ? WHERE n = ?", field);
        EditStatements e = {
                .find = yard_prepare(find), .update = yard_prepare(update),
                .known = yard_prepare("SELECT digest, answer FROM request WHERE uid = 1000 AND behalf = '' AND method = 'customer.edit' AND id = ?"),
                .country = strcmp(field, "country") == 0, .seed = (unsigned) clock_now(), .audits = yard_number("SELECT max(n) FROM audit"),
        };
        audit_prepare("customer.edit");
        Usec begin = clock_monotonic(), end = begin + (Usec) (seconds * 1e6);
        while (clock_monotonic() < end) {
                yard_exec("BEGIN");
                for (int i = 0; i < EDITS_A_COMMIT; i++)
                        edit_one(&e, count++);
                yard_exec("COMMIT");
        }
        printf("%.1f\n", (double) count * 1e6 / (double) (clock_monotonic() - begin));
}

/* ---- imports ---- */

static Id random_id(void) {
        Id id;
        for (size_t i = 0; i < sizeof(id.bytes); i++)
                id.bytes[i] = (uint8_t) (random() >> 8);
        return id;
}

static char *lower(char *to, const char *text) {
        size_t i = 0;
        for (; text[i]; i++)
                to[i] = (char) (text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 32 : text[i]);
        to[i] = 0;
        return to;
}

typedef struct ImportStatements {
        sqlite3_stmt *customer, *tag, *item;
} ImportStatements;

/* organization,registered_account,account_type,first_name,last_name,country,phone,tags; nothing quoted. */
static void import_line(ImportStatements *s, int64_t n, char *line) {
        char key[200], account[200], object[ID_TEXT_SIZE], tags[100], after[800];
        char *cells[8] = {};
        Id id = random_id();

        for (int i = 0; i < 8; i++)
                cells[i] = strsep(&line, ",") ?: (char *) "";
        snprintf(tags, sizeof(tags), *cells[7] ? "[\"%s\"]" : "[]", cells[7]);
        snprintf(after, sizeof(after), "{\"organization\":\"%s\",\"registered_account\":\"%s\",\"account_type\":\"local\",\"first_name\":\"%s\",\"last_name\":\"%s\","
                                       "\"country\":\"%s\",\"phone\":\"%s\",\"management_mode\":\"partner\",\"tags\":%s,\"state\":\"active\"}", cells[0], cells[1],
                 cells[3], cells[4], cells[5], cells[6], tags);
        const char *texts[] = { cells[0], lower(key, cells[0]), cells[1], lower(account, cells[1]), cells[3], cells[4], cells[5], cells[6], tags };
        sqlite3_bind_int64(s->customer, 1, n);
        sqlite3_bind_blob(s->customer, 2, id.bytes, sizeof(id.bytes), SQLITE_STATIC);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                bind_text(s->customer, (int) i + 3, texts[i]);
        yard_run(s->customer);
        if (*cells[7]) {
                bind_text(s->tag, 1, cells[7]);
                bind_text(s->tag, 2, key);
                bind_text(s->tag, 3, cells[0]);
                sqlite3_bind_blob(s->tag, 4, id.bytes, sizeof(id.bytes), SQLITE_STATIC);
                sqlite3_bind_int64(s->tag, 5, n);
                yard_run(s->tag);
        }
        const Change c = { n, n, id_text(id, object), NULL, NULL, after };
        audit_write(&c);
        sqlite3_bind_int64(s->item, 1, n);
        sqlite3_bind_blob(s->item, 2, id.bytes, sizeof(id.bytes), SQLITE_STATIC);
        bind_text(s->item, 3, cells[0]);
        bind_text(s->item, 4, after);
        yard_run(s->item);
}

static void imports(const char *path) {
        ImportStatements s = {
                .customer = yard_prepare("INSERT INTO customer(n, id, organization, organization_key, registered_account, account_key, first_name, last_name, country,"
                                         " phone, tags, revision, account_type, state, management_mode, status, status_reason, created)"
                                         " VALUES(?,?,?,?,?,?,?,?,?,?,?,1,'local','active','partner','not-applicable','no backup subscription',1767225600000000)"),
                .tag = yard_prepare("INSERT INTO customer_tag(tag, organization_key, organization, id, customer, tag_key) VALUES(?1,?2,?3,?4,?5,?1)"),
                .item = yard_prepare("INSERT INTO operation_item(operation, n, line, customer, customer_id, organization, after, outcome, finished)"
                                     " VALUES(1,?1,?1+1,?1,?2,?3,?4,'ok',1767225600000000)"),
        };
        char line[1000];
        int64_t n = 0;
        FILE *f = fopen(path, "r");

        if (!f || !fgets(line, sizeof(line), f))
                bench_die(path, "cannot be read");
        audit_prepare("customer.import");
        Usec begin = clock_monotonic();
        yard_exec("BEGIN");
        while (fgets(line, sizeof(line), f)) {
                line[strcspn(line, "\r\n")] = 0;
                import_line(&s, ++n, line);
                if (n % LINES_A_COMMIT == 0)
                        yard_exec("COMMIT; BEGIN");
        }
        yard_exec("COMMIT");
        printf("%.1f\n", (double) n * 1e6 / (double) (clock_monotonic() - begin));
        fclose(f);
}

/* ---- the queue ---- */

static sqlite3_stmt *task;
static int64_t tasks;

static void task_prepare(void) {
        task = yard_prepare("INSERT INTO task(n, id, kind, state, lane, due, created, owner, format, arguments) VALUES(?,?,'noop','queued','people',?3,?3,0,1,'{}')");
        tasks = yard_number("SELECT max(n) FROM task");
}

static void task_write(void) {
        Id id = random_id();
        sqlite3_bind_int64(task, 1, ++tasks);
        sqlite3_bind_blob(task, 2, id.bytes, sizeof(id.bytes), SQLITE_STATIC);
        sqlite3_bind_int64(task, 3, clock_now());
        yard_run(task);
}

static void enqueue(int batch, double seconds) {
        int64_t count = 0;

        task_prepare();
        Usec begin = clock_monotonic(), end = begin + (Usec) (seconds * 1e6);
        while (clock_monotonic() < end) {
                yard_exec("BEGIN");
                for (int i = 0; i < batch; i++, count++)
                        task_write();
                yard_exec("COMMIT");
        }
        printf("%.1f\n", (double) count * 1e6 / (double) (clock_monotonic() - begin));
}

static void claim(sqlite3_stmt *find, sqlite3_stmt *take, int64_t *ret_n) {
        sqlite3_bind_int64(find, 1, clock_now());
        if (!yard_row(find))
                bench_die("claims", "the queue ran dry");
        *ret_n = sqlite3_column_int64(find, 0);
        sqlite3_reset(find);
        sqlite3_bind_int64(take, 1, clock_now());
        sqlite3_bind_int64(take, 2, *ret_n);
        yard_run(take);
}

static void claims(int lot, double seconds) {
        sqlite3_stmt *find = yard_prepare("SELECT n, id, kind, attempt, deaths, owner, arguments FROM task INDEXED BY task_ready WHERE lane = 'people' AND due <= ?"
                                          " AND state IN ('queued', 'waiting') ORDER BY due, n LIMIT 1"),
                     *take = yard_prepare("UPDATE task SET state = 'running', attempt = attempt + 1, started = ? WHERE n = ?"),
                     *settle = yard_prepare("UPDATE task SET state = 'done', finished = ? WHERE n = ?");
        int64_t count = 0, taken[64];

        task_prepare();
        yard_exec("DELETE FROM task; BEGIN");
        for (int i = 0; i < TASKS_MAX; i++)
                task_write();
        yard_exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
        Usec begin = clock_monotonic(), end = begin + (Usec) (seconds * 1e6);
        while (clock_monotonic() < end && count + lot <= TASKS_MAX) {
                yard_exec("BEGIN");
                for (int i = 0; i < lot; i++)
                        claim(find, take, &taken[i]);
                yard_exec("COMMIT; BEGIN");
                for (int i = 0; i < lot; i++) {
                        sqlite3_bind_int64(settle, 1, clock_now());
                        sqlite3_bind_int64(settle, 2, taken[i]);
                        yard_run(settle);
                }
                yard_exec("COMMIT");
                count += lot;
        }
        printf("%.1f\n", (double) count * 1e6 / (double) (clock_monotonic() - begin));
}

/* ---- noon ---- */

typedef struct RunStatements {
        sqlite3_stmt *run, *task, *schedule;
        int64_t run_n, task_n;
} RunStatements;

static void run_one(RunStatements *s, int64_t schedule, int64_t due) {
        char arguments[200];
        Id run = random_id(), id = random_id();

        snprintf(arguments, sizeof(arguments), "{\"kind\":\"customers\",\"format\":\"csv\",\"no_bom\":false,\"customer\":0,\"run\":%lld,\"query\":\"{}\"}",
                 (long long) ++s->run_n);
        sqlite3_bind_int64(s->run, 1, s->run_n);
        sqlite3_bind_blob(s->run, 2, run.bytes, sizeof(run.bytes), SQLITE_STATIC);
        sqlite3_bind_int64(s->run, 3, schedule);
        sqlite3_bind_int64(s->run, 4, due);
        sqlite3_bind_int64(s->run, 5, ++s->task_n);
        yard_run(s->run);
        sqlite3_bind_int64(s->task, 1, s->task_n);
        sqlite3_bind_blob(s->task, 2, id.bytes, sizeof(id.bytes), SQLITE_STATIC);
        sqlite3_bind_int64(s->task, 3, due);
        bind_text(s->task, 4, arguments);
        yard_run(s->task);
        sqlite3_bind_int64(s->schedule, 1, due + USEC_DAY);
        sqlite3_bind_int64(s->schedule, 2, schedule);
        yard_run(s->schedule);
}

static void runs(int64_t count) {
        yard_exec("DELETE FROM run; DELETE FROM task; DELETE FROM schedule; BEGIN");
        sqlite3_stmt *fill = yard_prepare("INSERT INTO schedule(n, id, revision, export, frequency, at, zone, start, missed, recipients, format, state, next_due,"
                                          " settled_due, owner, created) VALUES(?,randomblob(16),1,'customers','daily','12:00','UTC','2026-01-01','latest',"
                                          "'[\"a@x.example\"]','csv','active',?2,?2,0,?2)");
        int64_t due = clock_now();
        for (int64_t i = 1; i <= count; i++) {
                sqlite3_bind_int64(fill, 1, i);
                sqlite3_bind_int64(fill, 2, due);
                yard_run(fill);
        }
        yard_exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
        RunStatements s = {
                .run = yard_prepare("INSERT INTO run(n, id, schedule, local, due, state, task, count, created) VALUES(?1,?2,?3,'2026-12-01T12:00',?4,'queued',?5,1,?4)"),
                .task = yard_prepare("INSERT INTO task(n, id, kind, state, lane, due, created, owner, format, arguments) VALUES(?,?,'export','queued','people',?3,?3,0,1,?4)"),
                .schedule = yard_prepare("UPDATE schedule SET next_due = ?1, settled_due = ?1, settled_local = '2026-12-01T12:00' WHERE n = ?2"),
        };
        Usec begin = clock_monotonic();
        yard_exec("BEGIN");
        for (int64_t i = 1; i <= count; i++) {
                run_one(&s, i, due);
                if (i % RUNS_A_COMMIT == 0)
                        yard_exec("COMMIT; BEGIN");
        }
        yard_exec("COMMIT");
        printf("%.1f\n", (double) count * 1e6 / (double) (clock_monotonic() - begin));
        sqlite3_finalize(fill);
        sqlite3_finalize(s.run);
        sqlite3_finalize(s.task);
        sqlite3_finalize(s.schedule);
}

static void commits(void) {
        Samples times = {};
        sqlite3_stmt *s = yard_prepare("INSERT INTO setting(name, value) VALUES('y', ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value");

        for (int i = 0; i < 200; i++) {
                char text[24];
                snprintf(text, sizeof(text), "%d", i);
                bind_text(s, 1, text);
                Usec begin = clock_monotonic();
                yard_run(s);
                samples_add(&times, clock_monotonic() - begin);
                /* Idle between, like what it is compared with. */
                (void) poll(NULL, 0, 5);
        }
        printf("%lld %lld\n", (long long) samples_percentile(&times, 50), (long long) samples_percentile(&times, 99));
}

int main(int argc, char **argv) {
        const char *what = argc > 2 ? argv[1] : "";

        srandom((unsigned) clock_now());
        if (argc > 2)
                yard_open(argv[2]);
        if (strcmp(what, "edits") == 0 && argc == 6) {
                read_ids(argv[4]);
                edits(argv[3], atof(argv[5]));
        } else if (strcmp(what, "imports") == 0 && argc == 4)
                imports(argv[3]);
        else if (strcmp(what, "enqueue") == 0 && argc == 5)
                enqueue(atoi(argv[3]), atof(argv[4]));
        else if (strcmp(what, "claims") == 0 && argc == 5 && atoi(argv[3]) <= 64)
                claims(atoi(argv[3]), atof(argv[4]));
        else if (strcmp(what, "runs") == 0 && argc == 4)
                runs(atoll(argv[3]));
        else if (strcmp(what, "commit") == 0)
                commits();
        else if (strcmp(what, "query") == 0)
                yard_query(argv[2]);
        else
                return 2;
        sqlite3_close_v2(db);
        return 0;
}

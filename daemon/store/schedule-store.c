/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/model/address.h"
#include "daemon/store/row.h"
#include "daemon/store/schedule-store.h"

#define COLUMNS \
        "n, id, revision, export, coalesce(template, 0), coalesce(customer, 0), frequency, on_text, on_shown, at, zone, start, end, missed, recipients," \
        " format, columns, selector, file_name, state, reason, next_due, settled_due, settled_local, owner, created"

static void read_row(sqlite3_stmt *s, Arena *a, Schedule *ret) {
        row_read(s, a, "iditiitttttttttttttttuutiu", &ret->n, &ret->id, &ret->revision, &ret->export, &ret->template, &ret->customer, &ret->frequency,
                 &ret->on, &ret->on_shown, &ret->at, &ret->zone, &ret->start, &ret->end, &ret->missed, &ret->recipients, &ret->format, &ret->columns,
                 &ret->selector, &ret->file_name, &ret->state, &ret->reason, &ret->next_due, &ret->settled_due, &ret->settled_local,
                 &ret->owner, &ret->created);
}

static int read_one(Db *db, Arena *a, sqlite3_stmt *s, Schedule *ret) {
        int r = row_step(db, s);
        if (r > 0)
                read_row(s, a, ret);
        return r;
}

int schedule_find(Db *db, Arena *a, Id id, Schedule *ret) {
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM schedule WHERE id = ?");
        if (!s)
                return -EIO;
        row_bind(s, "d", id);
        return read_one(db, a, s, ret);
}

int schedule_load(Db *db, Arena *a, int64_t n, Schedule *ret) {
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM schedule WHERE n = ?");
        if (!s)
                return -EIO;
        row_bind(s, "i", n);
        return read_one(db, a, s, ret);
}

static void changed(Db *db, Id id) {
        turn_effect(db, (Effect) { .type = EFFECT_CHANGED, .kind = "schedule", .id = id });
        turn_effect(db, (Effect) { .type = EFFECT_SCHEDULES });
}

static int recipients_write(Db *db, const Schedule *s) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        int r = row_run(db, "DELETE FROM schedule_recipient WHERE schedule = ?", "i", s->n);

        _statement_ each = r < 0 ? NULL : db_statement(db, "SELECT value FROM json_each(?)");
        if (!each)
                return -EIO;
        row_bind(each, "t", s->recipients);
        while ((r = row_step(db, each)) > 0) {
                const char *address;
                row_read(each, a, "t", &address);
                /* They were checked to be different ones. */
                r = row_run(db, "INSERT INTO schedule_recipient(address_key, schedule) VALUES(?,?)", "ti", address_key(a, address), s->n);
                if (r < 0)
                        return r;
        }
        return r;
}

int schedule_insert(Db *db, Schedule *s) {
        int64_t n = 0;
        int r = row_int(db, &n, "SELECT max(n) FROM schedule", "");
        if (r < 0)
                return r;
        s->n = n + 1;
        s->revision = 1;
        r = row_run(db,
                    "INSERT INTO schedule(n, id, revision, export, template, customer, frequency, on_text, on_shown, at, zone, start, end, missed,"
                    " recipients, format, columns, selector, file_name, state, reason, next_due, settled_due, settled_local, owner, created)"
                    " VALUES(?,?,?,?,nullif(?,0),nullif(?,0),?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                    "iditiitttttttttttttttuutiu", s->n, s->id, s->revision, s->export, s->template, s->customer, s->frequency, s->on, s->on_shown, s->at, s->zone,
                    s->start, s->end, s->missed, s->recipients, s->format, s->columns, s->selector, s->file_name, s->state, s->reason,
                    s->next_due, s->settled_due, s->settled_local, s->owner, s->created);
        if (r >= 0)
                r = recipients_write(db, s);
        if (r >= 0)
                changed(db, s->id);
        return r;
}

int schedule_update(Db *db, Schedule *s) {
        s->revision++;
        int r = row_run(db,
                        "UPDATE schedule SET revision = ?, export = ?, template = nullif(?,0), customer = nullif(?,0), frequency = ?, on_text = ?,"
                        " on_shown = ?, at = ?, zone = ?, start = ?, end = ?, missed = ?, recipients = ?, format = ?, columns = ?, selector = ?, file_name = ?,"
                        " state = ?, reason = ?, next_due = ?, settled_due = ?, settled_local = ?, owner = ? WHERE n = ?",
                        "itiitttttttttttttttuutii", s->revision, s->export, s->template, s->customer, s->frequency, s->on, s->on_shown, s->at, s->zone, s->start,
                        s->end, s->missed, s->recipients, s->format, s->columns, s->selector, s->file_name, s->state, s->reason, s->next_due,
                        s->settled_due, s->settled_local, s->owner, s->n);
        if (r >= 0)
                r = recipients_write(db, s);
        if (r >= 0)
                changed(db, s->id);
        return r;
}

int schedule_advance(Db *db, const Schedule *s) {
        int r = row_run(db, "UPDATE schedule SET next_due = ?, settled_due = ?, settled_local = ?, state = ?, reason = ? WHERE n = ?", "uuttti",
                        s->next_due, s->settled_due, s->settled_local, s->state, s->reason, s->n);
        if (r >= 0)
                changed(db, s->id);
        return r;
}

int schedule_delete(Db *db, const Schedule *s) {
        int r = row_run(db, "DELETE FROM run WHERE schedule = ?", "i", s->n);
        if (r >= 0)
                r = row_run(db, "DELETE FROM schedule_recipient WHERE schedule = ?", "i", s->n);
        if (r >= 0)
                r = row_run(db, "DELETE FROM schedule WHERE n = ?", "i", s->n);
        if (r >= 0)
                changed(db, s->id);
        return r;
}

int schedule_due(Db *db, Arena *a, Usec now, Schedule *ret, size_t max, size_t *ret_n) {
        *ret_n = 0;
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM schedule WHERE next_due <= ? ORDER BY next_due, n LIMIT ?");
        if (!s)
                return -EIO;
        row_bind(s, "ui", now, (int64_t) max);
        int r;
        while ((r = row_step(db, s)) > 0)
                read_row(s, a, &ret[(*ret_n)++]);
        return r;
}

int schedule_next_due(Db *db, Usec *ret) {
        int64_t due = 0;
        int r = row_int(db, &due, "SELECT next_due FROM schedule WHERE next_due IS NOT NULL ORDER BY next_due LIMIT 1", "");
        *ret = r > 0 ? due : USEC_NONE;
        return MIN(r, 0);
}

int schedule_uses_template(Db *db, int64_t template, int64_t owner, Id *ret, size_t max, size_t *ret_n) {
        *ret_n = 0;
        _statement_ s = db_statement(db, "SELECT id FROM schedule WHERE template = ?1 AND (?2 < 0 OR owner = ?2) ORDER BY n LIMIT ?3");
        if (!s)
                return -EIO;
        row_bind(s, "iii", template, owner, (int64_t) max);
        int r;
        while ((r = row_step(db, s)) > 0)
                row_read(s, NULL, "d", &ret[(*ret_n)++]);
        return r;
}

int schedule_of_others(Db *db, int64_t template, int64_t owner) {
        int64_t one = 0;
        return row_int(db, &one, "SELECT 1 FROM schedule WHERE template = ? AND owner <> ? LIMIT 1", "ii", template, owner);
}

int schedule_of_customer(Db *db, Arena *a, int64_t customer, int64_t after, Schedule *ret, size_t max, size_t *ret_n) {
        *ret_n = 0;
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM schedule WHERE customer = ? AND n > ? ORDER BY n LIMIT ?");
        if (!s)
                return -EIO;
        row_bind(s, "iii", customer, after, (int64_t) max);
        int r;
        while ((r = row_step(db, s)) > 0)
                read_row(s, a, &ret[(*ret_n)++]);
        return r;
}

int schedule_of_recipient(Db *db, Arena *a, const char *address_key, int64_t after, Schedule *ret) {
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM schedule WHERE n = (SELECT schedule FROM schedule_recipient WHERE address_key = ?"
                                         " AND schedule > ? ORDER BY schedule LIMIT 1)");
        if (!s)
                return -EIO;
        row_bind(s, "ti", address_key, after);
        return read_one(db, a, s, ret);
}

int schedule_erase_customer(Db *db, int64_t customer) {
        int r = row_run(db, "DELETE FROM run WHERE schedule IN (SELECT n FROM schedule WHERE customer = ?)", "i", customer);
        if (r >= 0)
                r = row_run(db, "DELETE FROM schedule_recipient WHERE schedule IN (SELECT n FROM schedule WHERE customer = ?)", "i", customer);
        return r < 0 ? r : row_run(db, "DELETE FROM schedule WHERE customer = ?", "i", customer);
}

int schedule_pause_template(Db *db, int64_t template, const char *reason) {
        /* Numbers begin anew where they ended: the next template is not this one's. */
        int r = row_run(db, "UPDATE schedule SET state = 'paused', reason = ?, next_due = NULL, template = NULL WHERE template = ?", "ti", reason, template);
        if (r >= 0)
                turn_effect(db, (Effect) { .type = EFFECT_SCHEDULES });
        return r;
}

/* ---- runs ---- */

int run_next(Db *db, Run *run) {
        int64_t n = 0;

        if (run->local) {
                int r = row_int(db, &n, "SELECT 1 FROM run WHERE schedule = ? AND local = ?", "it", run->schedule, run->local);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        /* Reports outlive their runs: none gets the number of one that a report still names. */
        int r = row_int(db, &n, "SELECT max(coalesce((SELECT max(n) FROM run), 0), coalesce((SELECT max(run) FROM report WHERE run IS NOT NULL), 0))", "");
        run->n = n + 1;
        return r < 0 ? r : 1;
}

int run_insert(Db *db, Run *run, Usec now) {
        bool over = str_equal(run->state, "missed") || str_equal(run->state, "skipped");

        run->id = id_new();
        return row_run(db,
                       "INSERT INTO run(n, id, schedule, local, due, state, started, finished, task, error, count, created)"
                       " VALUES(?,?,?,?,?,?,NULL,?,nullif(?,0),?,?,?)",
                       "iditutuitiu", run->n, run->id, run->schedule, run->local, run->due, run->state, over ? now : USEC_NONE, run->task, run->error,
                       run->count, now);
}

#define RUN_COLUMNS "n, id, schedule, local, due, state, coalesce(task, 0), coalesce(report, 0), error, count"

static int read_run(Db *db, Arena *a, sqlite3_stmt *s, Run *ret) {
        int r = row_step(db, s);
        if (r > 0)
                row_read(s, a, "iditutiiti", &ret->n, &ret->id, &ret->schedule, &ret->local, &ret->due, &ret->state, &ret->task, &ret->report,
                         &ret->error, &ret->count);
        return r;
}

int run_find_task(Db *db, Arena *a, int64_t task, Run *ret) {
        _statement_ s = db_statement(db, "SELECT " RUN_COLUMNS " FROM run WHERE task = ? ORDER BY n DESC LIMIT 1");
        if (!s)
                return -EIO;
        row_bind(s, "i", task);
        return read_run(db, a, s, ret);
}

int run_load(Db *db, Arena *a, int64_t n, Run *ret) {
        _statement_ s = db_statement(db, "SELECT " RUN_COLUMNS " FROM run WHERE n = ?");
        if (!s)
                return -EIO;
        row_bind(s, "i", n);
        return read_run(db, a, s, ret);
}

int run_finish(Db *db, const Run *run, const char *state, const char *error, Usec now) {
        return row_run(db, "UPDATE run SET state = ?, error = ?, finished = ?, report = nullif(?, 0) WHERE n = ?", "ttuii", state, error, now, run->report,
                       run->n);
}

int run_skip_queued(Db *db, int64_t schedule, const char *reason, Usec now, int64_t *ret_tasks, size_t max, size_t *ret_n) {
        *ret_n = 0;
        {
                _statement_ s = db_statement(db, "SELECT r.task FROM run r JOIN task t ON t.n = r.task WHERE r.schedule = ? AND r.state = 'queued'"
                                                 " AND t.state IN ('queued', 'waiting') AND t.attempt = 0 ORDER BY r.n LIMIT ?");
                if (!s)
                        return -EIO;
                row_bind(s, "ii", schedule, (int64_t) max);
                int r;
                while ((r = row_step(db, s)) > 0)
                        row_read(s, NULL, "i", &ret_tasks[(*ret_n)++]);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < *ret_n; i++) {
                int r = row_run(db, "UPDATE run SET state = 'skipped', error = ?, finished = ? WHERE task = ? AND state = 'queued'", "tui", reason, now,
                                ret_tasks[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

int run_expire(Db *db, Usec before, int64_t max, bool *ret_more) {
        int r = row_run(db, "DELETE FROM run WHERE n IN (SELECT n FROM run WHERE created < ? ORDER BY created LIMIT ?)", "ui", before, max);
        return r < 0 ? r : row_more(db, ret_more, "SELECT 1 FROM run WHERE created < ? LIMIT 1", before);
}

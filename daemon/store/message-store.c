/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "daemon/store/key.h"
#include "daemon/store/message-store.h"
#include "daemon/store/row.h"

#define COLUMNS \
        "n, id, event, address, address_key, sender, sender_name, message_id, language, subject, body, sealed, coalesce(report, 0)," \
        " coalesce(customer, 0), state, error, attempt, next_attempt, created, delivered, begun"

enum { SEALED_COLUMN = 11 };

static const char *place(char text[64], int64_t n) {
        snprintf(text, 64, "message/%lld/sealed", (long long) n);
        return text;
}

static void read_row(sqlite3_stmt *s, Arena *a, OutMessage *ret) {
        row_read(s, a, "idttttttttt-iittiuuuu", &ret->n, &ret->id, &ret->event, &ret->address, &ret->address_key, &ret->sender, &ret->sender_name,
                 &ret->message_id, &ret->language, &ret->subject, &ret->body, &ret->report, &ret->customer, &ret->state, &ret->error,
                 &ret->attempt, &ret->next_attempt, &ret->created, &ret->delivered, &ret->begun);
        ret->secret = sqlite3_column_type(s, SEALED_COLUMN) != SQLITE_NULL;
}

static void changed(Db *db, Id id) {
        turn_effect(db, (Effect) { .type = EFFECT_CHANGED, .kind = "message", .id = id });
}

int message_insert(Db *db, OutMessage *m) {
        _cleanup_(buffer_done) Buffer sealed = {};
        char text[ID_TEXT_SIZE], where[64], message_id[ID_TEXT_SIZE + 260];
        int64_t n = 0;

        /* Reports outlive their mails: none gets the number of one that a report's recipient still names. */
        int r = row_int(db, &n, "SELECT max(coalesce((SELECT max(n) FROM message), 0),"
                                " coalesce((SELECT max(message) FROM report_recipient WHERE message IS NOT NULL), 0))", "");
        if (r < 0)
                return r;
        m->n = n + 1;
        m->id = id_new();
        if (m->secret)
                seal(db_key(db), place(where, m->n), m->body, strlen(m->body), &sealed);
        const char *at = strrchr(m->sender, '@');
        snprintf(message_id, sizeof(message_id), "%s%s", id_text(m->id, text), at ?: "@localhost");
        r = row_run(db,
                    "INSERT INTO message(n, id, target, event, address, address_key, sender, sender_name, message_id, language, subject, body, sealed,"
                    " report, customer, addressee, state, next_attempt, created, begun) VALUES(?1,?2,'mail:' || ?4,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,"
                    "nullif(?13,0),nullif(?14,0),nullif(?15,0),'queued',?16,?17,?17)",
                    "idtttttttttbiiiuu", m->n, m->id, m->event, m->address, m->address_key, m->sender, m->sender_name, message_id, m->language,
                    m->subject, m->secret ? NULL : m->body, sealed.data, sealed.size, m->report, m->customer, m->addressee, m->next_attempt,
                    m->created);
        if (r >= 0)
                changed(db, m->id);
        return r;
}

int message_claim(Db *db, Arena *a, Usec now, OutMessage *ret) {
        {
                _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM message WHERE state = 'queued' AND next_attempt <= ? ORDER BY next_attempt, n LIMIT 1");
                if (!s)
                        return -EIO;
                row_bind(s, "u", now);
                int r = row_step(db, s);
                if (r <= 0)
                        return r;
                read_row(s, a, ret);
                if (ret->secret) {
                        char where[64];
                        Buffer plain = BUFFER_SECRET;
                        r = seal_open(db_key(db), place(where, ret->n), sqlite3_column_blob(s, SEALED_COLUMN), (size_t) sqlite3_column_bytes(s, SEALED_COLUMN),
                                      &plain);
                        arena_keep_secret(a);
                        if (r >= 0)
                                ret->body = arena_strdup(a, buffer_string(&plain));
                        buffer_done(&plain);
                }
        }
        ret->attempt++;
        int r = row_run(db, "UPDATE message SET state = 'sending', attempt = ? WHERE n = ?", "ii", ret->attempt, ret->n);
        return r < 0 ? r : 1;
}

int message_unclaim(Db *db, const OutMessage *m) {
        return row_run(db, "UPDATE message SET state = 'queued', attempt = max(attempt - 1, 0) WHERE n = ?", "i", m->n);
}

static int read_one(Db *db, Arena *a, sqlite3_stmt *s, OutMessage *ret) {
        int r = row_step(db, s);
        if (r > 0)
                read_row(s, a, ret);
        return r;
}

int message_load(Db *db, Arena *a, int64_t n, OutMessage *ret) {
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM message WHERE n = ?");
        if (!s)
                return -EIO;
        row_bind(s, "i", n);
        return read_one(db, a, s, ret);
}

int message_find(Db *db, Arena *a, Id id, OutMessage *ret) {
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM message WHERE id = ?");
        if (!s)
                return -EIO;
        row_bind(s, "d", id);
        return read_one(db, a, s, ret);
}

int message_work(Db *db, Usec now, int64_t max, int64_t *ret) {
        int r = row_int(db, ret, "SELECT (SELECT count(*) FROM (SELECT 1 FROM message WHERE state = 'queued' AND next_attempt <= ? LIMIT ?))"
                                 " + (SELECT count(*) FROM message WHERE state = 'sending')", "ui", now, max);
        return MIN(r, 0);
}

int message_waiting(Db *db, Usec now, int64_t max, int64_t *ret) {
        int r = row_int(db, ret, "SELECT count(*) FROM (SELECT 1 FROM message WHERE state = 'queued' AND next_attempt <= ? LIMIT ?)", "ui", now, max);
        return MIN(r, 0);
}

int message_next_due(Db *db, Usec *ret) {
        int64_t due = 0;
        int r = row_int(db, &due, "SELECT next_attempt FROM message WHERE state = 'queued' ORDER BY next_attempt, n LIMIT 1", "");
        *ret = r > 0 ? due : USEC_NONE;
        return MIN(r, 0);
}

int message_delivered(Db *db, const OutMessage *m, Usec now) {
        int r = row_run(db, "UPDATE message SET state = 'delivered', delivered = ?1, finished = ?1, error = NULL, next_attempt = NULL, sealed = NULL WHERE n = ?2",
                        "ui", now, m->n);
        if (r >= 0)
                changed(db, m->id);
        return r;
}

int message_again(Db *db, const OutMessage *m, Usec due, const char *error) {
        int r = row_run(db, "UPDATE message SET state = 'queued', next_attempt = ?, error = ? WHERE n = ?", "uti", due, error, m->n);
        if (r >= 0)
                changed(db, m->id);
        return r;
}

/* A code that is out of date helps nobody: what was sealed goes here, too. */
int message_dead(Db *db, const OutMessage *m, const char *error, Usec now) {
        int r = row_run(db, "UPDATE message SET state = 'dead', finished = ?, error = ?, next_attempt = NULL, sealed = NULL WHERE n = ?", "uti", now, error, m->n);
        if (r >= 0)
                changed(db, m->id);
        return r;
}

int message_replay(Db *db, const OutMessage *m, Usec now) {
        int r = row_run(db, "UPDATE message SET state = 'queued', attempt = 0, next_attempt = ?1, begun = ?1, finished = NULL, error = NULL WHERE n = ?2", "ui", now, m->n);
        if (r >= 0)
                changed(db, m->id);
        return r;
}

int message_recover(Db *db) {
        return row_run(db, "UPDATE message SET state = 'queued' WHERE state = 'sending'", "");
}

/* The files that were written for want of a relay; there are none of messages that left by one. */
static int unlink_files(Db *db, const char *state, sqlite3_stmt *s) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        int r;

        while ((r = row_step(db, s)) > 0) {
                const char *message_id;
                row_read(s, a, "t", &message_id);
                turn_effect(db, (Effect) { .type = EFFECT_UNLINK, .path = memory_strdup(arena_printf(a, "%s/outbox-mail/%s.eml", state, message_id)) });
        }
        return r;
}

#define OF_CUSTOMER " FROM message WHERE (customer = ?1 OR addressee = ?1 OR report IN (SELECT n FROM report WHERE customer = ?1))"

/* What comes of one that a courier has is told by its number, which would be the next one's. */
int message_erase_customer(Db *db, const char *state, int64_t customer) {
        int64_t one = 0;
        {
                _statement_ s = db_statement(db, "SELECT message_id" OF_CUSTOMER " AND state <> 'sending'");
                if (!s)
                        return -EIO;
                row_bind(s, "i", customer);
                int r = unlink_files(db, state, s);
                if (r < 0)
                        return r;
        }
        int r = row_run(db, "DELETE" OF_CUSTOMER " AND state <> 'sending'", "i", customer);
        return r < 0 ? r : row_int(db, &one, "SELECT 1" OF_CUSTOMER " LIMIT 1", "i", customer);
}

int message_count_dead(Db *db, int64_t *ret) {
        int r = row_int(db, ret, "SELECT count(*) FROM message WHERE state = 'dead'", "");
        return MIN(r, 0);
}

int message_expire(Db *db, const char *state, Usec before, int64_t max, bool *ret_more) {
        {
                _statement_ s = db_statement(db, "SELECT message_id FROM message WHERE finished < ? ORDER BY finished LIMIT ?");
                if (!s)
                        return -EIO;
                row_bind(s, "ui", before, max);
                int r = unlink_files(db, state, s);
                if (r < 0)
                        return r;
        }
        int r = row_run(db, "DELETE FROM message WHERE n IN (SELECT n FROM message WHERE finished < ? ORDER BY finished LIMIT ?)", "ui", before, max);
        return r < 0 ? r : row_more(db, ret_more, "SELECT 1 FROM message WHERE finished < ? LIMIT 1", before);
}

typedef struct Sealed {
        int64_t n;
        Buffer plain;                        /* opened */
        int opened;
} Sealed;

/* The next one after n: 1, 0 there is none. */
static int next_sealed(Db *db, const Key *from, int64_t n, Sealed *ret) {
        char where[64];

        _statement_ s = db_statement(db, "SELECT n, sealed FROM message WHERE sealed IS NOT NULL AND n > ? ORDER BY n LIMIT 1");
        if (!s)
                return -EIO;
        row_bind(s, "i", n);
        int r = row_step(db, s);
        if (r <= 0)
                return r;
        ret->n = sqlite3_column_int64(s, 0);
        buffer_clear(&ret->plain);
        ret->opened = seal_open(from, place(where, ret->n), sqlite3_column_blob(s, 1), (size_t) sqlite3_column_bytes(s, 1), &ret->plain);
        return 1;
}

int message_reseal(Db *db, const Key *from, const Key *to, int64_t *ret_resealed, int64_t *ret_lost) {
        Sealed one = { .plain = BUFFER_SECRET };
        char where[64];
        int r;

        while ((r = next_sealed(db, from, one.n, &one)) > 0) {
                _cleanup_(buffer_done) Buffer sealed = {};
                if (one.opened < 0) {
                        (*ret_lost)++;
                        continue;
                }
                seal(to, place(where, one.n), one.plain.data, one.plain.size, &sealed);
                r = row_run(db, "UPDATE message SET sealed = ? WHERE n = ?", "bi", sealed.data, sealed.size, one.n);
                if (r < 0)
                        break;
                (*ret_resealed)++;
        }
        buffer_done(&one.plain);
        return r;
}

int message_wants_file(Db *db, const char *name) {
        char message_id[NAME_MAX + 1];
        size_t n = strlen(name), end = strlen(".eml");
        int64_t one = 0;

        if (n <= end || n >= sizeof(message_id) || strcmp(name + n - end, ".eml") != 0)
                return 1;
        memcpy(message_id, name, n - end);
        message_id[n - end] = 0;
        return row_int(db, &one, "SELECT 1 FROM message WHERE message_id = ?", "t", message_id);
}

int message_was_sent(Db *db, const char *message_id, const char *address_key) {
        int64_t one = 0;
        return row_int(db, &one, "SELECT 1 FROM message WHERE message_id = ? AND address_key = ? AND attempt > 0", "tt", message_id, address_key);
}

int suppression_get(Db *db, Arena *a, const char *address_key, const char **ret_reason) {
        _statement_ s = db_statement(db, "SELECT reason FROM suppression WHERE address_key = ?");
        if (!s)
                return -EIO;
        row_bind(s, "t", address_key);
        int r = row_step(db, s);
        if (r > 0)
                row_read(s, a, "t", ret_reason);
        return r;
}

int suppression_put(Db *db, const char *address_key, const char *address, const char *reason, Usec now) {
        int64_t there = 0;
        int r = row_int(db, &there, "SELECT 1 FROM suppression WHERE address_key = ?", "t", address_key);
        if (r != 0)
                return MIN(r, 0);
        return row_run(db, "INSERT INTO suppression(address_key, address, reason, created) VALUES(?,?,?,?)", "tttu", address_key, address, reason, now);
}

int suppression_erase_customer(Db *db, int64_t customer) {
        return row_run(db, "DELETE FROM suppression WHERE address_key IN (SELECT address_key FROM customer_recipient WHERE customer = ?1"
                           " UNION SELECT address_key FROM verification WHERE customer = ?1 UNION SELECT account_key FROM customer WHERE n = ?1)", "i", customer);
}

int suppression_lift(Db *db, const char *address_key) {
        int64_t there = 0;
        int r = row_int(db, &there, "SELECT 1 FROM suppression WHERE address_key = ?", "t", address_key);
        if (r <= 0)
                return r;
        r = row_run(db, "DELETE FROM suppression WHERE address_key = ?", "t", address_key);
        return r < 0 ? r : 1;
}

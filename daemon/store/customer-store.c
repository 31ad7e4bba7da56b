/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/model/address.h"
#include "daemon/model/unicode.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/row.h"

#define COLUMNS                                                                                                        \
        "n, id, revision, organization, organization_key, registered_account, account_key, account_verified,"          \
        " account_type, cloud, first_name, last_name, country, phone, data_center, language, time_zone, tags, contacts, custom," \
        " symbol, state, management_mode, status, status_reason, expired_hidden, services, subscriptions, tenants,"     \
        " open_tickets, next_expiration, created, notification, billing_enabled, billing_recipients, billing_profile,"  \
        " service_reports_enabled, service_reports_recipients, before_disconnect, erase_after"

static int word_index(const char *const *names, const char *word) {
        return str_empty(word) ? -1 : names_find(names, word);
}

static Customer *customer_read(sqlite3_stmt *s, Arena *a) {
        Customer *c = customer_new(a);
        const char *type, *cloud, *state, *mode;

        row_read(s, a, "idittttottttttttttttttttto", &c->n, &c->id, &c->revision, &c->organization, &c->organization_key,
                 &c->registered_account, &c->account_key, &c->account_verified, &type, &cloud, &c->first_name, &c->last_name,
                 &c->country, &c->phone, &c->data_center, &c->language, &c->time_zone, &c->tags, &c->contacts, &c->custom, &c->symbol,
                 &state, &mode, &c->status, &c->status_reason, &c->expired_hidden);
        row_read(s, a, "--------------------------ttiiuutottottu", &c->services, &c->subscriptions, &c->tenants, &c->open_tickets,
                 &c->next_expiration, &c->created, &c->notification, &c->billing_enabled, &c->billing_recipients, &c->billing_profile,
                 &c->service_reports_enabled, &c->service_reports_recipients, &c->before_disconnect, &c->erase_after);
        c->account_type = word_index(account_type_names, type);
        c->cloud = word_index(cloud_names, cloud);
        c->state = word_index(customer_state_names, state);
        c->management_mode = word_index(management_mode_names, mode);
        if (str_empty(c->country))
                c->country = NULL;
        return c;
}

int customer_load(Db *db, Arena *a, int64_t n, Customer **ret) {
        _statement_ s = db_statement(db, "SELECT " COLUMNS " FROM customer WHERE n = ?");
        if (!s)
                return -EIO;
        row_bind(s, "i", n);
        int r = row_step(db, s);
        if (r > 0)
                *ret = customer_read(s, a);
        return r;
}

int customer_find_id(Db *db, Id id, int64_t *ret_n) {
        return row_int(db, ret_n, "SELECT n FROM customer WHERE id = ?", "d", id);
}

int customer_find_account(Db *db, const char *account_key, int64_t *ret_n) {
        return row_int(db, ret_n, "SELECT n FROM customer WHERE account_key = ?", "t", account_key);
}

static int read_keys(Db *db, sqlite3_stmt *s, int64_t *ret_n, size_t max) {
        int r, count = 0;
        while ((r = row_step(db, s)) > 0) {
                if ((size_t) count < max)
                        ret_n[count] = sqlite3_column_int64(s, 0);
                count++;
        }
        return r < 0 ? r : count;
}

int customer_find_organization(Db *db, const char *organization, int64_t *ret_n, size_t max) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        _statement_ s = db_statement(db, "SELECT n FROM customer WHERE organization_key = ? AND organization = ? ORDER BY id LIMIT ?");
        if (!s)
                return -EIO;
        row_bind(s, "tti", text_key(a, organization), organization, (int64_t) max + 1);
        return read_keys(db, s, ret_n, max);
}

int customer_find_prefix(Db *db, const char *prefix, int64_t *ret_n, size_t max) {
        char low[ID_TEXT_SIZE], high[ID_TEXT_SIZE];
        Id from, to;
        size_t length = strlen(prefix);

        snprintf(low, sizeof(low), "%s%.*s", prefix, (int) (32 - length), "00000000000000000000000000000000");
        snprintf(high, sizeof(high), "%s%.*s", prefix, (int) (32 - length), "ffffffffffffffffffffffffffffffff");
        if (!id_parse(low, &from) || !id_parse(high, &to))
                return 0;
        _statement_ s = db_statement(db, "SELECT n FROM customer WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?");
        if (!s)
                return -EIO;
        row_bind(s, "ddi", from, to, (int64_t) max + 1);
        return read_keys(db, s, ret_n, max);
}

int customer_near(Db *db, Arena *a, const char *key, const char **ret_names, size_t max) {
        static const char *const sql[] = {
                "SELECT organization FROM customer WHERE organization_key >= ?1 AND organization_key < ?1 || char(1114111)"
                " ORDER BY organization_key, organization, id LIMIT ?2",
                "SELECT organization FROM (SELECT organization_key, organization FROM customer"
                " ORDER BY organization_key, organization, id LIMIT 20000)"
                " WHERE instr(organization_key, ?1) > 1 LIMIT ?2",
        };
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(sql) && n < max; i++) {
                int r;
                _statement_ s = db_statement(db, sql[i]);
                if (!s)
                        return -EIO;
                row_bind(s, "ti", key, (int64_t) (max - n));
                while ((r = row_step(db, s)) > 0)
                        row_read(s, a, "t", &ret_names[n++]);
                if (r < 0)
                        return r;
        }
        return (int) n;
}

/* ---- children ---- */

/* The rows by which a customer is found under a tag, service or subscription state; their tails follow the name. */
static int tags_write(Db *db, const Customer *c) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        int r;

        _statement_ s = db_statement(db, "SELECT value FROM json_each(?)");
        if (!s)
                return -EIO;
        row_bind(s, "t", c->tags);
        while ((r = row_step(db, s)) > 0) {
                const char *tag;
                row_read(s, a, "t", &tag);
                r = row_run(db, "INSERT INTO customer_tag(tag_key, organization_key, organization, id, customer, tag) VALUES(?,?,?,?,?,?)",
                            "tttdit", text_key(a, tag), c->organization_key, c->organization, c->id, c->n, tag);
                if (r < 0)
                        return r;
        }
        return r;
}

static int custom_write(Db *db, const Customer *c) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        int r;

        _statement_ s = db_statement(db, "SELECT key, value FROM json_each(?)");
        if (!s)
                return -EIO;
        row_bind(s, "t", c->custom);
        while ((r = row_step(db, s)) > 0) {
                const char *name, *value;
                row_read(s, a, "tt", &name, &value);
                r = row_run(db, "INSERT INTO customer_custom(customer, name, value, value_key) VALUES(?,?,?,?)", "ittt", c->n, name, value,
                            text_key(a, value));
                if (r < 0)
                        return r;
        }
        return r;
}

/* Whose address it is: asked for every recipient of a report. */
static int recipients_write(Db *db, const Customer *c) {
        const char *const lists[] = { c->billing_recipients, c->service_reports_recipients };
        _cleanup_(arena_freep) Arena *a = arena_new();
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(lists) && r >= 0; i++) {
                _statement_ s = db_statement(db, "SELECT value FROM json_each(?)");
                if (!s)
                        return -EIO;
                row_bind(s, "t", lists[i]);
                while ((r = row_step(db, s)) > 0) {
                        const char *address;
                        int64_t there = 0;
                        row_read(s, a, "t", &address);
                        const char *key = address_key(a, address);
                        r = row_int(db, &there, "SELECT 1 FROM customer_recipient WHERE address_key = ? AND customer = ?", "ti", key, c->n);
                        if (r == 0)
                                r = row_run(db, "INSERT INTO customer_recipient(address_key, customer) VALUES(?,?)", "ti", key, c->n);
                        if (r < 0)
                                return r;
                }
        }
        return r;
}

static int recipients_change(Db *db, const Customer *old, const Customer *new) {
        bool same = old && str_equal(old->billing_recipients, new->billing_recipients) && str_equal(old->service_reports_recipients, new->service_reports_recipients);
        bool none = strcmp(new->billing_recipients, "[]") == 0 && strcmp(new->service_reports_recipients, "[]") == 0;
        int r = 0;

        if (same || (!old && none))
                return 0;
        if (old)
                r = row_run(db, "DELETE FROM customer_recipient WHERE customer = ?", "i", new->n);
        return r < 0 || none ? r : recipients_write(db, new);
}

static int children_write(Db *db, const Customer *old, const Customer *new) {
        bool renamed = old && !str_equal(old->organization, new->organization);
        int r = 0;

        if (!old || renamed || !str_equal(old->tags, new->tags)) {
                if (old && strcmp(old->tags, "[]") != 0)
                        r = row_run(db, "DELETE FROM customer_tag WHERE customer = ?", "i", new->n);
                if (r >= 0 && strcmp(new->tags, "[]") != 0)
                        r = tags_write(db, new);
        }
        if (r >= 0 && (!old || !str_equal(old->custom, new->custom))) {
                if (old && strcmp(old->custom, "{}") != 0)
                        r = row_run(db, "DELETE FROM customer_custom WHERE customer = ?", "i", new->n);
                if (r >= 0 && strcmp(new->custom, "{}") != 0)
                        r = custom_write(db, new);
        }
        if (r >= 0)
                r = recipients_change(db, old, new);
        if (r >= 0 && renamed && strcmp(old->services, "[]") != 0)
                r = row_run(db, "UPDATE customer_service SET organization_key = ?, organization = ? WHERE customer = ?", "tti",
                            new->organization_key, new->organization, new->n);
        if (r >= 0 && renamed && strcmp(old->subscriptions, "[]") != 0)
                r = row_run(db, "UPDATE customer_subscription SET organization_key = ?, organization = ? WHERE customer = ?", "tti",
                            new->organization_key, new->organization, new->n);
        return r;
}

/* ---- the row ---- */

static const char *word(const char *const *names, int i) {
        return i < 0 ? NULL : names[i];
}

int customer_insert(Db *db, Customer *c) {
        int64_t n = 0, erased = 0;
        int r = row_int(db, &n, "SELECT max(n) FROM customer", "");
        /* Never a number again that was somebody else's: a task may still hold it. */
        if (r >= 0)
                r = row_int(db, &erased, "SELECT max(customer) FROM erasure", "");
        if (r < 0)
                return r;
        c->n = MAX(n, erased) + 1;
        c->revision = 1;
        r = row_run(db,
                    "INSERT INTO customer(n, id, revision, organization, organization_key, registered_account, account_key,"
                    " account_verified, account_type, cloud, first_name, last_name, country, phone, data_center, language, time_zone,"
                    " tags, contacts, custom, symbol, state, management_mode, status, status_reason, created, notification,"
                    " billing_enabled, billing_recipients, billing_profile, service_reports_enabled, service_reports_recipients)"
                    " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                    "idittttittttttttttttttttt" "ut" "ittit", c->n, c->id, c->revision, c->organization, c->organization_key,
                    c->registered_account, c->account_key, (int64_t) c->account_verified, account_type_names[c->account_type],
                    word(cloud_names, c->cloud), c->first_name, c->last_name, c->country ?: "", c->phone, c->data_center, c->language,
                    c->time_zone, c->tags, c->contacts, c->custom, c->symbol, customer_state_names[c->state],
                    management_mode_names[c->management_mode], c->status, c->status_reason, c->created, c->notification,
                    (int64_t) c->billing_enabled, c->billing_recipients, c->billing_profile, (int64_t) c->service_reports_enabled,
                    c->service_reports_recipients);
        return r < 0 ? r : children_write(db, NULL, c);
}

typedef struct Sets {
        Set items[40];
        size_t n;
} Sets;

static void set_text(Sets *sets, const char *column, const char *old, const char *new) {
        if (!str_equal(old, new))
                sets->items[sets->n++] = (Set) { .column = column, .type = 't', .text = new };
}

static void set_int(Sets *sets, const char *column, int64_t old, int64_t new) {
        if (old != new)
                sets->items[sets->n++] = (Set) { .column = column, .type = 'u', .integer = new };
}

int customer_update(Db *db, const Customer *old, Customer *new) {
        Sets sets = {};

        new->revision = old->revision + 1;
        set_int(&sets, "revision", old->revision, new->revision);
        set_text(&sets, "organization", old->organization, new->organization);
        set_text(&sets, "organization_key", old->organization_key, new->organization_key);
        set_text(&sets, "registered_account", old->registered_account, new->registered_account);
        set_text(&sets, "account_key", old->account_key, new->account_key);
        set_int(&sets, "account_verified", old->account_verified, new->account_verified);
        set_text(&sets, "account_type", account_type_names[old->account_type], account_type_names[new->account_type]);
        set_text(&sets, "cloud", word(cloud_names, old->cloud), word(cloud_names, new->cloud));
        set_text(&sets, "first_name", old->first_name, new->first_name);
        set_text(&sets, "last_name", old->last_name, new->last_name);
        set_text(&sets, "country", old->country ?: "", new->country ?: "");
        set_text(&sets, "phone", old->phone, new->phone);
        set_text(&sets, "data_center", old->data_center, new->data_center);
        set_text(&sets, "language", old->language, new->language);
        set_text(&sets, "time_zone", old->time_zone, new->time_zone);
        set_text(&sets, "tags", old->tags, new->tags);
        set_text(&sets, "contacts", old->contacts, new->contacts);
        set_text(&sets, "custom", old->custom, new->custom);
        set_text(&sets, "symbol", old->symbol, new->symbol);
        set_text(&sets, "state", customer_state_names[old->state], customer_state_names[new->state]);
        set_text(&sets, "management_mode", management_mode_names[old->management_mode], management_mode_names[new->management_mode]);
        set_int(&sets, "expired_hidden", old->expired_hidden, new->expired_hidden);
        set_text(&sets, "notification", old->notification, new->notification);
        set_int(&sets, "billing_enabled", old->billing_enabled, new->billing_enabled);
        set_text(&sets, "billing_recipients", old->billing_recipients, new->billing_recipients);
        set_text(&sets, "billing_profile", old->billing_profile, new->billing_profile);
        set_int(&sets, "service_reports_enabled", old->service_reports_enabled, new->service_reports_enabled);
        set_text(&sets, "service_reports_recipients", old->service_reports_recipients, new->service_reports_recipients);
        set_text(&sets, "before_disconnect", old->before_disconnect, new->before_disconnect);
        set_int(&sets, "erase_after", old->erase_after, new->erase_after);
        int r = row_update(db, "customer", sets.items, sets.n, new->n);
        return r < 0 ? r : children_write(db, old, new);
}

int customer_symbol_put(Db *db, int64_t n, const void *bytes, size_t size) {
        if (size == 0)
                return row_run(db, "DELETE FROM customer_symbol WHERE customer = ?", "i", n);
        return row_run(db, "INSERT INTO customer_symbol(customer, bytes) VALUES(?1, ?2) ON CONFLICT(customer) DO UPDATE SET bytes = ?2",
                       "ib", n, bytes, size);
}

int customer_symbol_get(Db *db, int64_t n, Buffer *ret) {
        _statement_ s = db_statement(db, "SELECT bytes FROM customer_symbol WHERE customer = ?");
        if (!s)
                return -EIO;
        row_bind(s, "i", n);
        int r = row_step(db, s);
        if (r > 0)
                buffer_add(ret, sqlite3_column_blob(s, 0), (size_t) sqlite3_column_bytes(s, 0));
        return r;
}

int customer_pin(Db *db, int64_t uid, int64_t n, Usec when) {
        return row_run(db, "INSERT INTO pin(uid, customer, pinned) VALUES(?,?,?) ON CONFLICT(uid, customer) DO NOTHING", "iii", uid, n, when);
}

int customer_unpin(Db *db, int64_t uid, int64_t n) {
        return row_run(db, "DELETE FROM pin WHERE uid = ? AND customer = ?", "ii", uid, n);
}

/* With neither subscriptions nor jobs in the schema there is one answer; the features that bring them extend this
 * one statement, and the checker in tests/ recomputes it for every row. */
int customer_refresh(Db *db, int64_t n) {
        return row_run(db,
                       "UPDATE customer SET status = 'not-applicable', status_reason = 'no backup subscription', services = '[]',"
                       " subscriptions = '[]', tenants = 0, open_tickets = 0, next_expiration = NULL WHERE n = ? AND (status <>"
                       " 'not-applicable' OR services <> '[]' OR subscriptions <> '[]' OR tenants <> 0 OR open_tickets <> 0 OR"
                       " next_expiration IS NOT NULL)", "i", n);
}

int customer_of_address(Db *db, const char *address_key, int64_t *ret_n, size_t max, size_t *ret_count) {
        _statement_ s = db_statement(db, "SELECT n FROM customer WHERE account_key = ?1 UNION SELECT customer FROM customer_recipient WHERE address_key = ?1"
                                         " ORDER BY 1 LIMIT ?2");
        if (!s)
                return -EIO;
        row_bind(s, "ti", address_key, (int64_t) max);
        int r = read_keys(db, s, ret_n, max);
        *ret_count = r < 0 ? 0 : (size_t) r;
        return MIN(r, 0);
}

int customer_has_address(Db *db, int64_t n, const char *address_key) {
        int64_t one = 0;
        return row_int(db, &one, "SELECT 1 FROM customer WHERE n = ?1 AND account_key = ?2 UNION SELECT 1 FROM customer_recipient WHERE address_key = ?2"
                                 " AND customer = ?1", "it", n, address_key);
}

int customer_addresses(Db *db, Arena *a, int64_t n, const char **ret) {
        _statement_ s = db_statement(db,
                "SELECT json_group_array(address) FROM (SELECT registered_account AS address FROM customer WHERE n = ?1 AND registered_account IS NOT NULL"
                " UNION SELECT value FROM customer, json_each(billing_recipients) WHERE n = ?1"
                " UNION SELECT value FROM customer, json_each(service_reports_recipients) WHERE n = ?1"
                " UNION SELECT json_extract(value, '$.address') FROM customer, json_each(contacts) WHERE n = ?1 AND json_extract(value, '$.address') IS NOT NULL)");
        if (!s)
                return -EIO;
        row_bind(s, "i", n);
        int r = row_step(db, s);
        if (r > 0)
                row_read(s, a, "t", ret);
        return MIN(r, 0);
}

/* A look at all of them: contacts have no index, and this is asked at an erasure, of an address that a schedule has. */
int customer_other_contact(Db *db, int64_t n, const char *key) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        int r;

        _statement_ s = db_statement(db, "SELECT json_extract(value, '$.address') FROM customer, json_each(contacts) WHERE contacts <> '[]' AND n <> ?"
                                         " AND state <> 'disconnecting'");
        if (!s)
                return -EIO;
        row_bind(s, "i", n);
        while ((r = row_step(db, s)) > 0) {
                const char *address = (const char *) sqlite3_column_text(s, 0);
                if (address && strlen(address) >= 3 && str_equal(address_key(a, address), key))
                        return 1;
        }
        return r;
}

/* ---- the end ---- */

int customer_due_for_erasure(Db *db, Usec now, int64_t *ret_n, size_t max, size_t *ret_count) {
        _statement_ s = db_statement(db, "SELECT n FROM customer WHERE erase_after IS NOT NULL AND erase_after <= ?"
                                         " ORDER BY erase_after LIMIT ?");
        if (!s)
                return -EIO;
        row_bind(s, "ii", now, (int64_t) max);
        int r = read_keys(db, s, ret_n, max);
        *ret_count = r < 0 ? 0 : (size_t) r;
        return MIN(r, 0);
}

int customer_erase(Db *db, int64_t n, Usec now, Usec backups_until) {
        static const char *const deletes[] = {
                "DELETE FROM customer_tag WHERE customer = ?",     "DELETE FROM customer_service WHERE customer = ?",
                "DELETE FROM customer_subscription WHERE customer = ?", "DELETE FROM customer_custom WHERE customer = ?",
                "DELETE FROM customer_symbol WHERE customer = ?",  "DELETE FROM pin WHERE customer = ?",
                "DELETE FROM customer_recipient WHERE customer = ?",
                "DELETE FROM customer WHERE n = ?",
        };
        int r = row_run(db, "INSERT INTO erasure(n, id, customer, erased, backups_until) SELECT (SELECT coalesce(max(n), 0) + 1 FROM erasure), id, n, ?, ?"
                            " FROM customer WHERE n = ?", "iii", now, backups_until, n);
        for (size_t i = 0; i < ELEMENTSOF(deletes) && r >= 0; i++)
                r = row_run(db, deletes[i], "i", n);
        return r;
}

int erasure_complete(Db *db, Usec now) {
        return row_run(db, "UPDATE erasure SET completed = ? WHERE completed IS NULL", "i", now);
}

int erasure_newest(Db *db, int64_t *ret) {
        *ret = 0;
        return MIN(row_int(db, ret, "SELECT n FROM erasure ORDER BY n DESC LIMIT 1", ""), 0);
}

int erasures_open(Db *db, int64_t *ret) {
        int r = row_int(db, ret, "SELECT count(*) FROM erasure WHERE completed IS NULL", "");
        return MIN(r, 0);
}

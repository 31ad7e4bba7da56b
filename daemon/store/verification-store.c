/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/store/row.h"
#include "daemon/store/verification-store.h"

/* "[newest,…]" */
static void read_sent(const char *text, Usec ret[VERIFICATION_SENT_MAX]) {
        const char *p = text + 1;
        for (size_t i = 0; i < VERIFICATION_SENT_MAX && *p >= '0' && *p <= '9'; i++) {
                char *end;
                ret[i] = strtoll(p, &end, 10);
                p = *end == ',' ? end + 1 : end;
        }
}

int verification_get(Db *db, Arena *a, int64_t customer, const char *address_key, Verification *ret) {
        const char *sent = NULL;

        _statement_ s = db_statement(db, "SELECT address_key, address, code, expires, tries, sent, verified FROM verification WHERE customer = ? AND address_key = ?");
        if (!s)
                return -EIO;
        row_bind(s, "it", customer, address_key);
        int r = row_step(db, s);
        if (r <= 0)
                return r;
        *ret = (Verification) { .customer = customer };
        row_read(s, a, "tt-uitu", &ret->address_key, &ret->address, &ret->expires, &ret->tries, &sent, &ret->verified);
        ret->pending = sqlite3_column_bytes(s, 2) == KEYED_HASH_SIZE;
        if (ret->pending)
                memcpy(ret->code, sqlite3_column_blob(s, 2), KEYED_HASH_SIZE);
        read_sent(sent, ret->sent);
        return 1;
}

int verification_put(Db *db, const Verification *v, const uint8_t link[KEYED_HASH_SIZE]) {
        char sent[80];

        snprintf(sent, sizeof(sent), "[%lld,%lld,%lld]", (long long) v->sent[0], (long long) v->sent[1], (long long) v->sent[2]);
        int r = verification_forget(db, v->customer, v->address_key);
        if (r < 0)
                return r;
        return row_run(db, "INSERT INTO verification(customer, address_key, address, code, link, expires, tries, sent, verified) VALUES(?,?,?,?,?,?,0,?,?)",
                       "ittbbutu", v->customer, v->address_key, v->address, v->code, (size_t) KEYED_HASH_SIZE, link, (size_t) KEYED_HASH_SIZE,
                       v->expires, sent, v->verified);
}

int verification_tried(Db *db, const Verification *v) {
        return row_run(db, "UPDATE verification SET tries = tries + 1 WHERE customer = ? AND address_key = ?", "it", v->customer, v->address_key);
}

int verification_done(Db *db, const Verification *v, Usec now) {
        return row_run(db, "UPDATE verification SET verified = ?, code = NULL, link = NULL, expires = NULL, tries = 0 WHERE customer = ? AND address_key = ?", "uit",
                       now, v->customer, v->address_key);
}

int verification_last(Db *db, Usec now, Usec *ret) {
        int64_t last = 0;
        int r = row_int(db, &last, "SELECT coalesce(max(expires), 0) FROM verification WHERE code IS NOT NULL AND expires > ?", "u", now);
        *ret = last;
        return MIN(r, 0);
}

int verification_forget(Db *db, int64_t customer, const char *address_key) {
        return row_run(db, "DELETE FROM verification WHERE customer = ? AND address_key = ?", "it", customer, address_key);
}

int verification_erase_customer(Db *db, int64_t customer) {
        return row_run(db, "DELETE FROM verification WHERE customer = ?", "i", customer);
}

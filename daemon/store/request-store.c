/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "common/id.h"
#include "daemon/store/key.h"
#include "daemon/store/request-store.h"
#include "daemon/store/row.h"

static void keep(const Db *db, const uint8_t digest[SHA256_SIZE], uint8_t ret[KEYED_HASH_SIZE]) {
        char hex[2 * SHA256_SIZE + 1];
        hex_text(digest, SHA256_SIZE, hex);
        key_lasting_hash(db, "request", hex, ret);
        memory_wipe(hex, sizeof(hex));
}

bool request_is(const Db *db, const RequestAnswer *found, const uint8_t digest[SHA256_SIZE]) {
        uint8_t kept[KEYED_HASH_SIZE];
        keep(db, digest, kept);
        return hash_equal(kept, found->digest);
}

int request_find(Db *db, Arena *a, const RequestKey *key, RequestAnswer *ret) {
        _statement_ s = db_statement(db, "SELECT digest, kind, code, field, answer FROM request"
                                         " WHERE uid = ? AND behalf = ? AND method = ? AND id = ?");
        if (!s)
                return -EIO;
        row_bind(s, "ittt", key->uid, key->behalf, key->method, key->id);
        int r = row_step(db, s);
        if (r <= 0)
                return r;
        row_read(s, a, "-tttt", &ret->kind, &ret->code, &ret->field, &ret->answer);
        memset(ret->digest, 0, SHA256_SIZE);
        if (sqlite3_column_bytes(s, 0) == SHA256_SIZE)
                memcpy(ret->digest, sqlite3_column_blob(s, 0), SHA256_SIZE);
        return 1;
}

int request_put(Db *db, const RequestKey *key, const RequestAnswer *answer, Usec now) {
        uint8_t kept[KEYED_HASH_SIZE];

        keep(db, answer->digest, kept);
        return row_run(db,
                       "INSERT INTO request(uid, behalf, method, id, format, digest, created, kind, code, field, answer)"
                       " VALUES(?,?,?,?,?,?,?,?,?,?,?)",
                       "itttibitttt", key->uid, key->behalf, key->method, key->id, (int64_t) REQUEST_FORMAT, kept, sizeof(kept),
                       now, answer->kind, answer->code, answer->field, answer->answer);
}

int request_expire(Db *db, Usec before, int64_t max, bool *ret_more) {
        int r = row_run(db, "DELETE FROM request WHERE (uid, behalf, method, id) IN"
                            " (SELECT uid, behalf, method, id FROM request WHERE created < ? LIMIT ?)", "ii", before, max);
        return r < 0 ? r : row_more(db, ret_more, "SELECT 1 FROM request WHERE created < ? LIMIT 1", before);
}

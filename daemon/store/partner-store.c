/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/store/partner-store.h"
#include "daemon/store/row.h"

int partner_load(Db *db, Arena *a, Partner *ret) {
        *ret = partner_default();
        _statement_ s = db_statement(db, "SELECT revision, name, account, sender, language, time_zone, currency, contacts, logo FROM partner");
        if (!s)
                return -EIO;
        int r = row_step(db, s);
        if (r > 0)
                row_read(s, a, "itttttttt", &ret->revision, &ret->name, &ret->account, &ret->sender, &ret->language, &ret->time_zone,
                         &ret->currency, &ret->contacts, &ret->logo);
        return MIN(r, 0);
}

int partner_save(Db *db, Partner *p) {
        p->revision++;
        return row_run(db,
                       "INSERT INTO partner(n, revision, name, account, sender, language, time_zone, currency, contacts, logo)"
                       " VALUES(1,?,?,?,?,?,?,?,?,?) ON CONFLICT(n) DO UPDATE SET revision = excluded.revision, name = excluded.name,"
                       " account = excluded.account, sender = excluded.sender, language = excluded.language,"
                       " time_zone = excluded.time_zone, currency = excluded.currency, contacts = excluded.contacts, logo = excluded.logo",
                       "itttttttt", p->revision, p->name, p->account, p->sender, p->language, p->time_zone, p->currency, p->contacts, p->logo);
}

int partner_logo_put(Db *db, const void *bytes, size_t size) {
        return row_run(db, "UPDATE partner SET logo_bytes = ?", "b", bytes, size);
}

int partner_logo_get(Db *db, Buffer *ret) {
        _statement_ s = db_statement(db, "SELECT logo_bytes FROM partner WHERE logo IS NOT NULL AND logo_bytes IS NOT NULL");
        if (!s)
                return -EIO;
        int r = row_step(db, s);
        if (r > 0)
                buffer_add(ret, sqlite3_column_blob(s, 0), (size_t) sqlite3_column_bytes(s, 0));
        return r;
}

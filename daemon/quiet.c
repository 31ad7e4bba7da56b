/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "common/log.h"
#include "common/time.h"
#include "daemon/action/deliver.h"
#include "daemon/action/zone-file.h"
#include "daemon/leftovers.h"
#include "daemon/quiet.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/going.h"
#include "daemon/store/operation-store.h"
#include "daemon/store/partner-store.h"
#include "daemon/store/message-store.h"
#include "daemon/store/report-store.h"
#include "daemon/store/request-store.h"
#include "daemon/store/schedule-store.h"
#include "daemon/store/setting-store.h"
#include "daemon/store/task-store.h"
#include "daemon/task/backup-task.h"

enum { LOT = 500 };

/* Local civil time of the partner; UTC if its zone cannot be read. */
static CivilTime partner_time(Context *c) {
        Zone *zone = NULL;
        Partner partner;
        CivilTime local = civil_from_usec(c->now);

        if (partner_load(c->db, c->arena, &partner) >= 0 && partner.time_zone &&
            zone_load(c->arena, c->settings, partner.time_zone, &zone) >= 0)
                local = zone_civil(zone, c->now);
        return local;
}

static const char *today(Context *c, const CivilTime *t) {
        return arena_printf(c->arena, "%04d-%02d-%02d", t->year, t->month, t->day);
}

bool quiet_is_due(Context *c) {
        const char *done = NULL, *now = NULL;
        CivilTime t = partner_time(c);

        if (setting_get(c->db, c->arena, "quiet-now", &now) > 0 && str_equal(now, "1"))
                return true;
        if (t.hour * 60 + t.minute < c->settings->quiet_minutes)
                return false;
        return setting_get(c->db, c->arena, "quiet-done", &done) == 0 || !str_equal(done, today(c, &t));
}

int quiet_expire(Context *c, bool *ret_more) {
        const Settings *s = c->settings;

        *ret_more = false;
        int r = request_expire(c->db, c->now - REQUEST_DAYS * USEC_DAY, LOT, ret_more);
        if (r >= 0)
                r = task_expire(c->db, c->now - s->keep_outbox_days * USEC_DAY, LOT, ret_more);
        if (r >= 0)
                r = operation_expire(c->db, c->now - s->keep_outbox_days * USEC_DAY, LOT, ret_more);
        if (r >= 0)
                r = report_expire(c->db, s->state, c->now - s->keep_reports_days * USEC_DAY, LOT, ret_more);
        if (r >= 0)
                r = message_expire(c->db, s->state, c->now - s->keep_outbox_days * USEC_DAY, LOT, ret_more);
        if (r >= 0)
                r = run_expire(c->db, c->now - s->keep_outbox_days * USEC_DAY, LOT, ret_more);
        if (r >= 0)
                r = audit_expire(c->db, c->now - s->keep_audit_days * USEC_DAY, c->now, LOT, ret_more);
        if (r >= 0)
                r = recipient_expire_waiting(c->db, c->now - WAITING_DAYS * USEC_DAY, c->now);
        return r;
}

/* After a rotation of the key. */
static bool is_wanted(Db *db) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *wanted = NULL;
        return setting_get(db, a, "rewrite-wanted", &wanted) > 0 && str_equal(wanted, "1");
}

int quiet_rewrite(Db *db, bool *ret_rewritten) {
        int64_t open = 0;
        int r = erasures_open(db, &open);

        *ret_rewritten = false;
        if (r < 0 || (open == 0 && !is_wanted(db)))
                return r;
        r = db_vacuum(db);
        *ret_rewritten = r == 0;
        return r;
}

/* Somebody who can write the database and knows its key can write another chain, but not into yesterday's journal. */
static int tell_audit_head(Context *c) {
        const char *hash;
        int64_t n = 0;

        int r = audit_head(c->db, c->arena, &n, &hash);
        if (r <= 0)
                return r;
        const char *const fields[] = {
                arena_printf(c->arena, "TENANTD_AUDIT_RECORD=%lld", (long long) n), arena_printf(c->arena, "TENANTD_AUDIT_HASH=%s", hash), NULL,
        };
        log_fields(LOG_LEVEL_INFO, fields, "the newest audit record is %lld, with the hash %s", (long long) n, hash);
        return 0;
}

/* A database that is new today has nothing in it that a night would lose: its first quiet hour, made up for at its first start,
 * begins to count the days. */
static int want_backup(Context *c) {
        const char *since = NULL, *now = NULL;
        int r = setting_get(c->db, c->arena, "backup-since", &since);
        if (r == 0)
                r = setting_put(c->db, "backup-since", arena_printf(c->arena, "%lld", (long long) c->now));
        if (r >= 0)
                r = setting_get(c->db, c->arena, "quiet-now", &now);
        return r < 0 || (!since && !str_equal(now, "1")) ? MIN(r, 0) : nightly_want(c->db);
}

int quiet_finish(Context *c, bool rewritten) {
        CivilTime t = partner_time(c);
        int r = rewritten ? erasure_complete(c->db, c->now) : 0;

        if (r >= 0)
                r = leftovers_expire_reports(c->db, c->settings->state, c->now - c->settings->keep_reports_days * USEC_DAY);
        if (r >= 0)
                r = leftovers_expire_mail(c->db, c->settings->state, c->now - c->settings->keep_outbox_days * USEC_DAY);
        if (r >= 0)
                r = going_finish(c->db, c->settings->state);
        if (r >= 0 && rewritten)
                r = setting_put(c->db, "rewrite-wanted", "0");
        if (r >= 0)
                r = tell_audit_head(c);
        if (r >= 0)
                r = want_backup(c);
        if (r >= 0)
                r = setting_put(c->db, "quiet-now", "0");
        if (r >= 0 && t.hour * 60 + t.minute >= c->settings->quiet_minutes)
                r = setting_put(c->db, "quiet-done", today(c, &t));
        return r;
}

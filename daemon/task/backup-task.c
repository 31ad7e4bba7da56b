/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "common/json.h"
#include "common/log.h"
#include "daemon/store/backup.h"
#include "daemon/store/setting-store.h"
#include "daemon/task/backup-task.h"

#define PAUSE USEC_HOUR

typedef struct Made {
        Nightly *nightly;
        Usec now;
        char name[BACKUP_NAME_SIZE];
        int64_t bytes;
        int deleted;
} Made;

int nightly_want(Db *db) {
        return setting_put(db, "backup-wanted", "1");
}

int nightly_is_due(Nightly *n, Db *db) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *wanted = NULL;

        if (n->running)
                return 0;
        int r = setting_get(db, a, "backup-wanted", &wanted);
        if (r < 0)
                return r;
        bool is_wanted = str_equal(wanted, "1");
        /* The last one is on record: the next need not wait. */
        if (!is_wanted)
                n->again = 0;
        return is_wanted && clock_monotonic() >= n->again;
}

static int backup_work(Work *work) {
        Made *made = work->state;
        const BackupOrder order = {
                .state = work->settings->state, .folder = work->settings->backup_directory, .kind = "nightly", .now = made->now,
                .cancel = (const bool volatile *) &work->cancel,
        };
        int r = backup_keep(&order, made->name, &made->bytes, &work->problem);
        if (r == 0)
                made->deleted = MAX(backup_prune(order.folder, order.now), 0);
        /* What could not be kept in the backup directory is kept there. */
        if (r == 0)
                made->deleted += MAX(backup_prune(order.state, order.now), 0);
        return r;
}

static int settle_done(Context *c, const Work *work, const Made *made) {
        Buffer last = {};

        json_put_object_begin(&last);
        json_put_key_time(&last, "time", c->now);
        json_put_key_string(&last, "path", arena_printf(c->arena, "%s/%s", work->settings->backup_directory, made->name));
        json_put_key_int(&last, "bytes", made->bytes);
        json_put_object_end(&last);
        int r = setting_put(c->db, "backup-last", buffer_into(&last, c->arena));
        if (r >= 0)
                r = setting_put(c->db, "backup-last-time", arena_printf(c->arena, "%lld", (long long) c->now));
        if (r >= 0)
                r = setting_put(c->db, "backup-error", "");
        if (r >= 0)
                r = setting_put(c->db, "backup-wanted", "0");
        if (r >= 0)
                log_info("the backup %s/%s is whole (%lld bytes); %d older ones were deleted", work->settings->backup_directory, made->name,
                         (long long) made->bytes, made->deleted);
        return r;
}

static int settle_failed(Context *c, const Work *work) {
        const char *why = work->result > 0 ? work->problem.text
                          : arena_printf(c->arena, "%s: %s", work->settings->backup_directory, strerrordesc_np(-work->result) ?: "fault");
        log_error("the nightly backup failed, and is tried again in an hour: %s", why);
        return setting_put(c->db, "backup-error", why);
}

static int backup_settle(Work *work, Context *c) {
        Made *made = work->state;

        made->nightly->running = false;
        /* Whatever comes of the commit: if it is lost, the backup is still wanted, and one a tick would push the older ones out. */
        made->nightly->again = clock_monotonic() + PAUSE;
        if (!turn_is_broken(c->db))
                (void) (work->result == 0 ? settle_done(c, work, made) : settle_failed(c, work));
        return SETTLE_DONE;
}

static const TaskKind backup_kind = { .kind = "backup", .work = backup_work, .settle = backup_settle };

void nightly_start(Nightly *n, Runner *r, Usec now) {
        const Caller system = CALLER_SYSTEM;
        Work *work = runner_call_new(r, &backup_kind, &system);
        Made *made = arena_alloc(work->arena, sizeof(*made));

        made->nightly = n;
        made->now = now;
        work->state = made;
        n->running = true;
        runner_call_start(r, work);
}

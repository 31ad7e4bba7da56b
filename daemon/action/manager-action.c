/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "common/crash.h"
#include "common/log.h"
#include "common/time.h"
#include "daemon/action/manager-action.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/epoch.h"
#include "daemon/store/key.h"
#include "daemon/store/message-store.h"
#include "daemon/store/setting-store.h"
#include "daemon/store/task-store.h"

static void put_default(Context *c, Buffer *b, const char *key, const char *message) {
        if (c->settings->given && names_find((const char *const *) c->settings->given, key) >= 0)
                return;
        json_put_object_begin(b);
        json_put_key_string(b, "key", key);
        json_put_key_string(b, "message", message);
        json_put_object_end(b);
}

static void put_key(Context *c, Buffer *b, const char *place) {
        if (!str_equal(place, KEY_PLACE_FILE))
                return;
        json_put_object_begin(b);
        json_put_key_string(b, "key", "credential key");
        json_put_key_string(b, "message", arena_printf(c->arena, "the key is %s/key, beside what it seals", c->settings->state));
        json_put_object_end(b);
}

/* Whether mail has what it logs in with. */
static void warn_of_credentials(Context *c, Buffer *b) {
        const Settings *s = c->settings;
        const char *const names[] = { "smtp-password", "smtp-token" };

        if (!s->mail_relay || !s->mail_user || s->mail_token_command)
                return;
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (s->credentials && access(arena_printf(c->arena, "%s/%s", s->credentials, names[i]), F_OK) == 0)
                        return;
        json_put_string(b, "mail.user is set, but there is neither a credential smtp-password nor smtp-token: mail waits until there is one");
}

static void put_settings(Context *c, Buffer *b, const Settings *s) {
        Arena *a = c->arena;

        put_default(c, b, "queue.workers", arena_printf(a, "%lld worker threads", (long long) s->workers));
        put_default(c, b, "customer.grace_days", arena_printf(a, "a disconnected customer is erased after %lld days", (long long) s->grace_days));
        put_default(c, b, "render.limit_minutes", arena_printf(a, "a rendering is tried again after %lld minutes", (long long) s->render_limit_minutes));
        put_default(c, b, "keep.jobs_days", arena_printf(a, "jobs are kept for %lld days", (long long) s->keep_jobs_days));
        put_default(c, b, "keep.reports_days", arena_printf(a, "reports are kept for %lld days", (long long) s->keep_reports_days));
        put_default(c, b, "keep.outbox_days", arena_printf(a, "messages and operations are kept for %lld days", (long long) s->keep_outbox_days));
        put_default(c, b, "keep.audit_days", arena_printf(a, "audit records are kept for %lld days", (long long) s->keep_audit_days));
        put_default(c, b, "admin.quiet_hour",
                    arena_printf(a, "old rows go, and the database is rewritten after an erasure, at %02lld:%02lld", (long long) s->quiet_minutes / 60, (long long) s->quiet_minutes % 60));
        put_default(c, b, "mail.relay", arena_printf(a, "no relay is set: mail is written as files to %s/outbox-mail", s->state));
        put_default(c, b, "mail.starttls", "the relay must speak STARTTLS");
        put_default(c, b, "portal.url", arena_printf(a, "links in mails begin with %s", s->portal_url));
        put_default(c, b, "admin.backup_directory", arena_printf(a, "nightly backups, 14 of them, go to %s", s->backup_directory));
}

static void put_queue(Buffer *b, const QueueFigures *q, bool paused) {
        json_put_key(b, "queue");
        json_put_object_begin(b);
        json_put_key_int(b, "queued", q->queued);
        json_put_key_int(b, "running", q->running);
        json_put_key_int(b, "waiting", q->waiting);
        json_put_key_int(b, "dead", q->dead);
        json_put_key_bool(b, "paused", paused);
        json_put_object_end(b);
}

typedef struct Status {
        DbFigures db;
        QueueFigures queue;
        const char *paused, *after_restore, *mail_paused, *key_place;      /* settings */
        const char *backup, *backup_time, *backup_since, *backup_error;
        int64_t erasures, dead_mail, epoch;
        Usec restored;
} Status;

static int status_read(Context *c, Status *s) {
        *s = (Status) { .db = db_figures(c->db) };
        int r = task_figures(c->db, &s->queue);
        if (r >= 0)
                r = setting_get(c->db, c->arena, "queue-paused", &s->paused);
        if (r >= 0)
                r = setting_get(c->db, c->arena, "queue-restored", &s->after_restore);
        if (r >= 0)
                r = setting_get(c->db, c->arena, "mail-paused", &s->mail_paused);
        if (r >= 0)
                r = setting_get(c->db, c->arena, "key-place", &s->key_place);
        if (r >= 0)
                r = setting_get(c->db, c->arena, "backup-last", &s->backup);
        if (r >= 0)
                r = setting_get(c->db, c->arena, "backup-last-time", &s->backup_time);
        if (r >= 0)
                r = setting_get(c->db, c->arena, "backup-since", &s->backup_since);
        if (r >= 0)
                r = setting_get(c->db, c->arena, "backup-error", &s->backup_error);
        if (r >= 0)
                r = epoch_read(c->db, c->arena, &s->epoch, &s->restored);
        if (r >= 0)
                r = erasures_open(c->db, &s->erasures);
        return r < 0 ? r : message_count_dead(c->db, &s->dead_mail);
}

static void put_backup_warning(Context *c, const Status *s, Buffer *b) {
        Usec newest = s->backup_time ? atoll(s->backup_time) : s->backup_since ? atoll(s->backup_since) : c->now;
        char text[TIME_TEXT_SIZE];

        if (!str_empty(s->backup_error))
                json_put_string(b, arena_printf(c->arena, "the last nightly backup failed: %s", s->backup_error));
        if (c->now - newest > 2 * USEC_DAY)
                json_put_string(b, s->backup_time ? arena_printf(c->arena, "the newest nightly backup is of %s: the log says why there is no newer one; admin backup makes one now",
                                                                 time_text(newest, text))
                                                  : "there is no nightly backup yet: the log says why; admin backup makes one now");
}

static void put_warnings(Context *c, const Status *s, Buffer *b) {
        if (str_equal(s->paused, "1"))
                json_put_string(b, str_equal(s->after_restore, "1")
                                           ? "the database was restored, and the queue is paused: what the backup has as not yet sent may have been sent after it was "
                                             "made, and would be sent again; look at task list and message list, then task resume lets it go on"
                                           : "the queue is paused: task resume lets it go on");
        if (s->queue.dead > 0)
                json_put_string(b, arena_printf(c->arena, "%lld tasks were given up: task list --filter 'state = dead' shows them", (long long) s->queue.dead));
        if (!str_empty(s->mail_paused))
                json_put_string(b, arena_printf(c->arena, "the mail relay takes nothing from us, and is asked again every five minutes: %s", s->mail_paused));
        if (s->dead_mail > 0)
                json_put_string(b, arena_printf(c->arena, "%lld messages were given up: message list --filter 'state = dead' shows them, message replay tries again",
                                                (long long) s->dead_mail));
        put_backup_warning(c, s, b);
        warn_of_credentials(c, b);
        if (!c->settings->mail_relay)
                json_put_string(b, "no relay is set (mail.relay): mail is written as files and reaches nobody");
        if (str_equal(s->key_place, KEY_PLACE_CREDENTIAL_NEW))
                json_put_string(b, "the key in use is the credential key-new: make it the credential key, and keep the old one for older backups");
        if (c->clock && c->clock->held)
                json_put_string(b, "the clock jumped far ahead: nothing is created or thrown away by it until it has held for ten minutes; admin accept-clock believes it");
}

int admin_status(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Status s;
        int r = status_read(c, &s);
        if (r < 0)
                return r;
        json_put_object_begin(answer);
        json_put_key_string(answer, "version", PACKAGE_VERSION);
        json_put_key_int(answer, "schema", s.db.schema);
        json_put_key_int(answer, "epoch", s.epoch);
        json_put_key_time(answer, "restored", s.restored);
        json_put_key_string(answer, "state_directory", c->settings->state);
        json_put_key_int(answer, "database_bytes", s.db.database_bytes);
        json_put_key_int(answer, "wal_bytes", s.db.wal_bytes);
        json_put_key_time(answer, "started", c->settings->started);
        json_put_key_string(answer, "log_level", log_level_name(log_level()));
        put_queue(answer, &s.queue, str_equal(s.paused, "1"));
        json_put_key_raw(answer, "last_backup", s.backup, s.backup ? strlen(s.backup) : 0);
        json_put_key_string(answer, "backup_error", str_empty(s.backup_error) ? NULL : s.backup_error);
        json_put_key_int(answer, "erasures_open", s.erasures);
        json_put_key_bool(answer, "clock_held", c->clock && c->clock->held);
        json_put_key(answer, "defaults");
        json_put_array_begin(answer);
        if (!c->settings->config)
                put_default(c, answer, "config", "no configuration file was read: every setting is the default");
        put_settings(c, answer, c->settings);
        put_key(c, answer, s.key_place);
        json_put_array_end(answer);
        json_put_key(answer, "warnings");
        json_put_array_begin(answer);
        put_warnings(c, &s, answer);
        json_put_array_end(answer);
        json_put_object_end(answer);
        return 0;
}

int admin_log_level(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        const char *name = NULL;
        int level = log_level();

        int r = dict_string(request->options, "level", &name, problem);
        if (r != 0)
                return r;
        if (name)
                level = log_level_from_name(name);
        if (level < 0)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "unknown-word", "level", "level is \"%.40s\", but must be error, warning, info or debug", name);
        turn_effect(c->db, (Effect) { .type = EFFECT_LOG_LEVEL, .n = level });
        c->trail.before = arena_printf(c->arena, "{\"level\":\"%s\"}", log_level_name(log_level()));
        c->trail.after = arena_printf(c->arena, "{\"level\":\"%s\"}", log_level_name((LogLevel) level));
        json_put_object_begin(answer);
        json_put_key_string(answer, "level", log_level_name((LogLevel) level));
        json_put_object_end(answer);
        return 0;
}

int admin_backup(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        c->trail.after = request->picture;
        buffer_add_string(answer, request->picture);
        return 0;
}

int admin_accept_clock(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        if (!c->clock->held)
                return problem_set(problem, PROBLEM_REFUSED, "not-held", NULL, "the clock is believed: there is nothing to accept");
        turn_effect(c->db, (Effect) { .type = EFFECT_ACCEPT_CLOCK });
        json_put_object_begin(answer);
        json_put_key_bool(answer, "clock_held", false);
        json_put_object_end(answer);
        return 0;
}

#ifdef TEST_HOOKS
int admin_quiet_hour(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        int r = setting_put(c->db, "quiet-now", "1");
        if (r >= 0)
                turn_effect(c->db, (Effect) { .type = EFFECT_QUIET_HOUR });
        buffer_add_string(answer, "{}");
        return r;
}

int task_enqueue(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        json_put_array_begin(answer);
        for (size_t i = 0; i < request->n_ids; i++) {
                Task task = { .kind = request->ids[i], .lane = "people", .due = c->now, .created = c->now, .owner = c->caller->uid };
                int r = task_insert(c->db, &task);
                if (r < 0)
                        return r;
                json_put_id(answer, task.id);
        }
        json_put_array_end(answer);
        return 0;
}
#endif

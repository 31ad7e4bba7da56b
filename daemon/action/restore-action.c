/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/time.h"
#include "daemon/action/restore-action.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/epoch.h"
#include "daemon/store/request-store.h"
#include "daemon/store/setting-store.h"
#include "daemon/store/task-store.h"

/* After the newest of both: no two histories have the same one. */
static int next_epoch(Context *c, const BackupFacts *facts, int64_t *ret) {
        int64_t here = 0;
        Usec ignored;
        int r = epoch_read(c->db, c->arena, &here, &ignored);
        *ret = MAX(here, facts->epoch) + 1;
        return r;
}

int restore_answer(Context *c, const BackupFacts *facts, Buffer *answer) {
        int64_t epoch = 0;
        int r = next_epoch(c, facts, &epoch);
        if (r < 0)
                return r;
        json_put_object_begin(answer);
        json_put_key_int(answer, "epoch", epoch);
        json_put_key_raw(answer, "backup", backup_facts_json(c->arena, facts), strlen(backup_facts_json(c->arena, facts)));
        json_put_key_string(answer, "queue", "paused");
        const char *erased = facts->erased == 0 ? "" : arena_printf(c->arena, "; %lld customers that were erased since come back with it, and are erased again then",
                                                                     (long long) facts->erased);
        answer_warning(answer, arena_printf(c->arena, "tenantd starts again with the restored database; its queue is paused until task resume%s: see admin status", erased));
        json_put_object_end(answer);
        return 0;
}

int admin_restore(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        int64_t newest = 0;
        int r = erasure_newest(c->db, &newest);
        if (r < 0)
                return r;
        if (newest != request->newest_erasure)
                return problem_set(problem, PROBLEM_BUSY, "erased-meanwhile", NULL,
                                   "a customer was erased while the backup was looked at, and would come back with it: ask again");
        c->trail.after = request->picture;
        buffer_add_string(answer, request->picture);
        turn_effect(c->db, (Effect) { .type = EFFECT_RESTORE, .path = memory_strdup(arena_printf(c->arena, "%s/%s", c->settings->state, request->spool)) });
        return 0;
}

static Value of_int(int64_t i) {
        return (Value) { .type = VALUE_INT, .integer = i };
}

static Value of_string(const char *text) {
        return (Value) { .type = VALUE_STRING, .string = text };
}

static Value ids_value(Arena *a, const Id *ids, size_t n) {
        const char **texts = arena_alloc(a, n * sizeof(*texts));
        for (size_t i = 0; i < n; i++)
                texts[i] = id_text(ids[i], arena_alloc(a, ID_TEXT_SIZE));
        return (Value) { .type = VALUE_STRINGS, .strings = { texts, n } };
}

int restore_note_write(Context *c, const Request *request, const BackupFacts *facts, Buffer *ret) {
        const Value *id = dict_find(request->options, "request_id");
        uint8_t digest[SHA256_SIZE];
        char hex[2 * SHA256_SIZE + 1];
        Dict note = {};
        int64_t epoch = 0;
        int r = next_epoch(c, facts, &epoch);
        if (r < 0)
                return r;
        request_digest(c->arena, request, digest);
        hex_text(digest, sizeof(digest), hex);
        dict_add(c->arena, &note, "epoch", of_int(epoch));
        dict_add(c->arena, &note, "time", of_int(c->now));
        dict_add(c->arena, &note, "uid", of_int(c->caller->uid));
        dict_add(c->arena, &note, "user", of_string(c->caller->user));
        if (c->caller->behalf)
                dict_add(c->arena, &note, "behalf", of_string(c->caller->behalf));
        if (id && id->type == VALUE_STRING)
                dict_add(c->arena, &note, "request_id", of_string(id->string));
        dict_add(c->arena, &note, "digest", of_string(arena_strdup(c->arena, hex)));
        dict_add(c->arena, &note, "answer", of_string(request->picture));
        if (facts->erased > 0)
                dict_add(c->arena, &note, "erased", ids_value(c->arena, facts->erased_ids, (size_t) facts->erased));
        dict_write_json(ret, &note);
        return 0;
}

/* ---- after the start ---- */

typedef struct Note {
        int64_t epoch, time, uid;
        const char *user, *behalf, *request_id, *digest, *answer;
        const char *const *erased;
        size_t n_erased;
} Note;

static int note_read(Arena *a, const char *text, Note *ret) {
        Problem why;
        Dict d = {};
        Note n = {};

        int r = dict_read_json(a, text, strlen(text), &d);
        if (r < 0)
                return r;
        if (dict_int(&d, "epoch", 1, INT64_MAX, &n.epoch, &why) || dict_int(&d, "time", 0, INT64_MAX, &n.time, &why) ||
            dict_int(&d, "uid", 0, INT64_MAX, &n.uid, &why) || dict_string(&d, "user", &n.user, &why) || dict_string(&d, "behalf", &n.behalf, &why) ||
            dict_string(&d, "request_id", &n.request_id, &why) || dict_string(&d, "digest", &n.digest, &why) || dict_string(&d, "answer", &n.answer, &why) ||
            dict_strings(&d, "erased", &n.erased, &n.n_erased, &why))
                return -EBADMSG;
        if (!n.epoch || !n.user || !n.digest || strlen(n.digest) != 2 * SHA256_SIZE || !n.answer)
                return -EBADMSG;
        *ret = n;
        return 0;
}

static void hex_read(const char *hex, uint8_t ret[SHA256_SIZE]) {
        for (size_t i = 0; i < SHA256_SIZE; i++) {
                char two[] = { hex[2 * i], hex[2 * i + 1], 0 };
                ret[i] = (uint8_t) strtoul(two, NULL, 16);
        }
}

/* Asked for in the database that is gone: here it was never heard of. Asked again, it is told the same. */
static int tell(Context *c, const Note *n) {
        AuditRecord record = {
                .time = n->time, .uid = n->uid, .user = n->user, .behalf = n->behalf, .verb = "admin.restore", .outcome = "ok",
                .request_id = n->request_id, .after = n->answer,
        };
        RequestKey key = { .uid = n->uid, .behalf = n->behalf ?: "", .method = "admin.restore", .id = n->request_id };
        RequestAnswer answer = { .answer = n->answer }, known;

        int r = audit_append(c->db, &record);
        if (r < 0 || !n->request_id)
                return r;
        hex_read(n->digest, answer.digest);
        r = request_find(c->db, c->arena, &key, &known);
        return r == 0 ? request_put(c->db, &key, &answer, c->now) : MIN(r, 0);
}

/* One that had been erased before the backup was put back: its grace was over then. */
static int erase_again(Context *c, const char *text) {
        Customer *old, *new = arena_alloc(c->arena, sizeof(*new));
        Buffer before = {}, after = {};
        int64_t n = 0;
        Id id;

        int r = id_parse(text, &id) ? customer_find_id(c->db, id, &n) : 0;
        if (r > 0)
                r = customer_load(c->db, c->arena, n, &old);
        if (r <= 0)
                return r;
        *new = *old;
        new->state = CUSTOMER_DISCONNECTING;
        new->billing_enabled = new->service_reports_enabled = false;
        new->erase_after = c->now;
        new->before_disconnect = NULL;
        Task task = {
                .kind = "erase", .lane = "sweeps", .due = c->now, .created = c->now, .arguments = arena_printf(c->arena, "{\"customer\":%lld}", (long long) n),
        };
        r = customer_update(c->db, old, new);
        if (r >= 0)
                r = task_insert(c->db, &task);
        customer_difference(old, new, &before, &after);
        AuditRecord record = {
                .time = c->now, .uid = c->caller->uid, .user = c->caller->user, .verb = "customer.disconnect", .object = text, .outcome = "ok", .customer = n,
                .before = buffer_into(&before, c->arena), .after = buffer_into(&after, c->arena),
        };
        return r < 0 ? r : audit_append(c->db, &record);
}

int restore_note_check(Db *db, const Settings *settings, Problem *problem) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *text = NULL;
        Note ignored;

        int r = setting_get(db, a, "restore-note", &text);
        if (r <= 0 || note_read(a, text, &ignored) >= 0)
                return MIN(r, 0);
        return problem_set(problem, PROBLEM_FAILED, "bad-restore-note", NULL,
                           "%s/tenantd.db was put in place by a restore, and the note that came with it cannot be read: move it away, put the newest replaced-*.db of %s in"
                           " its place, and restore another backup", settings->state, settings->backup_directory);
}

int restore_begin_epoch(Context *c) {
        const char *text = NULL;
        Note note;
        int r = setting_get(c->db, c->arena, "restore-note", &text);

        if (r <= 0)
                return r;
        r = note_read(c->arena, text, &note);
        if (r < 0)
                return r;
        r = epoch_begin(c->db, note.epoch, note.time);
        if (r >= 0)
                r = setting_put(c->db, "queue-paused", "1");
        if (r >= 0)
                r = setting_put(c->db, "queue-restored", "1");
        /* What is there now has no backup yet. */
        if (r >= 0)
                r = setting_put(c->db, "backup-wanted", "1");
        if (r >= 0)
                r = tell(c, &note);
        for (size_t i = 0; i < note.n_erased && r >= 0; i++)
                r = erase_again(c, note.erased[i]);
        if (r >= 0)
                r = setting_delete(c->db, "restore-note");
        if (r >= 0)
                log_info("epoch %lld begins: the database was restored, and its queue is paused until task resume", (long long) note.epoch);
        return r;
}

/* ---- verify ---- */

int admin_verify(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        const char *wrong;
        AuditVerdict v;
        int r = pages_check(c->db, c->arena, &wrong);
        if (r >= 0 && wrong)
                return problem_set(problem, PROBLEM_FAILED, "damaged-database", NULL, "the database is damaged (%.200s): restore a backup, and look at the disk", wrong);
        if (r >= 0)
                r = audit_verify(c->db, &v);
        if (r < 0)
                return r;
        if (v.broken)
                return problem_set(problem, PROBLEM_FAILED, "chain-broken", NULL, "audit record %lld is not what was written: %s", (long long) v.broken, v.why);
        json_put_object_begin(answer);
        json_put_key_string(answer, "state", "intact");
        json_put_key_int(answer, "records", v.records);
        json_put_key_int(answer, "erased", v.erased);
        json_put_object_end(answer);
        return 0;
}

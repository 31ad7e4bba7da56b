/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/action/rotate-action.h"
#include "daemon/store/audit-seal.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/key.h"
#include "daemon/store/message-store.h"
#include "daemon/store/verification-store.h"

/* No code lives longer; a clock that was wrong when one was sent must not keep an old key for years. */
enum { CODES_MAX = 60 };             /* minutes */

int key_reseal(Context *c, Resealed *ret) {
        *ret = (Resealed) {};
        int r = message_reseal(c->db, key_old(c->db), key_next(c->db), &ret->sealed, &ret->lost);
        if (r >= 0)
                r = audit_reseal(c->db, key_old(c->db), key_next(c->db));
        if (r >= 0)
                r = audit_erasures_reseal(c->db, key_old(c->db), key_next(c->db));
        if (r >= 0)
                r = verification_last(c->db, c->now, &ret->codes_until);
        ret->codes_until = MIN(ret->codes_until, c->now + CODES_MAX * USEC_MINUTE);
        return r < 0 ? r : key_change_end(c->db, c->now, ret->codes_until);
}

static const char *trail_key(Arena *a, const char *mark) {
        return arena_printf(a, "{\"key\":\"%s\"}", mark);
}

static void put_warnings(Context *c, Buffer *answer, const Resealed *done, const char *old, bool credential) {
        Arena *a = c->arena;

        json_put_key(answer, "warnings");
        json_put_array_begin(answer);
        if (credential)
                json_put_string(answer, arena_printf(a, "the key in use is the credential key-new now: make it the credential key before you take key-new away, and keep the "
                                                        "old one: backups made until now open only with it, as the credential key-old or as %s/key.%s", c->settings->state, old));
        else
                json_put_string(answer, arena_printf(a, "backups made until now open only with the old key: it is kept as %s/key.%s; keep it with them, and remove it when "
                                                        "the last of them is gone", c->settings->state, old));
        if (done->lost > 0)
                json_put_string(answer, arena_printf(a, "%lld sealed values could not be opened with the old key either, and were left as they are", (long long) done->lost));
        json_put_array_end(answer);
}

static void put_answer(Context *c, Buffer *answer, const Resealed *done, const char *old) {
        bool credential = key_place(c->db) != KEY_FILE || key_next_place(c->db) != KEY_FILE;

        json_put_object_begin(answer);
        json_put_key_string(answer, "key", key_next_mark(c->db, c->arena));
        json_put_key_string(answer, "before", old);
        json_put_key_int(answer, "resealed", done->sealed);
        json_put_key(answer, "codes_until");
        if (done->codes_until > 0)
                json_put_time(answer, done->codes_until);
        else
                json_put_null(answer);
        json_put_key_string(answer, "old_key", credential ? NULL : arena_printf(c->arena, "%s/key.%s", c->settings->state, old));
        put_warnings(c, answer, done, old, credential);
        json_put_object_end(answer);
}

int admin_rotate_key(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        bool dry_run = request_dry_run(request);
        Resealed done;

        int r = key_change_begin(c->db, c->now, dry_run, problem);
        if (r != 0)
                return r;
        const char *old = key_present_mark(c->db, c->arena);
        c->trail.before = trail_key(c->arena, old);
        if (dry_run)
                return 0;
        r = key_reseal(c, &done);
        if (r == -EBADMSG)
                return problem_set(problem, PROBLEM_REFUSED, "chain-broken", NULL, "the audit's seals do not hold under the present key: audit verify tells which, and a new key "
                                                                                   "would hide it; nothing was changed");
        if (r < 0)
                return r;
        c->trail.after = trail_key(c->arena, key_next_mark(c->db, c->arena));
        put_answer(c, answer, &done, old);
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/files.h"
#include "common/json.h"
#include "common/log.h"
#include "daemon/model/address.h"
#include "daemon/model/bounce.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/message-store.h"
#include "daemon/task/kinds.h"

/* What came back: files that a mail server's pipe or an administrator put into STATE/bounces. One that tells of an address
 * that does not exist, and of a message that we sent there, suppresses the address. All others are put aside, to be
 * looked at: anyone can write a bounce. */

enum { FILES_A_RUN = 200 };

typedef struct Hit {
        const char *path, *address, *key, *reason;
} Hit;

typedef struct Bounces {
        Hit hits[FILES_A_RUN];
        size_t n;
        bool more;
} Bounces;

/* The first recipient that counts: 1 and *ret. */
static int judge(Work *work, const Bounce *b, Hit *ret) {
        for (size_t i = 0; i < b->n_recipients; i++) {
                const BounceRecipient *r = &b->recipients[i];
                const char *const addresses[] = { r->original, r->final };
                for (size_t k = 0; k < ELEMENTSOF(addresses) && bounce_is_hard(r); k++) {
                        if (str_empty(addresses[k]))
                                continue;
                        const char *key = address_key(work->arena, addresses[k]);
                        int sent = message_was_sent(work->reader, b->message_id, key);
                        if (sent < 0)
                                return sent;
                        if (sent == 0)
                                continue;
                        *ret = (Hit) { .address = addresses[k], .key = key };
                        ret->reason = arena_printf(work->arena, "bounced: %s", str_empty(r->diagnostic) ? r->status : r->diagnostic);
                        return 1;
                }
        }
        return 0;
}

/* Where it cannot go it stays, and the others are read all the same. */
static int put_aside(Work *work, const char *path, const char *name, const char *why) {
        log_warning("the bounce %s %s: it goes to bounces/unmatched", name, why);
        if (rename(path, arena_printf(work->arena, "%s/bounces/unmatched/%s", work->settings->state, name)) < 0)
                log_warning("the bounce %s cannot be moved to bounces/unmatched: %s", name, strerror(errno));
        return 0;
}

static int read_one(Work *work, Bounces *bounces, const char *name) {
        const char *path = arena_printf(work->arena, "%s/bounces/%s", work->settings->state, name);
        _cleanup_(buffer_done) Buffer text = {};
        Problem problem = {};
        Bounce bounce;
        struct stat st;
        Hit hit = {};

        /* What is not a file of its own (a link, a folder, a pipe) is left alone. */
        if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
                return 0;
        int r = file_read(path, BOUNCE_BYTES_MAX, &text);
        if (r == -ENOENT)
                return 0;
        if (r < 0 && r != -EFBIG)
                return put_aside(work, path, name, arena_printf(work->arena, "cannot be read (%s)", strerror(-r)));
        if (r == 0)
                r = bounce_read(work->arena, buffer_string(&text), text.size, &bounce, &problem);
        r = r == 0 ? judge(work, &bounce, &hit) : 0;
        if (r < 0)
                return r;
        if (r == 0)
                return put_aside(work, path, name, "fits no message that was sent, or tells of no address that is gone");
        hit.path = path;
        bounces->hits[bounces->n++] = hit;
        return 0;
}

static int bounce_work(Work *work) {
        Bounces *bounces = arena_alloc(work->arena, sizeof(*bounces));
        int r = 0;

        work->state = bounces;
        DIR *d = opendir(arena_printf(work->arena, "%s/bounces", work->settings->state));
        if (!d)
                return -errno;
        for (const struct dirent *e; r >= 0 && (e = readdir(d));) {
                bounces->more = bounces->n == FILES_A_RUN;
                if (bounces->more || atomic_load(&work->cancel))
                        break;
                /* A file being written begins with a dot, as mail servers do it. */
                if (e->d_name[0] != '.')
                        r = read_one(work, bounces, e->d_name);
        }
        closedir(d);
        return r;
}

static int suppress(Context *c, const Hit *hit) {
        const char *there = NULL;
        int r = suppression_get(c->db, c->arena, hit->key, &there);
        if (r == 0)
                r = suppression_put(c->db, hit->key, hit->address, hit->reason, c->now);
        if (r < 0 || there)
                return MIN(r, 0);
        AuditRecord record = { .time = c->now, .uid = 0, .user = "system", .verb = "report.bounce", .outcome = "ok" };
        size_t n = 0;
        Buffer after = {};
        json_put_object_begin(&after);
        json_put_key_string(&after, "address", hit->address);
        json_put_object_end(&after);
        record.after = buffer_string(&after);
        r = customer_of_address(c->db, hit->key, &record.customer, 1, &n);
        if (r >= 0)
                r = audit_append(c->db, &record);
        buffer_done(&after);
        return r;
}

static int bounce_settle(Work *work, Context *c) {
        const Bounces *bounces = work->state;
        int r = 0;

        for (size_t i = 0; i < bounces->n && r >= 0; i++) {
                r = suppress(c, &bounces->hits[i]);
                turn_effect(c->db, (Effect) { .type = EFFECT_UNLINK, .path = memory_strdup(bounces->hits[i].path) });
        }
        if (r < 0 || !bounces->more)
                return r < 0 ? r : SETTLE_DONE;
        work->again_at = c->now;
        return SETTLE_LATER;
}

const TaskKind bounce_kind = { .kind = "bounce", .work = bounce_work, .settle = bounce_settle, .attempts_max = 8 };

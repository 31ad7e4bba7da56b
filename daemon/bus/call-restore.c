/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common/files.h"
#include "daemon/action/restore-action.h"
#include "common/crypt.h"
#include "daemon/bus/call.h"
#include "daemon/store/restore.h"

/* A backup that comes in by descriptor: to be restored, or only to be looked at. Both judge a copy of one's own in the spool,
 * by the same code; what is left there goes with the call. */

enum { PATIENCE = 30 * USEC_SEC, ROOM_LEFT = 64 << 20 };

int call_claim_restore(Call *c) {
        if (c->bus->restoring)
                return problem_set(&c->problem, PROBLEM_BUSY, "restore-running", NULL, "another restore is under way: wait until it is over and look at admin status first");
        c->bus->restoring = c->restores = true;
        return 0;
}

static int unreadable(Call *c, ssize_t fault) {
        if (fault == -ETIMEDOUT)
                return problem_set(&c->problem, PROBLEM_INVALID_ARGUMENT, "too-slow", "file", "nothing of the file came for 30 seconds");
        return problem_set(&c->problem, PROBLEM_INVALID_ARGUMENT, "unreadable", "file", "the file cannot be read: %s", strerror((int) -fault));
}

/* What its first bytes say of its length is its limit: what goes on without end is refused, not kept. */
static int check_room(Call *c, const char *folder, int64_t bytes) {
        struct statvfs f;
        if (statvfs(folder, &f) < 0)
                return -errno;
        int64_t room = (int64_t) f.f_bavail * (int64_t) f.f_frsize - ROOM_LEFT;
        if (bytes <= room)
                return 0;
        return problem_set(&c->problem, PROBLEM_UNAVAILABLE, "disk-full", "file", "the backup has %lld bytes, and the disk of %.200s has room for %lld: free some space first",
                           (long long) bytes, folder, (long long) MAX(room, (int64_t) 0));
}

typedef struct Copy {
        int in, out;
        int64_t bytes, limit;
        Sha256 *sha;
} Copy;

static int copy_block(Call *c, Copy *copy, const void *block, size_t n) {
        copy->bytes += (int64_t) n;
        if (copy->bytes > copy->limit)
                return problem_set(&c->problem, PROBLEM_INVALID_ARGUMENT, "backup-damaged", "file", "the file is longer than the %lld bytes that it says it has: take another backup",
                                   (long long) copy->limit);
        sha256_add(copy->sha, block, n);
        return fd_write_all(copy->out, block, n);
}

static int copy_begin(Call *c, Copy *copy, const char *folder, char *block, size_t size) {
        size_t n = 0;
        ssize_t k = 1;

        while (n < BACKUP_HEADER_SIZE && (k = fd_read_foreign(copy->in, block + n, size - n, PATIENCE)) > 0)
                n += (size_t) k;
        if (k < 0)
                return unreadable(c, k);
        int r = backup_header(block, MIN(n, (size_t) BACKUP_HEADER_SIZE), &copy->limit, &c->problem);
        if (r == 0)
                r = check_room(c, folder, copy->limit);
        return r != 0 ? r : copy_block(c, copy, block, n);
}

static int copy_in(Call *c, Work *work, Copy *copy, const char *folder) {
        char block[65536];
        ssize_t k;

        int r = copy_begin(c, copy, folder, block, sizeof(block));
        while (r == 0 && (k = fd_read_foreign(copy->in, block, sizeof(block), PATIENCE)) != 0) {
                if (k < 0)
                        return unreadable(c, k);
                r = atomic_load(&work->cancel) ? -ECANCELED : copy_block(c, copy, block, (size_t) k);
        }
        if (r == 0 && copy->bytes < copy->limit)
                return problem_set(&c->problem, PROBLEM_INVALID_ARGUMENT, "backup-damaged", "file", "the file ends after %lld of %lld bytes: copy it again, or take another backup",
                                   (long long) copy->bytes, (long long) copy->limit);
        return r;
}

static void keep_open(Dict *d) {
        for (size_t i = 0; i < d->n; i++)
                if (d->entries[i].value.type == VALUE_FD)
                        d->entries[i].value = (Value) { .type = VALUE_STRING, .string = "" };
}

/* The database itself, by mistake. Its descriptors (ours and the message's) are not closed before the end: with one of them would go
 * the locks that SQLite holds on that file, whichever descriptor it has them by. */
int call_refuse_own(Call *c, const Work *work) {
        const char *name = "file";
        struct stat ours, its;
        int fd = c->fd >= 0 ? c->fd : call_named_fd(c, &name);

        if (fd < 0 || fstat(fd, &its) < 0 || stat(arena_printf(c->arena, "%s/tenantd.db", work->settings->state), &ours) < 0 ||
            its.st_ino != ours.st_ino || its.st_dev != ours.st_dev)
                return 0;
        c->keeps_file = true;
        c->fd = -1;
        keep_open(&c->fields);
        keep_open(&c->options);
        return problem_set(&c->problem, PROBLEM_INVALID_ARGUMENT, "own-database", name,
                           "this is the database itself, which is in use: name another file; admin verify without a file checks the database");
}

static int spool_in(Call *c, Work *work, const char *path) {
        const char *folder = arena_printf(c->arena, "%s/spool", work->settings->state);
        _cleanup_(sha256_freep) Sha256 *sha = sha256_new();
        uint8_t digest[SHA256_SIZE];
        Copy copy = { .in = call_given_fd(c), .sha = sha };

        _cleanup_(closep) int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (out < 0)
                return -errno;
        copy.out = out;
        int r = copy_in(c, work, &copy, folder);
        if (r != 0)
                return r;
        char *hex = arena_alloc(c->arena, 2 * SHA256_SIZE + 1);
        sha256_end(sha, digest);
        hex_text(digest, sizeof(digest), hex);
        c->request.file_digest = hex;
        return 0;
}

static int get_ready(Call *c, Context *context, const char *path, const BackupFacts *facts) {
        Buffer answer = {}, note = {};

        int r = restore_answer(context, facts, &answer);
        c->request.picture = buffer_into(&answer, c->arena);
        c->request.newest_erasure = facts->newest_erasure;
        if (r == 0)
                r = restore_note_write(context, &c->request, facts, &note);
        if (r == 0 && !request_dry_run(&c->request))
                r = restore_note(path, buffer_string(&note));
        buffer_done(&note);
        return r;
}

int call_judge_backup(Call *c, Work *work) {
        Context context = work_context(work);
        char id[ID_TEXT_SIZE];
        _cleanup_(backup_facts_done) BackupFacts facts = {};

        context.arena = c->arena;
        context.caller = &c->caller;
        int r = request_check_options(&c->request, c->row->options, &c->problem);
        if (r != 0)
                return r;
        if (call_given_fd(c) < 0)
                return problem_set(&c->problem, PROBLEM_INVALID_ARGUMENT, "missing", "file", "file is missing");
        c->request.spool = arena_printf(c->arena, "spool/%s.db", id_text(id_new(), id));
        const char *path = arena_printf(c->arena, "%s/%s", work->settings->state, c->request.spool);
        r = spool_in(c, work, path);
        if (r == 0)
                r = backup_judge(path, work->reader, (const bool volatile *) &work->cancel, &facts, &c->problem);
        if (r == 0 && c->row->flags & ROW_RESTORE)
                r = get_ready(c, &context, path, &facts);
        else if (r == 0)
                buffer_add_string(&c->answer, backup_facts_json(c->arena, &facts));
        return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/crypt.h"
#include "common/files.h"
#include "common/names.h"
#include "daemon/action/access.h"
#include "daemon/action/customer-action.h"
#include "daemon/action/list-action.h"
#include "daemon/bus/call.h"
#include "daemon/store/backup.h"
#include "daemon/task/caller.h"
#include "daemon/task/render.h"

/* What a call does on a worker: long reads; reading, judging and spooling what came by descriptor. The changing part
 * runs afterwards, on the loop, like that of any other call. */

enum {
        FOREIGN_TIME = 30 * USEC_SEC,        /* for a foreign descriptor to be read; to take anything of what is written */
        MEMFD_MAX = 64 << 20,                /* bigger answers are an unlinked file */
        LONG_ONES_PER_UID = 2,               /* at a time, and one worker fewer than there are; others wait */
};

/* ---- Query ---- */

typedef struct Pour {
        int fd;
        size_t size;
        bool is_file;
        const char *folder;
} Pour;

static int pour_to_file(Pour *p) {
        _cleanup_(closep) int file = -1;
        char block[65536];
        ssize_t k;

        int r = spool_open(p->folder, &file);
        if (r < 0 || lseek(p->fd, 0, SEEK_SET) < 0)
                return r < 0 ? r : -errno;
        while ((k = read(p->fd, block, sizeof(block))) > 0) {
                r = fd_write_all(file, block, (size_t) k);
                if (r < 0)
                        return r;
        }
        if (k < 0)
                return -errno;
        close(p->fd);
        p->fd = TAKE_FD(file);
        p->is_file = true;
        return 0;
}

static int pour(void *userdata, const char *bytes, size_t n) {
        Pour *p = userdata;
        p->size += n;
        if (!p->is_file && p->size > MEMFD_MAX) {
                int r = pour_to_file(p);
                if (r < 0)
                        return r;
        }
        return fd_write_all(p->fd, bytes, n);
}

static int run_query(Call *c, Context *context) {
        Pour p = { .folder = arena_printf(context->arena, "%s/spool", context->settings->state) };

        p.fd = memfd_create("tenantd-query", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (p.fd < 0)
                return -errno;
        int r = list_all(context, dataset_find(c->row->dataset), &c->request, pour, &p, &c->problem);
        if (r == 0 && p.is_file)
                r = fd_reopen_read_only(p.fd, &c->out_fd);
        else if (r == 0 && (lseek(p.fd, 0, SEEK_SET) < 0 ||
                            fcntl(p.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0))
                r = -errno;
        else if (r == 0)
                c->out_fd = TAKE_FD(p.fd);
        if (p.fd >= 0)
                close(p.fd);
        return r;
}

/* ---- files ---- */

static int read_descriptor(Call *c, int fd, size_t max, const char *what) {
        uint8_t digest[SHA256_SIZE];
        int r = fd_read_all(fd, max, clock_monotonic() + FOREIGN_TIME, &c->file);

        if (r == -EFBIG)
                return problem_set(&c->problem, PROBLEM_LIMIT_EXCEEDED, "too-big", what, "%s has more than %zu bytes", what, max);
        if (r == -ETIMEDOUT)
                return problem_set(&c->problem, PROBLEM_INVALID_ARGUMENT, "too-slow", what, "%s was not delivered within 30 seconds", what);
        if (r < 0)
                return problem_set(&c->problem, PROBLEM_INVALID_ARGUMENT, "unreadable", what, "%s cannot be read: %s", what, strerror(-r));
        char *hex = arena_alloc(c->arena, 2 * SHA256_SIZE + 1);
        sha256(c->file.data ?: "", c->file.size, digest);
        hex_text(digest, sizeof(digest), hex);
        c->request.file = &c->file;
        c->request.file_digest = hex;
        return 0;
}

static int prepare_import(Call *c, Work *work) {
        ImportOptions options;
        ImportFile *file;

        int r = request_check_options(&c->request, c->row->options, &c->problem);
        if (r == 0)
                r = import_options_read(&c->fields, &c->options, &options, &c->problem);
        if (r == 0)
                r = read_descriptor(c, c->fd, CSV_SIZE_MAX, "file");
        if (r == 0)
                r = import_file_open(c->arena, c->file.data ?: "", c->file.size, &options.map, &options.set, &file, &c->problem);
        if (r != 0)
                return r;
        if (options.dry_run) {
                c->import_dry_run = arena_alloc(c->arena, sizeof(*c->import_dry_run));
                c->import_dry_run->file = file;
                c->import_dry_run->options = options;
                return 0;
        }
        char id[ID_TEXT_SIZE];
        c->request.lines = import_file_lines(file);
        if (import_file_unused(file))
                c->request.warning = arena_printf(c->arena, "columns that no field uses are ignored: %s", import_file_unused(file));
        c->request.spool = arena_printf(c->arena, "spool/%s.csv", id_text(id_new(), id));
        return file_write(arena_printf(c->arena, "%s/%s", work->settings->state, c->request.spool), c->file.data ?: "", c->file.size, 0600);
}

/* Decodes and re-encodes the picture in the confined helper; what comes back takes the place of what came in. */
static int prepare_picture(Call *c, Work *work) {
        _cleanup_(closep) int in = -1, out = -1;
        const char *name = "symbol";
        uint8_t digest[SHA256_SIZE];
        RenderResult done = {};
        char hex[2 * SHA256_SIZE + 1];
        Buffer json = {};

        int fd = call_named_fd(c, &name);
        int r = read_descriptor(c, fd, SYMBOL_BYTES_MAX, name);
        if (r != 0)
                return r;
        r = memfd_sealed("picture", c->file.data ?: "", c->file.size, &in);
        if (r >= 0)
                out = memfd_create("picture", MFD_CLOEXEC);
        if (r < 0 || out < 0)
                return r < 0 ? r : -errno;
        const RenderRequest request = {
                .program = work->settings->render_program, .mode = RENDER_IMAGE, .in_fd = in, .out_fd = out, .limit = 20 * USEC_SEC, .cancel = &work->cancel,
        };
        r = render_run(&request, &done, &c->problem);
        /* What it dies of, or works at without end, is the picture. */
        if (r == -EPIPE || r == -ETIMEDOUT)
                r = problem_set(&c->problem, PROBLEM_INVALID_ARGUMENT, "bad-image", name, "the picture cannot be decoded: save it anew with another program");
        else if (r > 0)
                text_copy_cut(c->problem.field, sizeof(c->problem.field), name);
        if (r == 0) {
                buffer_clear(&c->file);
                r = lseek(out, 0, SEEK_SET) < 0 ? -errno : fd_read_all(out, 4 * SYMBOL_SIDE_MAX * SYMBOL_SIDE_MAX + 65536, INT64_MAX, &c->file);
        }
        if (r == 0) {
                sha256(c->file.data, c->file.size, digest);
                hex_text(digest, sizeof(digest), hex);
                json_put_object_begin(&json);
                json_put_key_string(&json, "type", done.type);
                json_put_key_int(&json, "width", done.width);
                json_put_key_int(&json, "height", done.height);
                json_put_key_int(&json, "bytes", (int64_t) c->file.size);
                json_put_key_string(&json, "sha256", hex);
                json_put_object_end(&json);
                c->request.picture = buffer_into(&json, c->arena);
        }
        render_result_done(&done);
        return r;
}

static int prepare_backup(Call *c, Work *work) {
        char id[ID_TEXT_SIZE], block[65536];
        const char *path = arena_printf(c->arena, "%s/spool/backup-%s.db", work->settings->state, id_text(id_new(), id));
        int64_t bytes = 0;
        ssize_t k = 0;

        c->request.picture = "{}";
        if (request_dry_run(&c->request))
                return 0;
        int r = db_backup(work->settings->state, NULL, path, (const bool volatile *) &work->cancel, &c->problem);
        _cleanup_(closep) int fd = r == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (r == 0 && fd < 0)
                r = -errno;
        while (r == 0 && (k = read(fd, block, sizeof(block))) > 0) {
                r = fd_write_foreign(c->fd, block, (size_t) k, FOREIGN_TIME);
                bytes += k;
        }
        if (r == 0 && k < 0)
                r = -errno;
        if (r == 0 && fsync(c->fd) < 0 && errno != EINVAL && errno != EROFS)
                r = -errno;
        unlink(path);
        if (r == -ETIMEDOUT)
                return problem_set(&c->problem, PROBLEM_INVALID_ARGUMENT, "too-slow", "file", "nothing of the backup was taken for 30 seconds");
        if (r == -ENOSPC || r == -EBADF || r == -EPIPE)
                return problem_set(&c->problem, PROBLEM_INVALID_ARGUMENT, "unwritable", "file", "the backup cannot be written to the given file: %s", strerror(-r));
        if (r == 0)
                c->request.picture = arena_printf(c->arena, "{\"bytes\":%lld}", (long long) bytes);
        return r;
}

/* user:NAME or group:NAME; what it looks like otherwise is for the action to refuse. */
static int prepare_names(Call *c) {
        const Value *who = dict_find(&c->options, "who");
        const char *colon = who && who->type == VALUE_STRING ? strchr(who->string, ':') : NULL;

        c->request.who = -1;
        if (!colon)
                return 0;
        int r = host_number(*who->string, colon + 1, &c->request.who);
        return MIN(r, 0);
}

static int prepare_bulk_dry_run(Call *c, Context *context) {
        int r = request_check_options(&c->request, c->row->options, &c->problem);
        if (r != 0)
                return r;
        c->bulk_dry_run = arena_alloc(c->arena, sizeof(*c->bulk_dry_run));
        return bulk_dry_begin(context, bulk_verb_find(customer_bulk_verbs, c->row->verb), &c->request, c->bulk_dry_run, &c->problem);
}

/* It may have waited for its worker: what is there now is for who has the right to it now. */
static int read_now(Call *c, Context *context) {
        int r = access_enter(context, c->row->verb, &c->problem);

        c->scope = context->scope;
        if (r != 0)
                return r;
        if (c->row->form == FORM_QUERY)
                return run_query(c, context);
        if (c->row->flags & ROW_READS)
                return call_context_run(c, context);
        return call_is_bulk_dry_run(c) ? prepare_bulk_dry_run(c, context) : bulk_resolve(context, &c->request);
}

/* In one snapshot, which the runner ends if too much has to be kept for it. */
static int read_in_snapshot(Call *c, Work *work) {
        Context context = work_context(work);
        int r = work_snapshot_begin(work);

        if (r < 0)
                return r;
        context.arena = c->arena;
        context.caller = &c->caller;
        r = read_now(c, &context);
        work_snapshot_end(work);
        if (r == -ETIME)
                return problem_set(&c->problem, PROBLEM_BUSY, "interrupted", NULL,
                                   "so much was changed meanwhile that reading was stopped: try again, or ask for less at a time");
        return r;
}

static int call_work(Work *work) {
        Call *c = work->state;

        int r = call_refuse_own(c, work);
        if (r != 0)
                return r;
        if (c->row->flags & ROW_RESTORE || (c->row->flags & ROW_VERIFY && call_given_fd(c) >= 0))
                return call_judge_backup(c, work);
        if (c->row->flags & ROW_READS || call_names_many(c) || call_is_bulk_dry_run(c))
                return read_in_snapshot(c, work);
        if (c->row->flags & ROW_IMPORT)
                return prepare_import(c, work);
        if (c->row->flags & ROW_BACKUP)
                return prepare_backup(c, work);
        if (c->row->flags & ROW_NAMES)
                return prepare_names(c);
        return prepare_picture(c, work);
}

/* ---- back on the loop ---- */

static int dry_run_settle(Call *c, Context *context) {
        bool done = false;
        context->caller = &c->caller;
        context->scope = c->scope;
        context->arena = c->arena;
        int r = c->import_dry_run ? import_dry_slice(c->import_dry_run, context, &done)
                                  : bulk_dry_slice(c->bulk_dry_run, context, &c->request, SLICE, &done);
        if (r == 0 && !done)
                return SETTLE_SLICE;
        if (r == 0)
                dry_run_answer(context, c->row->verb, c->import_dry_run ? &c->import_dry_run->told : &c->bulk_dry_run->told, &c->answer);
        return r;
}

static void next_long_one(Bus *b, int64_t uid);

/* What is left of the call on the loop: its result. SETTLE_SLICE: not yet. */
static int settle(Call *c, Work *work) {
        if (call_changes(c) && !turn_is_broken(c->bus->config.db)) {
                int r = call_decide_again(c);
                if (r != 0)
                        return r;
        }
        Context context = call_context(c);
        if (work->result != 0 || c->row->flags & ROW_READS) {
                if (work->result > 0 && !(c->row->flags & ROW_READS) && !turn_is_broken(context.db))
                        (void) action_refuse(&context, c->row->verb, &c->request, &c->problem);
                return work->result;
        }
        if (turn_is_broken(context.db))
                return -EIO;
        if (c->import_dry_run || c->bulk_dry_run)
                return dry_run_settle(c, &context);
        int r = call_context_run(c, &context);
        /* The trail names what was made. A repeated request made nothing: its file is not needed. */
        c->spool_kept = r == 0 && context.trail.object;
        return r;
}

static int call_settle(Work *work, Context *unused) {
        Call *c = work->state;

        int r = settle(c, work);
        if (r == SETTLE_SLICE)
                return r;
        if (c->counted_long) {
                c->peer->owner->long_ones--;
                next_long_one(c->bus, c->caller.uid);
        }
        work->state = NULL;
        call_finish(c, r);
        return SETTLE_DONE;
}

/* Of a call that was never settled: the daemon ends. */
static void call_done(Work *work) {
        if (work->state)
                call_free(work->state);
}

static const TaskKind call_kind = { .kind = "call", .work = call_work, .settle = call_settle, .done = call_done };

/* Whatever reads or writes a descriptor of the caller's is as slow as its other end and holds the file until it is over, and a
 * Query takes as long as what it asks for: nobody keeps all workers busy with them, or all memory. */
static bool is_long(const Call *c) {
        return c->row->form == FORM_QUERY || call_given_fd(c) >= 0;
}

/* One of this user is over: the next one that waits begins. */
static void next_long_one(Bus *b, int64_t uid) {
        CallList waiting = b->later;
        bool started = false;
        Call *c;

        b->later.first = NULL;
        while ((c = call_list_take(&waiting))) {
                if (started || c->caller.uid != uid) {
                        call_list_add(&b->later, c);
                        continue;
                }
                int r = turn_is_broken(b->config.db) ? -EIO : call_decide_again(c);
                if (r != 0) {
                        call_finish(c, r);
                        continue;
                }
                started = true;
                call_start_work(c);
        }
}

void call_start_work(Call *c) {
        if (is_long(c)) {
                if ((int64_t) c->peer->owner->long_ones >= MIN((int64_t) LONG_ONES_PER_UID, c->bus->config.settings->workers - 1)) {
                        call_list_add(&c->bus->later, c);
                        return;
                }
                c->peer->owner->long_ones++;
                c->counted_long = true;
        }
        Work *work = runner_call_new(c->bus->config.runner, &call_kind, &c->caller);
        work->state = c;
        runner_call_start(c->bus->config.runner, work);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/crypt.h"
#include "common/files.h"
#include "common/log.h"
#include "common/time.h"
#include "daemon/action/report-action.h"
#include "daemon/model/zone.h"
#include "daemon/store/partner-store.h"
#include "daemon/store/report-store.h"
#include "daemon/task/kinds.h"
#include "daemon/task/render.h"

/* A report: rows are read in one snapshot and written to a file (csv, json) or spooled for the renderer (xlsx). The
 * file's name is made from the task's id, so an attempt after a crash writes over what the one before left. */

typedef struct Export {
        ExportOrder order;
        Report report;
} Export;

enum { ZONE_OFFSETS_MAX = 400, ZONE_FILE_MAX = 1 << 20 };

/* ---- the workbook's header: columns, zone, properties ---- */

static const char *column_kind(const Column *c) {
        switch (c->type) {
        case COLUMN_INT:
                return "int";
        case COLUMN_BOOL:
                return "bool";
        case COLUMN_TIME:
                return "time";
        case COLUMN_LIST:
                return "list";
        case COLUMN_JSON:
                return "json";
        case COLUMN_ID:
                return "id";
        default:
                return "text";
        }
}

static int put_zone(Work *work, Buffer *b, const char *name) {
        Usec at[ZONE_OFFSETS_MAX], from = civil_usec(&(CivilTime) { .year = 1970, .month = 1, .day = 1 }),
             to = civil_usec(&(CivilTime) { .year = 2100, .month = 1, .day = 1 });
        int32_t offset[ZONE_OFFSETS_MAX];
        Buffer bytes = {};
        Zone *zone = NULL;

        int r = file_read(arena_printf(work->arena, "%s/%s", work->settings->zoneinfo, name), ZONE_FILE_MAX, &bytes);
        if (r == 0)
                r = zone_parse(work->arena, bytes.data, bytes.size, &zone);
        buffer_done(&bytes);
        if (r < 0)
                return r;
        size_t n = zone_transitions(zone, from, to, at, offset, ZONE_OFFSETS_MAX);
        json_put_key(b, "zone");
        json_put_object_begin(b);
        json_put_key_string(b, "name", name);
        json_put_key(b, "offsets");
        json_put_array_begin(b);
        buffer_printf(b, "[%lld,%d]", (long long) (from / USEC_SEC), zone_offset(zone, from));
        for (size_t i = 0; i < n; i++)
                buffer_printf(b, ",[%lld,%d]", (long long) (at[i] / USEC_SEC), offset[i]);
        json_put_array_end(b);
        json_put_object_end(b);
        return 0;
}

static int put_header(Work *work, Export *e, const Query *query, Buffer *b) {
        char created[TIME_TEXT_SIZE];
        Partner partner;

        int r = partner_load(work->reader, work->arena, &partner);
        if (r < 0)
                return r;
        json_put_object_begin(b);
        json_put_key_string(b, "sheet", e->order.kind);
        json_put_key(b, "columns");
        json_put_array_begin(b);
        for (size_t i = 0; i < query_columns(query); i++) {
                const Column *c = query_column(query, i);
                json_put_object_begin(b);
                json_put_key_string(b, "name", c->name);
                json_put_key_string(b, "type", column_kind(c));
                json_put_object_end(b);
        }
        json_put_array_end(b);
        r = put_zone(work, b, partner.time_zone ?: PARTNER_ZONE_DEFAULT);
        if (r < 0)
                return r;
        json_put_key(b, "properties");
        json_put_object_begin(b);
        json_put_key_string(b, "title", e->order.kind);
        /* The data's date, not the moment of rendering: equal data gives equal bytes. */
        json_put_key_string(b, "created", arena_printf(work->arena, "%.10sT00:00:00Z", date_text(clock_now(), created)));
        json_put_object_end(b);
        json_put_object_end(b);
        buffer_add_char(b, '\n');
        return 0;
}

/* ---- the three formats ---- */

typedef struct Sink {
        int fd;
        int64_t rows;
} Sink;

static int sink_bytes(void *userdata, const char *bytes, size_t n) {
        Sink *s = userdata;
        for (const char *p = bytes; (p = memchr(p, '\n', (size_t) (bytes + n - p))); p++)
                s->rows++;
        return fd_write_all(s->fd, bytes, n);
}

static int write_xlsx(Work *work, Export *e, const Query *query, int out) {
        _cleanup_(closep) int spool = -1, in = -1;
        Buffer header = {};

        int r = spool_open(arena_printf(work->arena, "%s/spool", work->settings->state), &spool);
        if (r >= 0)
                r = put_header(work, e, query, &header);
        Sink sink = { .fd = spool };
        if (r >= 0)
                r = fd_write_all(spool, header.data, header.size);
        buffer_done(&header);
        if (r >= 0)
                r = work_snapshot_begin(work);
        if (r < 0)
                return r;
        r = query_pour(work->reader, query, QUERY_ROWS, sink_bytes, &sink);
        work_snapshot_end(work);
        if (r == 0)
                r = fd_reopen_read_only(spool, &in);
        if (r != 0)
                return r;
        RenderResult done = {};
        const RenderRequest request = {
                .program = work->settings->render_program, .mode = RENDER_XLSX, .in_fd = in, .out_fd = out,
                .folder = arena_printf(work->arena, "%s/spool", work->settings->state),
                .limit = work->settings->render_limit_minutes * USEC_MINUTE, .cancel = &work->cancel,
        };
        r = render_run(&request, &done, &work->problem);
        if (r == 0 && done.rows != sink.rows) {
                log_error("tenantd-render wrote %lld of %lld rows", (long long) done.rows, (long long) sink.rows);
                r = -EIO;
        } else if (r == 0) {
                e->report.rows = sink.rows;
                e->report.warnings = done.warnings ? arena_strdup(work->arena, done.warnings) : "[]";
        }
        render_result_done(&done);
        return r;
}

/* CSV's rows are counted by what the query gave, not by line ends: cells may hold them. */
static int write_text(Work *work, Export *e, const Query *query, int out) {
        bool csv = str_equal(e->order.format, "csv");
        Sink sink = { .fd = out };

        int r = csv && !e->order.no_bom ? fd_write_all(out, "\xef\xbb\xbf", 3) : 0;
        if (r >= 0)
                r = work_snapshot_begin(work);
        if (r < 0)
                return r;
        r = query_pour(work->reader, query, csv ? QUERY_CSV : QUERY_ARRAY, sink_bytes, &sink);
        if (r == 0)
                r = query_count(work->reader, query, &e->report.rows);
        work_snapshot_end(work);
        return r;
}

static int seal_file(Export *e, int fd) {
        _cleanup_(sha256_freep) Sha256 *sha = sha256_new();
        char block[65536];
        ssize_t k;

        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        while ((k = read(fd, block, sizeof(block))) > 0) {
                sha256_add(sha, block, (size_t) k);
                e->report.bytes += k;
        }
        sha256_end(sha, e->report.sha256);
        return k < 0 ? -errno : 0;
}

static int export_work(Work *work) {
        Export *e = arena_alloc(work->arena, sizeof(*e));
        char id[ID_TEXT_SIZE], date[TIME_TEXT_SIZE];
        Query *query;

        work->state = e;
        int r = export_order_read(work->arena, work->task.arguments, &e->order);
        if (r < 0)
                return r;
        Context c = work_context(work);
        r = list_export_query(&c, export_dataset(e->order.kind), &e->order.query, &query, &work->problem);
        if (r != 0)
                return r;
        e->report = (Report) {
                .kind = e->order.kind, .format = e->order.format, .file_name = e->order.file_name, .task = work->task.n, .owner = work->task.owner,
                .path = arena_printf(work->arena, "reports/%s.%s", id_text(work->task.id, id), e->order.format), .warnings = "[]",
                .data_date = arena_strdup(work->arena, date_text(clock_now(), date)),
        };
        const char *path = arena_printf(work->arena, "%s/%s", work->settings->state, e->report.path);
        const char *beside = arena_printf(work->arena, "%s.part", path);
        _cleanup_(closep) int out = open(beside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (out < 0)
                return -errno;
        r = str_equal(e->order.format, "xlsx") ? write_xlsx(work, e, query, out) : write_text(work, e, query, out);
        if (r == 0)
                r = seal_file(e, out);
        if (r == 0)
                r = file_finish(out, beside, path);
        if (r != 0)
                unlink(beside);
        return r;
}

static int export_settle(Work *work, Context *c) {
        Export *e = work->state;

        if (work->result > 0)
                return SETTLE_DONE;
        e->report.id = id_new();
        e->report.created = c->now;
        int r = report_insert(c->db, &e->report);
        return r < 0 ? r : SETTLE_DONE;
}

const TaskKind export_kind = { .kind = "export", .work = export_work, .settle = export_settle, .attempts_max = 8 };

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "common/crypt.h"
#include "common/files.h"
#include "common/log.h"
#include "common/time.h"
#include "daemon/action/zone-file.h"
#include "daemon/net/encode.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/partner-store.h"
#include "daemon/task/render.h"
#include "daemon/task/report-file.h"

enum { ZONE_OFFSETS_MAX = 400 };

/* ---- the file ---- */

int report_file_begin(ReportFile *f, Work *work, Report *report, int part) {
        char id[ID_TEXT_SIZE];
        const char *name = id_text(work->task.id, id);

        *f = (ReportFile) { .work = work, .report = report, .out = -1, .spool = -1 };
        report->path = part ? arena_printf(work->arena, "reports/%s-%d.%s", name, part, report->format)
                            : arena_printf(work->arena, "reports/%s.%s", name, report->format);
        report->warnings = "[]";
        f->beside = arena_printf(work->arena, "%s/%s.part", work->settings->state, report->path);
        f->out = open(f->beside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        return f->out < 0 ? -errno : 0;
}

static int hash_file(ReportFile *f) {
        _cleanup_(sha256_freep) Sha256 *sha = sha256_new();
        char block[65536];
        ssize_t k;

        if (lseek(f->out, 0, SEEK_SET) < 0)
                return -errno;
        f->report->bytes = 0;
        while ((k = read(f->out, block, sizeof(block))) > 0) {
                sha256_add(sha, block, (size_t) k);
                f->report->bytes += k;
        }
        sha256_end(sha, f->report->sha256);
        return k < 0 ? -errno : 0;
}

int report_file_end(ReportFile *f, int result) {
        if (result == 0)
                result = hash_file(f);
        if (result == 0)
                result = file_finish(f->out, f->beside, arena_printf(f->work->arena, "%s/%s", f->work->settings->state, f->report->path));
        if (result != 0 && f->out >= 0)
                unlink(f->beside);
        closep(&f->out);
        closep(&f->spool);
        return result;
}

/* ---- csv and json ---- */

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

/* CSV's rows are counted by what the query gave, not by line ends: cells may hold them. */
int report_file_text(ReportFile *f, const Query *query, bool no_bom) {
        bool csv = str_equal(f->report->format, "csv");
        Sink sink = { .fd = f->out };

        int r = csv && !no_bom ? fd_write_all(f->out, "\xef\xbb\xbf", 3) : 0;
        if (r >= 0)
                r = work_snapshot_begin(f->work);
        if (r < 0)
                return r;
        r = query_pour(f->work->reader, query, csv ? QUERY_CSV : QUERY_ARRAY, sink_bytes, &sink);
        if (r == 0)
                r = query_count(f->work->reader, query, &f->report->rows);
        work_snapshot_end(f->work);
        return r;
}

/* ---- sections ---- */

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

static int put_zone(ReportFile *f, Buffer *b, const char *name) {
        Usec at[ZONE_OFFSETS_MAX], from = civil_usec(&(CivilTime) { .year = 1970, .month = 1, .day = 1 }),
             to = civil_usec(&(CivilTime) { .year = 2100, .month = 1, .day = 1 });
        int32_t offset[ZONE_OFFSETS_MAX];
        Zone *zone;

        int r = zone_load(f->work->arena, f->work->settings, name, &zone);
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

static void put_base64(Buffer *b, const char *key, const Buffer *bytes) {
        Buffer text = {};

        base64_add(&text, bytes->data, bytes->size);
        json_put_key_string(b, key, buffer_string(&text));
        buffer_done(&text);
}

static int put_pictures(ReportFile *f, const Customer *customer, Buffer *b) {
        Buffer logo = {}, symbol = {};

        int r = partner_logo_get(f->work->reader, &logo);
        if (r > 0)
                put_base64(b, "logo", &logo);
        if (r >= 0 && customer)
                r = customer_symbol_get(f->work->reader, customer->n, &symbol);
        if (r > 0 && symbol.size > 0)
                put_base64(b, "symbol", &symbol);
        buffer_done(&logo);
        buffer_done(&symbol);
        return MIN(r, 0);
}

int report_document(ReportFile *f, const Customer *customer, const char *title, const char *language, Buffer *b) {
        bool whole = str_equal(f->report->format, "pdf") || f->report->template;
        Partner partner;

        int r = partner_load(f->work->reader, f->work->arena, &partner);
        /* Members alone: they go into the first section's object. */
        if (r >= 0)
                r = put_zone(f, b, partner.time_zone ?: PARTNER_ZONE_DEFAULT);
        if (r < 0)
                return r;
        json_put_key(b, "properties");
        json_put_object_begin(b);
        json_put_key_string(b, "title", title);
        /* The data's date, not the moment of rendering: equal data gives equal bytes. */
        json_put_key_string(b, "created", arena_printf(f->work->arena, "%sT00:00:00Z", f->report->data_date));
        json_put_object_end(b);
        if (!whole)
                return 0;
        json_put_key(b, "document");
        json_put_object_begin(b);
        json_put_key_string(b, "title", title);
        json_put_key_string(b, "partner", partner.name ?: "");
        if (customer)
                json_put_key_string(b, "customer", customer->organization);
        json_put_key_string(b, "data_date", f->report->data_date);
        json_put_key_string(b, "language", language ?: partner.language ?: PARTNER_LANGUAGE_DEFAULT);
        r = put_pictures(f, customer, b);
        json_put_object_end(b);
        return r;
}

static int spool_ready(ReportFile *f) {
        return f->spool >= 0 ? 0 : spool_open(arena_printf(f->work->arena, "%s/spool", f->work->settings->state), &f->spool);
}

int report_section_begin(ReportFile *f, const char *sheet, const char *members, const char *columns) {
        Buffer b = {};
        int r = spool_ready(f);

        if (r < 0)
                return r;
        json_put_object_begin(&b);
        json_put_key_string(&b, "sheet", sheet);
        json_put_key_raw(&b, "columns", columns, strlen(columns));
        if (!str_empty(members)) {
                buffer_add_char(&b, ',');
                buffer_add_string(&b, members);
        }
        json_put_object_end(&b);
        buffer_add_char(&b, '\n');
        r = fd_write_all(f->spool, b.data, b.size);
        buffer_done(&b);
        return r;
}

int report_section_row(ReportFile *f, const Buffer *row) {
        f->spooled++;
        int r = fd_write_all(f->spool, row->data, row->size);
        return r < 0 ? r : fd_write_all(f->spool, "\n", 1);
}

int report_section_query(ReportFile *f, const char *sheet, const char *members, const Query *query) {
        Buffer columns = {};

        json_put_array_begin(&columns);
        for (size_t i = 0; i < query_columns(query); i++) {
                const Column *c = query_column(query, i);
                json_put_object_begin(&columns);
                json_put_key_string(&columns, "name", c->name);
                json_put_key_string(&columns, "type", column_kind(c));
                json_put_object_end(&columns);
        }
        json_put_array_end(&columns);
        int r = report_section_begin(f, sheet, members, buffer_string(&columns));
        buffer_done(&columns);
        Sink sink = { .fd = f->spool };
        if (r >= 0)
                r = query_pour(f->work->reader, query, QUERY_ROWS, sink_bytes, &sink);
        f->spooled += sink.rows;
        return r;
}

int report_file_render(ReportFile *f) {
        const Settings *settings = f->work->settings;
        _cleanup_(closep) int in = -1;
        RenderResult done = {};

        int r = fd_reopen_read_only(f->spool, &in);
        if (r != 0)
                return r;
        const RenderRequest request = {
                .program = settings->render_program, .mode = str_equal(f->report->format, "pdf") ? RENDER_PDF : RENDER_XLSX, .in_fd = in, .out_fd = f->out,
                .folder = arena_printf(f->work->arena, "%s/spool", settings->state), .limit = settings->render_limit_minutes * USEC_MINUTE,
                .cancel = &f->work->cancel,
        };
        r = render_run(&request, &done, &f->work->problem);
        if (r == 0 && done.rows != f->spooled) {
                log_error("tenantd-render wrote %lld of %lld rows", (long long) done.rows, (long long) f->spooled);
                r = -EIO;
        } else if (r == 0) {
                f->report->rows = f->spooled;
                f->report->warnings = done.warnings ? arena_strdup(f->work->arena, done.warnings) : "[]";
        }
        render_result_done(&done);
        return r;
}

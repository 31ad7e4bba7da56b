/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows that tenantd-render reads: whatever comes, an answer. clang -fsanitize=fuzzer,address … without replay.c makes a
 * fuzzer of it; built by make check it replays the files named on its command line, or those of its corpus. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/files.h"
#include "render/header.h"
#include "render/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_value(Value *v) {
        assert(v->text && v->kind <= VALUE_RAW);
        if (v->kind == VALUE_TEXT || v->kind == VALUE_NUMBER || v->kind >= VALUE_LIST)
                assert(v->text[v->size] == 0);
        size_t before = v->size;
        if (v->kind == VALUE_LIST) {
                value_join(v);
                assert(v->kind == VALUE_TEXT && v->size <= before && v->text[v->size] == 0);
        }
}

/* As book.c and pages.c do: a header, then rows of as many values as it has columns, and again. */
static int read_section(Rows *rows, const char *line, size_t n, Problem *problem) {
        Header h = {};
        bool more;
        Value v;

        int r = header_read_at(&h, line, n, rows_line(rows), problem);
        if (r != 0)
                return r;
        (void) header_local(&h, 1774746000LL * USEC_SEC);
        rows_allow_objects(rows, h.facts);
        while ((r = rows_next(rows, &more, problem)) == 0 && more) {
                for (size_t i = 0; i < h.n_columns && r == 0; i++)
                        if ((r = rows_field(rows, h.columns[i].name, &v, problem)) == 0)
                                check_value(&v);
                if (r == 0)
                        r = rows_end(rows, problem);
                if (r != 0)
                        break;
        }
        header_done(&h);
        return r;
}

static int read_rows(Rows *rows, Problem *problem) {
        char *line;
        size_t n;
        int r;

        while ((r = rows_next_line(rows, &line, &n, problem)) == 0 && line)
                if ((r = read_section(rows, line, n, problem)) != 0)
                        break;
        return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        _cleanup_(closep) int fd = memfd_create("rows", MFD_CLOEXEC);
        Problem problem = {};

        assert(fd >= 0 && fd_write_all(fd, data, n) == 0 && lseek(fd, 0, SEEK_SET) == 0);
        _cleanup_(rows_freep) Rows *rows = rows_new(fd);
        int r = read_rows(rows, &problem);
        assert(r == 0 || (r == 1 && problem.code[0]));
        return 0;
}

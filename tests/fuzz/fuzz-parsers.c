/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clang -fsanitize=fuzzer,address … without replay.c: a fuzzer. Built by make check: replays the files named on its command
 * line, or those of its corpus folder. */
#include <stdio.h>
#include <stdlib.h>

#include "common/files.h"
#include "common/text.h"
#include "daemon/model/address.h"
#include "daemon/model/country.h"
#include "daemon/model/csv.h"
#include "daemon/model/dataset.h"
#include "daemon/model/selector.h"
#include "daemon/model/unicode.h"
#include "daemon/model/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void try_csv(Arena *a, const char *text, size_t n) {
        Problem problem = {};
        CsvFile *f;
        if (csv_open(a, text, n, &f, &problem) != 0)
                return;
        CsvRecord r;
        int64_t line = csv_header(f)->line;
        for (size_t cursor = 0; csv_next(f, &cursor, a, &r) > 0; line = r.line) {
                assert(r.line > line && r.n_cells <= CSV_COLUMNS_MAX + 1);
                for (size_t i = 0; i < r.n_cells; i++)
                        assert(utf8_valid(r.cells[i], strlen(r.cells[i])));
        }
}

static void try_selector(Arena *a, const char *text) {
        Problem problem = {};
        Selector *s;
        if (selector_read(a, dataset_find("customers"), text, &s, &problem) != 0)
                assert(problem.code[0]);
}

static void try_zone(Arena *a, const uint8_t *data, size_t n) {
        Zone *z;
        Usec at[16];
        int32_t offset[16];
        if (zone_parse(a, data, n, &z) < 0)
                return;
        size_t changes = zone_transitions(z, 0, 100 * 365 * USEC_DAY, at, offset, ELEMENTSOF(at));
        for (size_t i = 0; i < changes; i++) {
                assert(zone_offset(z, at[i]) == offset[i] && zone_offset(z, at[i] - 1) != offset[i]);
                assert(i == 0 || at[i] > at[i - 1]);
                /* Just after a change it is some civil time, whose first pass is now or was earlier. */
                bool gap, overlap;
                CivilTime local = zone_civil(z, at[i]);
                Usec back = zone_instant(z, &local, &gap, &overlap);
                assert(!gap && (back == at[i] || (overlap && back < at[i])));
        }
        bool gap, overlap;
        (void) zone_instant(z, &(CivilTime) { 2026, 3, 29, 2, 30 }, &gap, &overlap);
}

/* What is taken is taken again as it is, and has one key. */
static void try_text(Arena *a, const char *text) {
        const char *kept = text, *again, **items;
        Problem problem = {};
        size_t n;

        if (text_check(a, "text", TEXT_FREE, 0, 200, &kept, &problem) == 0) {
                again = kept;
                assert(text_check(a, "text", TEXT_FREE, 0, 200, &again, &problem) == 0 && strcmp(kept, again) == 0);
                assert(strcmp(text_key(a, kept), text_key(a, text_key(a, kept))) == 0);
        }
        kept = text;
        if (address_check(a, "address", &kept, &problem) == 0) {
                again = kept;
                assert(address_check(a, "address", &again, &problem) == 0 && strcmp(kept, again) == 0);
                assert(strcmp(address_key(a, kept), address_key(a, address_key(a, kept))) == 0);
        }
        if (address_list_check(a, "recipients", &text, 1, 20, &items, &n, &problem) == 0)
                for (size_t i = 0; i < n; i++)
                        assert(address_check(a, "address", &items[i], &problem) == 0);
        (void) country_from_name(text);
}

/* The first byte chooses the parser. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        if (n == 0)
                return 0;
        /* Exactly as long as it is, so that a sanitizer sees a read behind the end. Only strings have a NUL there. */
        bool is_string = data[0] == 't' || data[0] == 's';
        size_t size = n - 1 + is_string;
        char *room = memory_new(size), *text = size ? room : room + 1;
        memcpy(text, data + 1, n - 1);
        if (data[0] == 'c')
                try_csv(a, text, n - 1);
        else if (data[0] == 't')
                try_text(a, text);
        else if (data[0] == 's')
                try_selector(a, text);
        else
                try_zone(a, (const uint8_t *) text, n - 1);
        free(room);
        return 0;
}

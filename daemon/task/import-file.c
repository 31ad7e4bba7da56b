/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "common/random.h"
#include "common/text.h"
#include "daemon/model/address.h"
#include "daemon/model/country.h"
#include "daemon/model/unicode.h"
#include "daemon/task/import-file.h"

static const char *const field_names[] = { "organization", "registered_account", "account_type", "first_name", "last_name", "country", "phone",
                                           "tags", "cloud", "data_center", "language", "time_zone", "management_mode", NULL };
enum { FIELDS = ELEMENTSOF(field_names) - 1, TAGS = 7, ACCOUNT = 1, COUNTRY = 5, UNUSED_BYTES = 600, SHOWN_BYTES = 100 };

typedef struct Seen {
        const char *key;                     /* of a registered account */
        int64_t line;
} Seen;

struct ImportFile {
        CsvFile *csv;
        int column[FIELDS];                  /* -1: not in the file */
        const char *fixed[FIELDS];           /* of --set; NULL: none */
        const char *unused;
        size_t n_columns;
        int64_t lines;
        Seen *seen;                          /* open addressing; the size is a power of two */
        size_t seen_size, n_seen;
        uint64_t seed;                       /* of its hash: no file can be made of accounts that all fall in one place */
};

static uint64_t hash(uint64_t h, const char *s) {
        for (; *s; s++)
                h = (h ^ (unsigned char) *s) * 1099511628211u;
        return h;
}

/* Where this account stands in the table, or would. */
static Seen *seen_place(const ImportFile *f, const char *key) {
        size_t i = hash(f->seed, key) & (f->seen_size - 1);
        while (f->seen[i].key && strcmp(f->seen[i].key, key) != 0)
                i = (i + 1) & (f->seen_size - 1);
        return &f->seen[i];
}

static void seen_grow(Arena *a, ImportFile *f) {
        const Seen *old = f->seen;
        size_t n = f->seen_size;

        f->seen_size = MAX(2 * n, (size_t) 64);
        f->seen = arena_alloc(a, f->seen_size * sizeof(*f->seen));
        for (size_t i = 0; i < n; i++)
                if (old[i].key)
                        *seen_place(f, old[i].key) = old[i];
}

static void seen_add(Arena *a, ImportFile *f, const char *key, int64_t line) {
        Seen *s = seen_place(f, key);
        if (s->key)
                return;
        *s = (Seen) { arena_strdup(a, key), line };
        if (2 * ++f->n_seen > f->seen_size)
                seen_grow(a, f);
}

static bool same_header(Arena *a, const char *x, const char *y) {
        return strcmp(text_key(a, x), text_key(a, y)) == 0;
}

static int find_column(Arena *a, const CsvRecord *header, const char *field, const char *name, bool mapped, int *ret, Problem *problem) {
        *ret = -1;
        for (size_t i = 0; i < header->n_cells; i++) {
                if (!same_header(a, header->cells[i], name))
                        continue;
                if (*ret >= 0)
                        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "doubled-header", field, "the header has %.60s twice, in columns %d and %zu: rename one",
                                           name, *ret + 1, i + 1);
                *ret = (int) i;
        }
        if (mapped && *ret < 0)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "no-such-column", field, "--map names the column %.60s, which the file does not have", name);
        return 0;
}

static int check_names(const Dict *d, const char *what, Problem *problem) {
        for (size_t i = 0; i < d->n; i++)
                if (names_find(field_names, d->entries[i].key) < 0)
                        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "unknown-field", what, "--%s: %.60s is no field of an import", what,
                                           d->entries[i].key);
        return 0;
}

static int map_columns(Arena *a, ImportFile *f, const Dict *map, const Dict *set, Problem *problem) {
        const CsvRecord *header = csv_header(f->csv);
        Buffer unused = {};

        f->n_columns = header->n_cells;
        for (size_t i = 0; i < FIELDS; i++) {
                const Value *name = dict_find(map, field_names[i]), *fixed = dict_find(set, field_names[i]);
                int r = find_column(a, header, field_names[i], name ? name->string : field_names[i], name != NULL, &f->column[i], problem);
                if (r != 0)
                        return r;
                f->fixed[i] = fixed ? fixed->string : NULL;
        }
        for (size_t c = 0; c < header->n_cells; c++) {
                bool used = str_empty(header->cells[c]);
                char shown[SHOWN_BYTES];
                for (size_t i = 0; i < FIELDS; i++)
                        used |= f->column[i] == (int) c;
                if (used)
                        continue;
                Buffer escaped = {};
                text_escape_controls(&escaped, header->cells[c], strlen(header->cells[c]));
                text_copy_cut(shown, sizeof(shown), buffer_string(&escaped));
                buffer_done(&escaped);
                if (unused.size + strlen(shown) > UNUSED_BYTES) {
                        buffer_add_string(&unused, ", …");
                        break;
                }
                buffer_printf(&unused, "%s%s", unused.size ? ", " : "", shown);
        }
        if (unused.size > 0)
                f->unused = arena_strdup(a, buffer_string(&unused));
        buffer_done(&unused);
        return 0;
}

/* What a line says of a field: its cell, else what --set says. "" if nothing does. */
static const char *value_of(const ImportFile *f, const CsvRecord *record, size_t field) {
        const char *cell = f->column[field] >= 0 && (size_t) f->column[field] < record->n_cells ? record->cells[f->column[field]] : "";
        return *cell ? cell : f->fixed[field] ?: "";
}

/* How many lines there are, and which account stands on which of them first: a second line for it is refused, in whatever
 * slice it comes. */
static void index_lines(Arena *a, ImportFile *f) {
        _cleanup_(arena_freep) Arena *scratch = arena_new();
        size_t cursor = 0;
        CsvRecord record;
        Problem ignored;

        random_bytes(&f->seed, sizeof(f->seed));
        seen_grow(a, f);
        while (csv_next(f->csv, &cursor, scratch, &record) > 0) {
                const char *account = value_of(f, &record, ACCOUNT);
                f->lines++;
                if (*account && !record.has_nul && address_check(scratch, "registered_account", &account, &ignored) == 0)
                        seen_add(a, f, address_key(scratch, account), record.line);
                if (arena_size(scratch) > (1 << 20)) {
                        arena_free(scratch);
                        scratch = arena_new();
                }
        }
}

int import_file_open(Arena *a, const char *bytes, size_t n, const Dict *map, const Dict *set, ImportFile **ret, Problem *problem) {
        ImportFile *f = arena_alloc(a, sizeof(*f));

        int r = check_names(map, "map", problem);
        if (r == 0)
                r = check_names(set, "set", problem);
        if (r == 0)
                r = csv_open(a, bytes, n, &f->csv, problem);
        if (r == 0)
                r = map_columns(a, f, map, set, problem);
        if (r != 0)
                return r;
        index_lines(a, f);
        *ret = f;
        return 0;
}

const char *import_file_unused(const ImportFile *f) {
        return f->unused;
}

int64_t import_file_lines(const ImportFile *f) {
        return f->lines;
}

static void add_tags(Arena *a, Dict *fields, const char *cell) {
        char *copy = arena_strdup(a, cell), *rest = NULL;
        size_t n = 0;
        const char **tags = arena_alloc(a, (strlen(cell) / 2 + 2) * sizeof(*tags));

        for (char *tag = strtok_r(copy, ",;", &rest); tag; tag = strtok_r(NULL, ",;", &rest)) {
                while (*tag == ' ' || *tag == '\t')
                        tag++;
                if (*tag)
                        tags[n++] = tag;
        }
        if (n > 0)
                dict_add(a, fields, "tags", (Value) { VALUE_STRINGS, .strings = { tags, n } });
}

static int line_faults(const ImportFile *f, const CsvRecord *record, Problem *problem) {
        if (record->has_nul)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "nul-byte", NULL, "the line holds a NUL byte");
        for (size_t i = f->n_columns; i < record->n_cells; i++)
                if (*record->cells[i])
                        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "surplus-cell", NULL, "the line has more cells than the header: column %zu holds text", i + 1);
        return 0;
}

int import_file_next(const ImportFile *f, size_t *cursor, Arena *a, int64_t *ret_line, Dict *ret_fields, Problem *problem) {
        CsvRecord record;
        Problem ignored;

        if (csv_next(f->csv, cursor, a, &record) == 0)
                return 0;
        *ret_line = record.line;
        *ret_fields = (Dict) {};
        *problem = (Problem) {};
        if (line_faults(f, &record, problem) != 0)
                return 1;
        for (size_t i = 0; i < FIELDS; i++) {
                const char *cell = value_of(f, &record, i);
                if (*cell == 0)
                        continue;
                if (i == TAGS) {
                        add_tags(a, ret_fields, cell);
                        continue;
                }
                if (i == COUNTRY && strlen(cell) != 2)
                        cell = country_from_name(cell) ?: cell;
                dict_add(a, ret_fields, field_names[i], (Value) { VALUE_STRING, .string = cell });
        }
        const Value *account = dict_find(ret_fields, "registered_account");
        const char *address = account ? account->string : NULL;
        if (address && address_check(a, "registered_account", &address, &ignored) == 0) {
                const Seen *first = seen_place(f, address_key(a, address));
                if (first->key && first->line != record.line)
                        problem_set(problem, PROBLEM_REFUSED, "twice-in-file", "registered_account", "%.100s stands on line %lld already", address,
                                    (long long) first->line);
        }
        return 1;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/text.h"
#include "daemon/model/csv.h"

struct CsvFile {
        const char *text;                    /* UTF-8 without mark */
        size_t n;
        char delimiter;
        CsvRecord header;
        size_t body_at;
        int64_t body_line;
};

/* ---- encodings ---- */

/* at: the offset in the file; text: what was decoded of it so far, for the number of the line. */
static int refuse_bytes(const char *text, size_t n, size_t at, const char *from, Problem *problem) {
        int64_t line = 1;
        for (size_t i = 0; i < n; i++)
                line += text[i] == '\n' || (text[i] == '\r' && (i + 1 == n || text[i + 1] != '\n'));
        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "not-utf8", "file",
                           "line %lld, byte %zu: this is not UTF-8; convert the file: iconv -f %s -t UTF-8 FILE > NEW",
                           (long long) line, at, from);
}

static uint32_t unit_at(const uint8_t *p, bool big) {
        return big ? (uint32_t) (p[0] << 8 | p[1]) : (uint32_t) (p[1] << 8 | p[0]);
}

/* p is behind the mark. */
static int from_utf16(Arena *a, const uint8_t *p, size_t n, bool big, CsvFile *f, Problem *problem) {
        char *out = arena_alloc(a, n / 2 * 3 + 4);
        size_t size = 0, i = 0;

        for (; i + 1 < n; i += 2) {
                uint32_t code = unit_at(p + i, big);
                if (code >= 0xd800 && code < 0xdc00 && i + 3 < n) {
                        uint32_t low = unit_at(p + i + 2, big);
                        if (low >= 0xdc00 && low < 0xe000) {
                                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                                i += 2;
                        }
                }
                if (code >= 0xd800 && code < 0xe000)
                        break;
                size += utf8_encode(code, out + size);
        }
        if (i < n)
                return refuse_bytes(out, size, i + 2, "UTF-16 -c", problem);
        f->text = out;
        f->n = size;
        return 0;
}

static int decode(Arena *a, const char *bytes, size_t n, CsvFile *f, Problem *problem) {
        size_t mark = 0;

        if (n >= 4 && (memcmp(bytes, "\xff\xfe\0\0", 4) == 0 || memcmp(bytes, "\0\0\xfe\xff", 4) == 0))
                return refuse_bytes(bytes, 0, 0, "UTF-32", problem);
        if (n >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0))
                return from_utf16(a, (const uint8_t *) bytes + 2, n - 2, (uint8_t) bytes[0] == 0xfe, f, problem);
        if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
                mark = 3;
        for (size_t i = mark; i < n;) {
                if ((signed char) bytes[i] >= 0) {
                        i++;
                        continue;
                }
                size_t k = utf8_next(bytes + i, n - i, NULL);
                if (k == 0)
                        return refuse_bytes(bytes, i, i, "WINDOWS-1252", problem);
                i += k;
        }
        f->text = bytes + mark;
        f->n = n - mark;
        return 0;
}

/* ---- scanning ---- */

static bool is_blank(char c, char delimiter) {
        return (c == ' ' || c == '\t') && c != delimiter;
}

/* Past an end of line (LF, CR LF or CR), if there is one. */
static size_t skip_end(const CsvFile *f, size_t i) {
        if (i < f->n && f->text[i] == '\r')
                i++;
        else if (i < f->n && f->text[i] == '\n')
                return i + 1;
        else
                return i;
        return i < f->n && f->text[i] == '\n' ? i + 1 : i;
}

static bool at_end(const CsvFile *f, size_t i) {
        return i >= f->n || f->text[i] == '\n' || f->text[i] == '\r';
}

typedef struct Cell {
        size_t from, to;                     /* of its text; with quotes: inside of them */
        bool quoted, doubled;                /* doubled: "" inside */
} Cell;

/* One cell from *at, which moves behind it (on the delimiter or the end). Lines inside quotes are counted. 1: wrong
 * quoting. */
static int scan_cell(const CsvFile *f, char delimiter, size_t *at, int64_t *line, Cell *ret) {
        size_t i = *at;

        while (i < f->n && is_blank(f->text[i], delimiter))
                i++;
        *ret = (Cell) {};
        if (i < f->n && f->text[i] == '"') {
                ret->quoted = true;
                ret->from = ++i;
                for (;; i++) {
                        if (i >= f->n)
                                return 1;
                        if (f->text[i] == '\n' || (f->text[i] == '\r' && !(i + 1 < f->n && f->text[i + 1] == '\n')))
                                (*line)++;
                        if (f->text[i] != '"')
                                continue;
                        if (i + 1 < f->n && f->text[i + 1] == '"') {
                                ret->doubled = true;
                                i++;
                                continue;
                        }
                        break;
                }
                ret->to = i++;
                while (i < f->n && is_blank(f->text[i], delimiter))
                        i++;
                if (!at_end(f, i) && f->text[i] != delimiter)
                        return 1;
        } else {
                ret->from = i;
                for (; !at_end(f, i) && f->text[i] != delimiter; i++)
                        if (f->text[i] == '"')
                                return 1;
                ret->to = i;
        }
        *at = i;
        return 0;
}

/* Scans one record; counts its cells. 1: wrong quoting. */
static int scan_record(const CsvFile *f, char delimiter, size_t *at, int64_t *line, size_t *ret_cells) {
        Cell cell;
        *ret_cells = 0;
        for (;;) {
                if (scan_cell(f, delimiter, at, line, &cell) != 0)
                        return 1;
                (*ret_cells)++;
                if (at_end(f, *at))
                        break;
                (*at)++;
        }
        if (*at < f->n)
                (*line)++;
        *at = skip_end(f, *at);
        return 0;
}

static const char *cell_text(const CsvFile *f, const Cell *c, Arena *a, bool *ret_nul) {
        const char *from = f->text + c->from, *to = f->text + c->to;

        while (from < to && (*from == ' ' || *from == '\t' || *from == '\n' || *from == '\r'))
                from++;
        while (to > from && (to[-1] == ' ' || to[-1] == '\t' || to[-1] == '\n' || to[-1] == '\r'))
                to--;
        /* The quote that keeps a formula from being one: taken off where an export would have put it. */
        if (to - from >= 2 && *from == '\'') {
                const char *p = from;
                while (p < to && *p == '\'')
                        p++;
                if (p < to && *p && strchr("=+-@\t\r", *p))
                        from++;
        }
        if (from == to)
                return "";
        if (memchr(from, 0, (size_t) (to - from)))
                *ret_nul = true;
        char *text = arena_strndup(a, from, (size_t) (to - from));
        if (c->doubled) {
                char *w = text;
                for (const char *p = text; *p; p++) {
                        *w++ = *p;
                        if (p[0] == '"' && p[1] == '"')
                                p++;
                }
                *w = 0;
        }
        return text;
}

/* The record at *at, which is known to be quoted rightly. However wide it is, no more is kept than shows that it is too
 * wide: of the cells behind CSV_COLUMNS_MAX, the first that is not empty. */
static void read_record(const CsvFile *f, size_t *at, int64_t *line, Arena *a, CsvRecord *ret) {
        size_t room = ret->n_cells ? ret->n_cells : 16;
        const char **cells = arena_alloc(a, room * sizeof(*cells));
        size_t n = 0;
        Cell cell;

        ret->line = *line;
        ret->has_nul = false;
        for (;;) {
                (void) scan_cell(f, f->delimiter, at, line, &cell);
                if (n == room) {
                        const char **more = arena_alloc(a, (room *= 2) * sizeof(*more));
                        memcpy(more, cells, n * sizeof(*more));
                        cells = more;
                }
                if (n <= CSV_COLUMNS_MAX) {
                        const char *text = cell_text(f, &cell, a, &ret->has_nul);
                        if (n < CSV_COLUMNS_MAX || *text || ret->has_nul)
                                cells[n++] = text;
                }
                if (at_end(f, *at))
                        break;
                (*at)++;
        }
        if (*at < f->n)
                (*line)++;
        *at = skip_end(f, *at);
        ret->cells = cells;
        ret->n_cells = n;
}

/* ---- opening ---- */

/* "sep=X" alone on the first line, as spreadsheets write and read it. */
static bool names_delimiter(const CsvFile *f) {
        return f->n >= 5 && memcmp(f->text, "sep=", 4) == 0 && at_end(f, 5) && (signed char) f->text[4] > 0 &&
               !strchr("\"'\r\n ", f->text[4]);
}

static void find_delimiter(CsvFile *f, size_t *at, int64_t *line) {
        static const char candidates[] = ",;\t|";
        size_t most = 0, header = 0;

        f->delimiter = ',';
        if (names_delimiter(f)) {
                f->delimiter = f->text[4];
                *at = skip_end(f, 5);
                *line = 2;
                return;
        }
        /* Blank lines may stand before the header, and say nothing whatever divides them. */
        for (size_t i = 0; i < f->n && (at_end(f, i) || strchr(" ,;\t|", f->text[i])) && f->text[i]; i++)
                if (at_end(f, i))
                        header = i + 1;
        for (const char *d = candidates; *d; d++) {
                size_t from = header, cells;
                int64_t ignored = 1;
                if (scan_record(f, *d, &from, &ignored, &cells) == 0 && cells > most) {
                        most = cells;
                        f->delimiter = *d;
                }
        }
}

static int check_quoting(const CsvFile *f, size_t at, int64_t line, Problem *problem) {
        while (at < f->n) {
                int64_t begin = line;
                size_t cells;
                if (scan_record(f, f->delimiter, &at, &line, &cells) != 0)
                        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-quoting", "file",
                                           "line %lld: a quote stands where none may, or is never closed; nothing was imported", (long long) begin);
        }
        return 0;
}

static bool record_is_blank(const CsvRecord *r) {
        for (size_t i = 0; i < r->n_cells; i++)
                if (*r->cells[i])
                        return false;
        return !r->has_nul;
}

int csv_open(Arena *a, const char *bytes, size_t n, CsvFile **ret, Problem *problem) {
        CsvFile *f = arena_alloc(a, sizeof(*f));
        int64_t line = 1;
        size_t at = 0;

        if (n > CSV_SIZE_MAX)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "too-big", "file", "the file has %zu bytes, more than 64 MiB", n);
        int r = decode(a, bytes, n, f, problem);
        if (r != 0)
                return r;
        find_delimiter(f, &at, &line);
        r = check_quoting(f, at, line, problem);
        if (r != 0)
                return r;
        do {
                if (at >= f->n)
                        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "empty-file", "file", "the file is empty: it needs a line of column names first");
                f->header.n_cells = 0;
                read_record(f, &at, &line, a, &f->header);
        } while (record_is_blank(&f->header));
        /* UTF-16 without its mark is UTF-8 with a NUL in every character, as it happens. */
        if (f->header.has_nul)
                return refuse_bytes("", 0, (size_t) ((const char *) memchr(f->text, 0, f->n) - f->text),
                                    *f->text ? "UTF-16LE" : "UTF-16BE", problem);
        if (f->header.n_cells > CSV_COLUMNS_MAX)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "too-many-columns", "file",
                                   "line %lld, the header, has more than %d columns", (long long) f->header.line, CSV_COLUMNS_MAX);
        f->body_at = at;
        f->body_line = line;
        *ret = f;
        return 0;
}

const CsvRecord *csv_header(const CsvFile *f) {
        return &f->header;
}

char csv_delimiter(const CsvFile *f) {
        return f->delimiter;
}

/* A cursor is the offset in the low 32 bits (a file has at most 64 MiB, three times that when decoded) and the line
 * above them. */
int csv_next(const CsvFile *f, size_t *cursor, Arena *a, CsvRecord *ret) {
        size_t at = *cursor ? *cursor & UINT32_MAX : f->body_at;
        int64_t line = *cursor ? (int64_t) (*cursor >> 32) : f->body_line;

        while (at < f->n) {
                *ret = (CsvRecord) { .n_cells = f->header.n_cells };
                read_record(f, &at, &line, a, ret);
                *cursor = (size_t) line << 32 | at;
                if (!record_is_blank(ret))
                        return 1;
        }
        return 0;
}

/* ---- out ---- */

static bool needs_guard(const char *text, size_t n) {
        size_t i = 0;
        while (i < n && text[i] == '\'')
                i++;
        return i < n && strchr("=+-@\t\r", text[i]) && text[i];
}

void csv_cell(Buffer *b, bool first, const char *text, size_t n, bool guard) {
        bool quoted = false;

        guard = guard && needs_guard(text, n);
        for (size_t i = 0; i < n && !quoted; i++)
                quoted = text[i] == '"' || text[i] == ',' || text[i] == '\n' || text[i] == '\r';
        quoted |= n > 0 && (text[0] == ' ' || text[0] == '\t' || text[n - 1] == ' ' || text[n - 1] == '\t');
        char *start = buffer_reserve(b, 2 * n + 4), *p = start;
        if (!first)
                *p++ = ',';
        if (quoted)
                *p++ = '"';
        if (guard)
                *p++ = '\'';
        if (!quoted) {
                memcpy(p, text, n);
                p += n;
        } else {
                for (size_t i = 0; i < n; i++) {
                        if (text[i] == '"')
                                *p++ = '"';
                        *p++ = text[i];
                }
                *p++ = '"';
        }
        *p = 0;
        b->size += (size_t) (p - start);
}

void csv_end_record(Buffer *b) {
        buffer_add(b, "\r\n", 2);
}

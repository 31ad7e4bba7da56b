/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/crypt.h"
#include "common/text.h"
#include "daemon/store/query-private.h"

/* A cursor is the sort keys of the last row seen, after a digest of the question they belong to; as base64url. It
 * holds nothing that its caller has not seen or could not ask for, and a forged one only begins somewhere else. */

enum { CURSOR_VERSION = 1, CURSOR_BYTES_MAX = 128 << 10 };

static void add_part(Buffer *b, const char *text) {
        uint64_t n = text ? strlen(text) : UINT64_MAX;
        buffer_add(b, &n, sizeof(n));
        buffer_add_string(b, text ?: "");
}

void cursor_digest(const QueryRequest *request, uint8_t ret[QUERY_DIGEST_SIZE]) {
        const int64_t numbers[] = { request->since, request->until, request->uid, request->parent, (int64_t) request->n_columns };
        _cleanup_(buffer_done) Buffer b = {};
        uint8_t digest[SHA256_SIZE];

        add_part(&b, request->dataset->kind);
        add_part(&b, request->selector);
        add_part(&b, request->search);
        add_part(&b, request->sort ?: request->dataset->default_sort);
        buffer_add(&b, numbers, sizeof(numbers));
        for (size_t i = 0; i < request->n_columns; i++)
                add_part(&b, request->columns[i]);
        sha256(b.data, b.size, digest);
        memcpy(ret, digest, QUERY_DIGEST_SIZE);
}

/* ---- base64url without padding ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static char *base64url(const uint8_t *bytes, size_t n) {
        char *text = memory_new(n / 3 * 4 + 5), *p = text;

        for (size_t i = 0; i < n; i += 3) {
                size_t k = MIN(n - i, (size_t) 3);
                uint32_t v = (uint32_t) bytes[i] << 16 | (k > 1 ? (uint32_t) bytes[i + 1] << 8 : 0) | (k > 2 ? bytes[i + 2] : 0);
                for (size_t j = 0; j <= k; j++)
                        *p++ = alphabet[v >> (18 - 6 * j) & 63];
        }
        return text;
}

/* false unless it is exactly what base64url() writes. */
static bool base64url_read(const char *text, uint8_t *ret, size_t *ret_n) {
        uint32_t v = 0;
        unsigned bits = 0;
        size_t n = 0;

        for (; *text; text++) {
                const char *found = strchr(alphabet, *text);
                if (!found)
                        return false;
                v = v << 6 | (uint32_t) (found - alphabet);
                bits += 6;
                if (bits >= 8) {
                        bits -= 8;
                        ret[n++] = (uint8_t) (v >> bits);
                }
        }
        *ret_n = n;
        return bits < 6 && (v & ((1u << bits) - 1)) == 0;
}

/* ---- keys ---- */

char *cursor_write(const Query *q, const QueryValue *values) {
        Buffer b = {};

        buffer_add_char(&b, CURSOR_VERSION);
        buffer_add(&b, q->digest, sizeof(q->digest));
        for (size_t i = 0; i < q->order.n; i++)
                switch (values[i].type) {
                case 'i':
                        buffer_add(&b, &values[i].integer, sizeof(values[i].integer));
                        break;
                case 'd':
                        buffer_add(&b, &values[i].id, sizeof(values[i].id));
                        break;
                default: {
                        uint32_t n = (uint32_t) values[i].size;
                        buffer_add(&b, &n, sizeof(n));
                        buffer_add(&b, values[i].text, n);
                }
                }
        char *text = base64url((const uint8_t *) b.data, b.size);
        buffer_done(&b);
        return text;
}

typedef struct Reader {
        const uint8_t *p;
        size_t left;
} Reader;

static bool take(Reader *r, void *ret, size_t n) {
        if (r->left < n)
                return false;
        memcpy(ret, r->p, n);
        r->p += n;
        r->left -= n;
        return true;
}

static bool take_value(Reader *r, QueryValue *ret) {
        uint32_t n;

        if (ret->type == 'i')
                return take(r, &ret->integer, sizeof(ret->integer));
        if (ret->type == 'd')
                return take(r, &ret->id, sizeof(ret->id));
        if (!take(r, &n, sizeof(n)) || r->left < n)
                return false;
        ret->text = (const char *) r->p;
        ret->size = n;
        r->p += n;
        r->left -= n;
        return utf8_valid(ret->text, n);
}

int cursor_read(Arena *a, const char *text, const Query *q, QueryValue *ret, Problem *problem) {
        size_t length = strlen(text), n = 0;
        uint8_t version, digest[QUERY_DIGEST_SIZE];
        bool good = length <= CURSOR_BYTES_MAX;

        if (good) {
                uint8_t *bytes = arena_alloc(a, length + 1);
                good = base64url_read(text, bytes, &n);
                Reader r = { bytes, n };
                good = good && take(&r, &version, 1) && version == CURSOR_VERSION && take(&r, digest, sizeof(digest));
                if (good && memcmp(digest, q->digest, sizeof(digest)) != 0)
                        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-cursor", "cursor",
                                           "this cursor belongs to another query: selector, search, sort, columns and caller must be"
                                           " those of the page it came with; begin without a cursor");
                for (size_t i = 0; i < q->order.n && good; i++) {
                        ret[i].type = q->order.types[i];
                        good = take_value(&r, &ret[i]);
                }
                good = good && r.left == 0;
        }
        return good ? 0 : problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-cursor", "cursor",
                                      "this is no cursor: pass \"next\" of the page before unchanged, or begin without a cursor");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>

#include "common/text.h"
#include "daemon/model/address.h"
#include "daemon/model/punycode.h"
#include "daemon/model/unicode.h"

enum { LOCAL_MAX = 64, DOMAIN_MAX = 255, ADDRESS_MAX = 254, LABEL_MAX = 63, SHOWN_MAX = 80 };

static bool is_ascii(const char *s) {
        for (; *s; s++)
                if ((unsigned char) *s >= 0x80)
                        return false;
        return true;
}

/* A printable ASCII character that may stand in an unquoted local part (RFC 5322 atext), or the dot. */
static bool is_atom(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               (c && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static bool is_dot_atom(const char *s, size_t n) {
        if (n == 0 || s[0] == '.' || s[n - 1] == '.')
                return false;
        for (size_t i = 0; i < n; i++)
                if (((unsigned char) s[i] < 0x80 && !is_atom(s[i])) || (s[i] == '.' && s[i + 1] == '.'))
                        return false;
        return true;
}

/* "…" whole, with \ before a quote or backslash inside. */
static bool is_quoted(const char *s, size_t n) {
        if (n < 3 || s[0] != '"' || s[n - 1] != '"')
                return false;
        for (size_t i = 1; i < n - 1; i++) {
                if (s[i] == '"')
                        return false;
                if (s[i] == '\\' && ++i == n - 1)
                        return false;
        }
        return true;
}

/* The @ that divides: the last one outside the quotes of a quoted local part. NULL if there is none, or several. */
static const char *find_at(const char *s) {
        const char *at = strrchr(s, '@');
        if (at && s[0] != '"' && memchr(s, '@', (size_t) (at - s)))
                return NULL;
        return at;
}

/* Compatibility forms (full width and such) become plain, capitals small, as a resolver would do it; ß and ς stay,
 * they are letters of their own in a domain. */
static char *lower_domain(Arena *a, const char *s) {
        size_t n;
        uint8_t *plain = u8_normalize(UNINORM_NFKC, (const uint8_t *) s, strlen(s), NULL, &n);
        Buffer b = {};

        for (size_t i = 0; plain && i < n;) {
                uint32_t code = 0;
                char bytes[4];
                i += MAX(utf8_next((const char *) plain + i, n - i, &code), (size_t) 1);
                if (code == 0x130)       /* İ must not become the i of another domain */
                        buffer_add_string(&b, "i\u0307");
                else if (code == 0x3002)
                        buffer_add_char(&b, '.');
                else
                        buffer_add(&b, bytes, utf8_encode(uc_tolower(code), bytes));
        }
        free(plain);
        char *lower = text_nfc(a, buffer_string(&b));
        buffer_done(&b);
        return lower;
}

static bool is_label_char(uint32_t c) {
        if (c < 0x80)
                return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        return !uc_is_property_default_ignorable_code_point(c) &&
               uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M | UC_CATEGORY_MASK_N);
}

/* Appends the A-label of a lower-case label. */
static bool add_label(Buffer *b, const char *s, size_t n) {
        uint32_t codes[LABEL_MAX];
        size_t count = 0, start = b->size;
        bool ascii = true;

        if (n == 0 || s[0] == '-' || s[n - 1] == '-')
                return false;
        for (size_t i = 0; i < n; count++) {
                if (count == LABEL_MAX)
                        return false;
                size_t k = utf8_next(s + i, n - i, &codes[count]);
                if (k == 0 || !is_label_char(codes[count]))
                        return false;
                ascii = ascii && k == 1;
                i += k;
        }
        if (ascii) {
                if (n == 4 && str_starts(s, "xn--"))
                        return false;
                buffer_add(b, s, n);
        } else {
                if (uc_is_general_category_withtable(codes[0], UC_CATEGORY_MASK_M) ||
                    (n > 4 && str_starts(s, "xn--")))
                        return false;
                buffer_add_string(b, "xn--");
                if (!punycode_encode(codes, count, b))
                        return false;
        }
        return b->size - start <= LABEL_MAX;
}

static bool is_number(const char *s) {
        for (; *s; s++)
                if (*s < '0' || *s > '9')
                        return false;
        return true;
}

static bool add_domain(Buffer *b, const char *lower) {
        size_t labels = 0, last = 0;

        for (;; labels++) {
                size_t n = strcspn(lower, ".");
                if (labels > 0)
                        buffer_add_char(b, '.');
                last = b->size;
                if (!add_label(b, lower, n))
                        return false;
                lower += n;
                if (*lower++ == 0)
                        break;
        }
        /* Four numbers are an address of another kind. */
        return labels > 0 && b->size <= DOMAIN_MAX && !is_number(b->data + last);
}

char *domain_key(Arena *a, const char *domain) {
        Buffer b = {};
        char *key = NULL;

        /* No name of 255 bytes in ASCII is that long in UTF-8; and what is longer is not worth normalising. */
        if (strlen(domain) <= DOMAIN_MAX * 4 && add_domain(&b, lower_domain(a, domain)))
                key = arena_strdup(a, buffer_string(&b));
        buffer_done(&b);
        return key;
}

static char *local_key(Arena *a, const char *s, size_t n) {
        char *local = arena_strndup(a, s, n);

        if (is_quoted(s, n)) {
                char *to = local;
                for (size_t i = 1; i < n - 1; i++) {
                        if (s[i] == '\\')
                                i++;
                        *to++ = s[i];
                }
                *to = 0;
                if (!is_dot_atom(local, (size_t) (to - local)))
                        local = arena_strndup(a, s, n);
        }
        return text_fold(a, local);
}

char *address_key(Arena *a, const char *address) {
        const char *at = find_at(address);

        if (!at)
                return text_fold(a, address);
        if (is_ascii(address) && address[0] != '"')      /* folds byte by byte, in both parts alike */
                return text_fold(a, address);
        const char *domain = domain_key(a, at + 1);
        return arena_printf(a, "%s@%s", local_key(a, address, (size_t) (at - address)),
                            domain ? domain : text_fold(a, at + 1));
}

static _printf_(4, 5) int refuse(const char *field, const char *text, Problem *ret, const char *format, ...) {
        char shown[SHOWN_MAX + 1], why[256];
        va_list ap;

        va_start(ap, format);
        vsnprintf(why, sizeof(why), format, ap);
        va_end(ap);
        text_copy_cut(shown, sizeof(shown), text);
        return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "bad-address", field, "'%s%s' is no e-mail address: %s", shown,
                           strlen(shown) < strlen(text) ? "…" : "", why);
}

/* Every character is visible, and none could hide another. */
static int check_characters(const char *field, const char *text, Problem *ret) {
        size_t n = strlen(text), position = 1;

        for (size_t i = 0; i < n; position++) {
                uint32_t code = 0;
                size_t k = utf8_next(text + i, n - i, &code);
                if (k == 0)
                        return refuse(field, text, ret, "byte 0x%02x at character %zu is not UTF-8",
                                      (unsigned char) text[i], position);
                if (code == ' ')
                        return refuse(field, text, ret, "it holds a blank at character %zu", position);
                if (text_char_invisible(code) || text_char_noncharacter(code) || code == 0x7f)
                        return refuse(field, text, ret, "it holds U+%04X, which cannot be seen, at character %zu",
                                      (unsigned) code, position);
                i += k;
        }
        return 0;
}

static int check_parts(Arena *a, const char *field, const char *text, Problem *ret) {
        const char *at = find_at(text);
        size_t local = at ? (size_t) (at - text) : 0;

        if (!at)
                return refuse(field, text, ret, "it must be NAME@DOMAIN with one @");
        if (local == 0)
                return refuse(field, text, ret, "there is nothing before the @");
        if (!is_dot_atom(text, local) && !is_quoted(text, local))
                return refuse(field, text, ret, "the part before the @ holds what it cannot hold without quotes");
        if (local > LOCAL_MAX)
                return refuse(field, text, ret, "the part before the @ has %zu bytes; at most %d are allowed", local,
                              LOCAL_MAX);
        if (strlen(text) > ADDRESS_MAX)
                return refuse(field, text, ret, "it has %zu bytes; at most %d are allowed", strlen(text), ADDRESS_MAX);
        if (!strchr(at, '.') && is_ascii(at))
                return refuse(field, text, ret, "its domain has no dot");
        if (!domain_key(a, at + 1))
                return refuse(field, text, ret, "its domain is not a domain name");
        return 0;
}

int address_check(Arena *a, const char *field, const char **text, Problem *ret) {
        const char *s = *text;
        size_t n = strlen(s);
        int r;

        while (*s == ' ' || *s == '\t')
                s++, n--;
        while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
                n--;
        if (n == 0)
                return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "bad-address", field,
                                   "%s is empty; give an e-mail address", field);
        s = arena_strndup(a, s, n);
        /* Normalising can take a while and cannot make this short enough. */
        if (n > ADDRESS_MAX * 4)
                return refuse(field, utf8_valid(s, n) ? s : "", ret, "it has %zu bytes; at most %d are allowed", n,
                              ADDRESS_MAX);
        if ((r = check_characters(field, s, ret)) != 0)
                return r;
        s = text_nfc(a, s);
        if ((r = check_parts(a, field, s, ret)) != 0)
                return r;
        *text = s;
        return 0;
}

/* The recipients found so far: items in the order typed, keys sorted. */
typedef struct Recipients {
        const char **items, **keys;
        size_t n, max;
} Recipients;

/* Where key stands or would stand; *ret_found tells which. */
static size_t key_place(const Recipients *l, const char *key, bool *ret_found) {
        size_t low = 0, high = l->n;

        *ret_found = false;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = strcmp(l->keys[middle], key);
                if (order == 0)
                        *ret_found = true;
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static int recipients_add(Arena *a, Recipients *l, const char *field, const char *address, Problem *ret) {
        const char *key = address_key(a, address);
        bool found;
        size_t place = key_place(l, key, &found);

        if (found)
                return 0;
        if (l->n == l->max)
                return problem_set(ret, PROBLEM_LIMIT_EXCEEDED, "too-many-recipients", field,
                                   "%s holds more than %zu addresses; give fewer, or one address of a mailing list",
                                   field, l->max);
        /* Grown by doubling, so that max may be large. */
        if ((l->n & (l->n - 1)) == 0) {
                size_t room = MAX(l->n * 2, (size_t) 1) * sizeof(char *);
                l->items = memcpy(arena_alloc(a, room), l->items, l->n * sizeof(char *));
                l->keys = memcpy(arena_alloc(a, room), l->keys, l->n * sizeof(char *));
        }
        memmove(l->keys + place + 1, l->keys + place, (l->n - place) * sizeof(char *));
        l->keys[place] = key;
        l->items[l->n++] = address;
        return 0;
}

/* Bytes up to the end of the member at s: a separator outside quotes, or the end. SIZE_MAX if a quote stays open. */
static size_t member_length(const char *s) {
        bool quoted = false;
        size_t i = 0;

        for (; s[i] && (quoted || (s[i] != ';' && s[i] != ',')); i++) {
                if (s[i] == '"')
                        quoted = !quoted;
                else if (quoted && s[i] == '\\' && s[i + 1])
                        i++;
        }
        return quoted ? SIZE_MAX : i;
}

/* The address in "Name <address>"; the member itself if there are no angle brackets outside quotes. */
static int unwrap(Arena *a, const char *field, char *member, const char **ret_address, Problem *ret) {
        char *open = NULL;
        bool quoted = false;
        size_t n = strlen(member);

        for (char *p = member; *p && !open; p++) {
                if (*p == '"')
                        quoted = !quoted;
                else if (quoted && *p == '\\' && p[1])
                        p++;
                else if (!quoted && *p == '<')
                        open = p;
        }
        *ret_address = member;
        if (!open)
                return 0;
        if (member[n - 1] != '>')
                return refuse(field, member, ret, "text stands after the address, or its > is missing");
        *ret_address = arena_strndup(a, open + 1, n - (size_t) (open + 1 - member) - 1);
        return 0;
}

static char *trimmed(Arena *a, const char *s, size_t n) {
        while (n > 0 && strchr(" \t\r\n", *s))
                s++, n--;
        while (n > 0 && strchr(" \t\r\n", s[n - 1]))
                n--;
        return arena_strndup(a, s, n);
}

static int add_all(Arena *a, Recipients *l, const char *field, const char *s, Problem *ret) {
        int r;

        if (!utf8_valid(s, strlen(s)))
                return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "bad-address", field,
                                   "%s is not valid UTF-8; send the text as UTF-8", field);
        for (;; s++) {
                const char *address;
                size_t n = member_length(s);
                if (n == SIZE_MAX)
                        return refuse(field, s, ret, "a quote is opened and never closed");
                char *member = trimmed(a, s, n);
                if (*member) {
                        if ((r = unwrap(a, field, member, &address, ret)) != 0 ||
                            (r = address_check(a, field, &address, ret)) != 0 ||
                            (r = recipients_add(a, l, field, address, ret)) != 0)
                                return r;
                }
                s += n;
                if (!*s)
                        return 0;
        }
}

int address_list_check(Arena *a, const char *field, const char *const *texts, size_t n, size_t max,
                       const char ***ret_items, size_t *ret_n, Problem *ret) {
        Recipients l = { .max = max };
        int r;

        l.keys = l.items = arena_alloc(a, sizeof(char *));
        for (size_t i = 0; i < n; i++)
                if ((r = add_all(a, &l, field, texts[i], ret)) != 0)
                        return r;
        *ret_items = l.items;
        *ret_n = l.n;
        return 0;
}

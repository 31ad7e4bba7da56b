/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>

#include "common/text.h"
#include "daemon/model/unicode.h"

enum {
        /* A character of NFC stands for at most four of NFD, so a text with more than four times the allowed
         * characters is too long whatever its normal form is. */
        NFC_SHRINKS_BY = 4,
        /* Everything below is in NFC already: nothing combines and nothing is composed of it. */
        FIRST_COMBINING = 0x300,
        LAST_STRIPPED = 0x36f,
        DOTLESS_I = 0x131,
        BRAILLE_BLANK = 0x2800,
};

/* A result of libunistring in the arena. Small ones never touch the heap. */
typedef struct Scratch {
        uint8_t bytes[1024];
        size_t size;
} Scratch;

static char *keep(Arena *a, Scratch *scratch, uint8_t *result) {
        char *s = arena_strndup(a, (const char *) result, scratch->size);
        if (result != scratch->bytes)
                free(result);
        return s;
}

static char *normalize(Arena *a, uninorm_t form, const char *s, size_t n) {
        Scratch scratch = { .size = sizeof(scratch.bytes) };
        uint8_t *result = u8_normalize(form, (const uint8_t *) s, n, scratch.bytes, &scratch.size);

        /* NULL is invalid input, which the caller excludes, or no memory, which ends the process as ever. */
        return result ? keep(a, &scratch, result) : arena_strndup(a, s, n);
}

static char *fold(Arena *a, uninorm_t form, const char *s, size_t n) {
        Scratch scratch = { .size = sizeof(scratch.bytes) };
        uint8_t *result = u8_casefold((const uint8_t *) s, n, NULL, form, scratch.bytes, &scratch.size);

        return result ? keep(a, &scratch, result) : arena_strndup(a, s, n);
}

static char *lower_ascii(Arena *a, const char *s, size_t n) {
        char *key = arena_alloc(a, n + 1);
        for (size_t i = 0; i < n; i++)
                key[i] = (char) (s[i] + (s[i] >= 'A' && s[i] <= 'Z' ? 'a' - 'A' : 0));
        return key;
}

/* Length of s; *ret_ascii tells whether all of it is ASCII. */
static size_t measure(const char *s, bool *ret_ascii) {
        size_t n = strlen(s);
        uint64_t seen = 0, word;
        size_t i = 0;

        for (; i + sizeof(word) <= n; i += sizeof(word)) {
                memcpy(&word, s + i, sizeof(word));
                seen |= word;
        }
        for (; i < n; i++)
                seen |= (unsigned char) s[i];
        *ret_ascii = (seen & UINT64_C(0x8080808080808080)) == 0;
        return n;
}

static bool below_combining(const char *s, size_t n) {
        for (size_t i = 0; i < n; i++)
                if ((unsigned char) s[i] >= 0xcc)        /* the first byte of U+0300 */
                        return false;
        return true;
}

char *text_nfc(Arena *a, const char *s) {
        size_t n = strlen(s);
        return below_combining(s, n) ? arena_strndup(a, s, n) : normalize(a, UNINORM_NFC, s, n);
}

/* In place; the string only gets shorter. */
static size_t strip_marks(char *s) {
        size_t n = strlen(s), to = 0;

        for (size_t i = 0; i < n;) {
                uint32_t code = 0;
                size_t k = MAX(utf8_next(s + i, n - i, &code), (size_t) 1);
                if (code < FIRST_COMBINING || code > LAST_STRIPPED) {
                        memmove(s + to, s + i, k);
                        to += k;
                }
                i += k;
        }
        s[to] = 0;
        return to;
}

/* ı is two bytes and i is one. */
static void replace_dotless(char *s) {
        char *to = s;

        for (; *s; s++)
                if ((unsigned char) s[0] == 0xc4 && (unsigned char) s[1] == 0xb1) {
                        *to++ = 'i';
                        s++;
                } else
                        *to++ = *s;
        *to = 0;
}

char *text_key(Arena *a, const char *s) {
        bool ascii;
        size_t n = measure(s, &ascii);

        /* Every row of an import comes through here, and most of them are ASCII. */
        if (ascii)
                return lower_ascii(a, s, n);

        char *key = normalize(a, UNINORM_NFD, s, n);
        n = strip_marks(key);
        if (!below_combining(key, n)) {
                key = normalize(a, UNINORM_NFC, key, n);
                n = strlen(key);
        }
        key = fold(a, NULL, key, n);
        replace_dotless(key);
        return key;
}

char *text_fold(Arena *a, const char *s) {
        bool ascii;
        size_t n = measure(s, &ascii);

        return ascii ? lower_ascii(a, s, n) : fold(a, UNINORM_NFC, s, n);
}

bool text_char_invisible(uint32_t c) {
        if (c < 0x7f)
                return c <= 0x20;
        return c == BRAILLE_BLANK || uc_is_property_default_ignorable_code_point(c) ||
               uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Z | UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cf |
                                                           UC_CATEGORY_MASK_Cs);
}

bool text_char_noncharacter(uint32_t c) {
        return (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);
}

static bool is_blank(uint32_t c, int kind) {
        if (c < 0x80)
                return c == ' ' || (kind == TEXT_FREE && (c == '\n' || c == '\t'));
        return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Zs);
}

/* A control character at an end is no blank: it is refused, never silently dropped. */
static void trim(const char **s, size_t *n, int kind) {
        uint32_t code;
        size_t k;

        while ((k = utf8_next(*s, *n, &code)) > 0 && is_blank(code, kind)) {
                *s += k;
                *n -= k;
        }
        while (*n > 0) {
                size_t at = *n - 1;
                while (at > 0 && ((unsigned char) (*s)[at] & 0xc0) == 0x80)
                        at--;
                utf8_next(*s + at, *n - at, &code);
                if (!is_blank(code, kind))
                        break;
                *n = at;
        }
}

static size_t count_characters(const char *s, size_t n) {
        size_t count = 0;
        for (size_t i = 0; i < n; i++)
                count += ((unsigned char) s[i] & 0xc0) != 0x80;
        return count;
}

static int check_utf8(const char *field, const char *s, size_t n, Problem *ret) {
        int64_t position = 1;

        for (size_t i = 0; i < n; position++) {
                size_t k = utf8_next(s + i, n - i, NULL);
                if (k == 0)
                        return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "invalid-utf8", field,
                                           "%s is not valid UTF-8: byte 0x%02x at character %" PRId64
                                           "; send the text as UTF-8", field, (unsigned char) s[i], position);
                i += k;
        }
        return 0;
}

static int refuse_long(const char *field, size_t length, int64_t max, Problem *ret) {
        return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "too-long", field,
                           "%s has %zu characters; at most %" PRId64 " are allowed", field, length, max);
}

static int check_character(const char *field, int kind, uint32_t c, int64_t position, Problem *ret) {
        const char *code, *what;

        if (c >= 0x20 && c < 0x7f)
                return 0;
        if (kind == TEXT_FREE && (c == '\n' || c == '\t'))
                return 0;
        if (c < 0xa0 || c == 0x2028 || c == 0x2029)
                code = "control-character", what = "a control character";
        else if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
                code = "bidi-control", what = "a bidirectional control";
        else if (text_char_noncharacter(c))
                code = "noncharacter", what = "a noncharacter";
        else
                return 0;
        return problem_set(ret, PROBLEM_INVALID_ARGUMENT, code, field,
                           "%s holds %s, U+%04X, at character %" PRId64 "; remove it", field, what, (unsigned) c,
                           position);
}

/* Of a valid text in NFC. */
static int check_characters(const char *field, int kind, const char *s, size_t n, Problem *ret) {
        int64_t position = 1;

        for (size_t i = 0; i < n; position++) {
                uint32_t code = 0;
                i += MAX(utf8_next(s + i, n - i, &code), (size_t) 1);
                int r = check_character(field, kind, code, position, ret);
                if (r != 0)
                        return r;
        }
        return 0;
}

static bool has_visible(const char *s, size_t n) {
        for (size_t i = 0; i < n;) {
                uint32_t code = 0;
                i += MAX(utf8_next(s + i, n - i, &code), (size_t) 1);
                if (!text_char_invisible(code))
                        return true;
        }
        return false;
}

static int check_length(const char *field, size_t length, int64_t min, int64_t max, Problem *ret) {
        if (max >= 0 && length > (uint64_t) max)
                return refuse_long(field, length, max, ret);
        if (min > 0 && length < (uint64_t) min)
                return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "too-short", field,
                                   length == 0 ? "%s is empty; at least %" PRId64 " characters are needed"
                                               : "%s is too short; at least %" PRId64 " characters are needed",
                                   field, min);
        return 0;
}

int text_check(Arena *a, const char *field, int kind, int64_t min, int64_t max, const char **text, Problem *ret) {
        bool ascii;
        const char *s = *text;
        size_t n = measure(s, &ascii), whole = n;
        int r;

        if (!ascii && (r = check_utf8(field, s, n, ret)) != 0)
                return r;
        trim(&s, &n, kind);
        if (!ascii && max >= 0) {
                size_t length = count_characters(s, n);
                if (length / NFC_SHRINKS_BY > (uint64_t) max)
                        return refuse_long(field, length, max, ret);
        }
        if (!ascii && !below_combining(s, n)) {
                s = normalize(a, UNINORM_NFC, s, n);
                n = strlen(s);
        } else if (n != whole)
                s = arena_strndup(a, s, n);

        if ((r = check_characters(field, kind, s, n, ret)) != 0 ||
            (r = check_length(field, ascii ? n : count_characters(s, n), min, max, ret)) != 0)
                return r;
        if (min > 0 && !has_visible(s, n))
                return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "nothing-visible", field,
                                   "%s holds no visible character among its %zu; give it one", field,
                                   count_characters(s, n));
        *text = s;
        return 0;
}

int text_check_field(Arena *a, const Field *field, const char **text, Problem *ret) {
        return text_check(a, field->name, TEXT_ONE_LINE, field->min, field->max, text, ret);
}

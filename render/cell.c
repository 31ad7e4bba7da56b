/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/text.h"
#include "common/time.h"
#include "render/cell.h"

static const char ellipsis[] = "\xe2\x80\xa6";

static bool needs_escape(uint32_t c) {
        return (c < 0x20 && c != '\t' && c != '\n') || c == 0xfffe || c == 0xffff;
}

static bool is_hex(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Would the underscore at s begin an escape in what is written? The byte behind the digits counts as an underscore
 * too when its character is going to be written as an escape. */
static bool looks_like_escape(const char *s, size_t n) {
        uint32_t c;

        if (n < 7 || s[1] != 'x' || !is_hex(s[2]) || !is_hex(s[3]) || !is_hex(s[4]) || !is_hex(s[5]))
                return false;
        return s[6] == '_' || (utf8_next(s + 6, n - 6, &c) > 0 && needs_escape(c));
}

static size_t units_of(uint32_t c) {
        return c > 0xffff ? 2 : 1;
}

size_t cell_fitting(const char *text, size_t n, size_t *ret_units) {
        size_t units = 0, fits = 0;

        if (n <= CELL_UNITS_MAX)
                return n;
        for (size_t i = 0; i < n;) {
                uint32_t c = 0;
                size_t k = MAX(utf8_next(text + i, n - i, &c), (size_t) 1);
                units += units_of(c);
                i += k;
                if (units <= CELL_UNITS_MAX - 1)
                        fits = i;
        }
        if (ret_units)
                *ret_units = units;
        return units <= CELL_UNITS_MAX ? n : fits;
}

bool cell_text(Buffer *b, const char *text, size_t n, size_t *ret_units) {
        size_t fits = cell_fitting(text, n, ret_units);

        for (size_t i = 0; i < fits;) {
                uint32_t c = 0;
                size_t k = MAX(utf8_next(text + i, fits - i, &c), (size_t) 1);
                if (needs_escape(c))
                        buffer_printf(b, "_x%04X_", c);
                else if (c == '_' && looks_like_escape(text + i, fits - i))
                        buffer_add_string(b, "_x005F_");
                else
                        buffer_add(b, text + i, k);
                i += k;
        }
        if (fits == n)
                return false;
        buffer_add_string(b, ellipsis);
        return true;
}

bool cell_number_is_text(const char *number, double *ret) {
        static const double exact = 9007199254740992.0;         /* 2^53 */
        bool whole = !strpbrk(number, ".eE");

        if (whole) {
                char *end;
                long long v = strtoll(number, &end, 10);
                *ret = (double) v;
                return v > (1LL << 53) || v < -(1LL << 53);      /* what does not fit was clamped far above that */
        }
        *ret = strtod(number, NULL);
        return !isfinite(*ret) || fabs(*ret) > exact;
}

bool cell_serial(Usec local, double *ret) {
        Usec first = civil_days(1900, 3, 1) * USEC_DAY, last = civil_days(10000, 1, 1) * USEC_DAY;

        if (local < first || local >= last)
                return false;
        Usec since = local - first;
        *ret = SERIAL_FIRST + (double) (since / USEC_DAY) + (double) (since % USEC_DAY) / (double) USEC_DAY;
        return true;
}

static int display_width(uint32_t c) {
        if ((c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200f) || (c >= 0xfe00 && c <= 0xfe0f))
                return 0;
        if ((c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
            (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
            (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd))
                return 2;
        return 1;
}

int cell_width(const char *text, size_t n) {
        int width = 0, widest = 0;

        for (size_t i = 0; i < n && width < CELL_WIDTH_MAX;) {
                uint32_t c = 0;
                i += MAX(utf8_next(text + i, n - i, &c), (size_t) 1);
                width = c == '\n' ? 0 : width + display_width(c);
                widest = MAX(widest, width);
        }
        return MIN(widest, (int) CELL_WIDTH_MAX);
}

/* As much of name as fits in units; what a sheet's name cannot hold becomes '_'. */
static void mend(Buffer *b, const char *name, size_t units) {
        size_t begin = b->size, n = strlen(name);

        for (size_t i = 0; i < n;) {
                uint32_t c = 0;
                size_t k = MAX(utf8_next(name + i, n - i, &c), (size_t) 1);
                if (units < units_of(c))
                        break;
                units -= units_of(c);
                bool wrong = c < 0x20 || c == 0x7f || needs_escape(c) || (c < 0x80 && strchr("[]:*?/\\", (int) c)) ||
                             (c == '\'' && i == 0);
                if (wrong)
                        buffer_add_char(b, '_');
                else
                        buffer_add(b, name + i, k);
                i += k;
        }
        if (b->size > begin && b->data[b->size - 1] == '\'')
                b->data[b->size - 1] = '_';
}

void cell_sheet_name(Buffer *b, const char *name, unsigned n) {
        Buffer mended = {};
        char number[16] = "";

        if (n > 1)
                snprintf(number, sizeof(number), " (%u)", n);
        mend(&mended, name, SHEET_NAME_UNITS_MAX - strlen(number));
        if (strspn(buffer_string(&mended), " ") == mended.size) {
                buffer_clear(&mended);
                buffer_add_string(&mended, "_");
        }
        /* Excel keeps this name to itself. */
        if (n <= 1 && strcasecmp(buffer_string(&mended), "History") == 0)
                buffer_add_char(&mended, '_');
        buffer_add_string(b, buffer_string(&mended));
        buffer_add_string(b, number);
        buffer_done(&mended);
}

bool cell_sheet_names_equal(const char *a, const char *b) {
        return strcasecmp(a, b) == 0;
}

char *cell_reference(uint32_t row, unsigned column, char ret[16]) {
        char letters[8], *p = letters + sizeof(letters) - 1;

        *p = 0;
        for (unsigned c = column + 1; c > 0; c = (c - 1) / 26)
                *--p = (char) ('A' + (c - 1) % 26);
        snprintf(ret, 16, "%s%u", p, row + 1);
        return ret;
}

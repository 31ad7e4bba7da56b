/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <wchar.h>

#include "client/ctl/fit.h"
#include "common/buffer.h"

enum {
        NAME_LONG = 32,                      /* more of a name is shown only where there is room */
        NAME_SHORT = 16,                     /* with less a name says little */
        WORD = 8, DATE = 11,                 /* "finishe…", "2026-12-01…" */
        LAST = 4,
};

static size_t over(const FitColumn *columns, size_t n, size_t gap, size_t width) {
        size_t all = n > 0 ? (n - 1) * gap : 0;

        for (size_t i = 0; i < n; i++)
                all += columns[i].width;
        return all > width ? all - width : 0;
}

/* The columns (names or the others) give a cell at a time, the widest first, until enough of them are gone or each has its floor. */
static void take(FitColumn *columns, size_t n, bool names, size_t word, size_t date, size_t *too_many) {
        while (*too_many > 0) {
                FitColumn *widest = NULL;
                for (size_t i = 0; i < n; i++) {
                        FitColumn *c = &columns[i];
                        size_t floor = MAX(c->is_time ? date : word, c->least);
                        if (c->is_name == names && c->width > floor && (!widest || c->width > widest->width))
                                widest = c;
                }
                if (!widest)
                        return;
                widest->width--;
                (*too_many)--;
        }
}

void fit_columns(FitColumn *columns, size_t n, size_t gap, size_t width) {
        size_t too_many = over(columns, n, gap, width);

        take(columns, n, true, NAME_LONG, 0, &too_many);
        take(columns, n, false, WORD, DATE, &too_many);
        take(columns, n, true, NAME_SHORT, 0, &too_many);
        take(columns, n, false, LAST, LAST, &too_many);
        take(columns, n, true, LAST, 0, &too_many);
}

/* Where the next character begins, and its cells. What is no character counts a cell for each byte, as a terminal would show it. */
static const char *step(const char *p, size_t *ret_cells) {
        mbstate_t state = {};
        wchar_t w;
        size_t k = mbrtowc(&w, p, strlen(p), &state);

        if (k == 0 || k > strlen(p)) {
                *ret_cells = 1;
                return p + 1;
        }
        int cells = wcwidth(w);
        *ret_cells = cells > 0 ? (size_t) cells : 0;
        return p + k;
}

size_t fit_width(const char *text) {
        size_t all = 0, cells;

        while (*text) {
                text = step(text, &cells);
                all += cells;
        }
        return all;
}

char *fit_cut(const char *text, size_t width) {
        static const char ellipsis[] = "…";
        size_t used = 0, cells;
        const char *p = text;
        Buffer b = {};

        if (fit_width(text) <= width)
                return NULL;
        while (*p) {
                const char *next = step(p, &cells);
                if (used + cells + 1 > width)
                        break;
                used += cells;
                p = next;
        }
        buffer_add(&b, text, (size_t) (p - text));
        buffer_add_string(&b, ellipsis);
        return buffer_take(&b);
}

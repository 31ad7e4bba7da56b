/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/text.h"
#include "common/time.h"
#include "render/words.h"

const Words *words_of(const char *language) {
        static const Words english = { "Data as of", "no rows", "no data", "yes", "no",
                                       "columns", "of", ',', '.' };
        static const Words german = { "Stand der Daten", "keine Einträge", "keine Daten", "ja", "nein",
                                      "Spalten", "von", '.', ',' };

        return language_is(language, "de") ? &german : &english;
}

void words_number(const Words *w, const char *number, Buffer *ret) {
        bool negative = *number == '-';
        const char *digits = number + negative;
        size_t n = strlen(digits);

        if (strspn(digits, "0123456789") != n || n < 5) {
                buffer_add_string(ret, number);
                return;
        }
        if (negative)
                buffer_add_char(ret, '-');
        for (size_t i = 0; i < n; i++) {
                if (i > 0 && (n - i) % 3 == 0)
                        buffer_add_char(ret, w->thousands);
                buffer_add_char(ret, digits[i]);
        }
}

static void put_time(Header *h, const Value *v, bool date, Buffer *ret) {
        char text[TIME_TEXT_SIZE];
        Usec t;

        if (!time_parse(v->text, &t)) {
                buffer_add(ret, v->text, v->size);
                return;
        }
        time_text(date ? t : header_local(h, t), text);
        text[10] = date ? 0 : ' ';
        text[19] = 0;
        buffer_add_string(ret, text);
}

void words_value(const Words *w, Header *h, size_t column, Value *v, Buffer *ret) {
        CellType type = h->columns[column].type;

        switch (v->kind) {
        case VALUE_NULL:
                return;
        case VALUE_FALSE:
        case VALUE_TRUE:
                buffer_add_string(ret, v->kind == VALUE_TRUE ? w->yes : w->no);
                return;
        case VALUE_NUMBER:
                words_number(w, v->text, ret);
                return;
        case VALUE_LIST:
                if (type == CELL_LIST)
                        value_join(v);
                break;
        case VALUE_TEXT:
                if (type == CELL_TIME || type == CELL_DATE) {
                        put_time(h, v, type == CELL_DATE, ret);
                        return;
                }
                break;
        case VALUE_RAW:
                break;
        }
        buffer_add(ret, v->text, v->size);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/id.h"
#include "common/random.h"

void hex_text(const uint8_t *bytes, size_t n, char *ret) {
        static const char digits[] = "0123456789abcdef";
        for (size_t i = 0; i < n; i++) {
                ret[2 * i] = digits[bytes[i] >> 4];
                ret[2 * i + 1] = digits[bytes[i] & 15];
        }
        ret[2 * n] = 0;
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

bool hex_parse(const char *s, size_t n, uint8_t *ret) {
        for (size_t i = 0; i < n / 2; i++) {
                int high = hex_digit(s[2 * i]), low = high < 0 ? -1 : hex_digit(s[2 * i + 1]);
                if (low < 0)
                        return false;
                ret[i] = (uint8_t) (high << 4 | low);
        }
        return n % 2 == 0;
}

Id id_new(void) {
        Id id;
        random_bytes(id.bytes, sizeof(id.bytes));
        return id;
}

char *id_text(Id id, char ret[ID_TEXT_SIZE]) {
        hex_text(id.bytes, sizeof(id.bytes), ret);
        return ret;
}

bool id_parse(const char *s, Id *ret) {
        Id id;

        /* A shorter one ends at its NUL, which is no digit. */
        if (!hex_parse(s, 2 * sizeof(id.bytes), id.bytes) || s[32])
                return false;
        *ret = id;
        return true;
}

bool id_is_prefix(const char *s) {
        size_t n = 0;
        for (; s[n]; n++)
                if (n >= 31 || hex_digit(s[n]) < 0)
                        return false;
        return n >= ID_PREFIX_MIN;
}

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

        for (size_t i = 0; i < sizeof(id.bytes); i++) {
                int high = hex_digit(s[2 * i]);
                if (high < 0)
                        return false;
                int low = hex_digit(s[2 * i + 1]);
                if (low < 0)
                        return false;
                id.bytes[i] = (uint8_t) (high << 4 | low);
        }
        if (s[32])
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

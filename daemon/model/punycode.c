/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/model/punycode.h"

enum { BASE = 36, T_MIN = 1, T_MAX = 26, SKEW = 38, DAMP = 700, FIRST_BIAS = 72, FIRST_CODE = 128 };

static uint32_t adapt(uint32_t delta, uint32_t handled, bool first) {
        uint32_t k = 0;

        delta = first ? delta / DAMP : delta / 2;
        delta += delta / handled;
        for (; delta > (BASE - T_MIN) * T_MAX / 2; k += BASE)
                delta /= BASE - T_MIN;
        return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

/* delta as a number of variable length, its digits a-z0-9. */
static void add_number(Buffer *b, uint32_t delta, uint32_t bias) {
        static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";

        for (uint32_t k = BASE;; k += BASE) {
                uint32_t t = k <= bias + T_MIN ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
                if (delta < t)
                        break;
                buffer_add_char(b, digits[t + (delta - t) % (BASE - t)]);
                delta = (delta - t) / (BASE - t);
        }
        buffer_add_char(b, digits[delta]);
}

static uint32_t least_from(const uint32_t *codes, size_t n, uint32_t from) {
        uint32_t least = UINT32_MAX;
        for (size_t i = 0; i < n; i++)
                if (codes[i] >= from && codes[i] < least)
                        least = codes[i];
        return least;
}

bool punycode_encode(const uint32_t *codes, size_t n, Buffer *b) {
        uint32_t code = FIRST_CODE, delta = 0, bias = FIRST_BIAS, handled = 0, basic;

        if (n > PUNYCODE_MAX)
                return false;
        for (size_t i = 0; i < n; i++)
                if (codes[i] > 0x10ffff)
                        return false;
        for (size_t i = 0; i < n; i++)
                if (codes[i] < FIRST_CODE) {
                        buffer_add_char(b, (char) codes[i]);
                        handled++;
                }
        if ((basic = handled) > 0)
                buffer_add_char(b, '-');

        /* With the limits above delta stays below 0x110000 * 1025 and cannot overflow. */
        while (handled < n) {
                uint32_t next = least_from(codes, n, code);
                delta += (next - code) * (handled + 1);
                code = next;
                for (size_t i = 0; i < n; i++) {
                        if (codes[i] < code)
                                delta++;
                        if (codes[i] != code)
                                continue;
                        add_number(b, delta, bias);
                        bias = adapt(delta, handled + 1, handled == basic);
                        delta = 0;
                        handled++;
                }
                delta++;
                code++;
        }
        return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "common/text.h"
#include "daemon/net/reply.h"

/* The code of a line, 0 if it has none. *ret_last: no line follows. *ret_text: where its text begins. */
static int line_code(const char *line, size_t n, bool *ret_last, size_t *ret_text) {
        if (n < 3 || line[0] < '2' || line[0] > '5' || line[1] < '0' || line[1] > '9' || line[2] < '0' || line[2] > '9' ||
            (n > 3 && line[3] != ' ' && line[3] != '-'))
                return 0;
        *ret_last = n == 3 || line[3] == ' ';
        *ret_text = MIN(n, (size_t) 4);
        return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

/* Bytes of the line at data without its end, SIZE_MAX if it is not whole. *ret_next: where the next one begins. */
static size_t line_length(const char *data, size_t n, size_t *ret_next) {
        const char *end = memchr(data, '\n', n);

        if (!end)
                return SIZE_MAX;
        size_t length = (size_t) (end - data);
        *ret_next = length + 1;
        return length > 0 && data[length - 1] == '\r' ? length - 1 : length;
}

static void read_enhanced(const char *text, size_t n, int code, char ret[REPLY_ENHANCED_SIZE]) {
        size_t k = 0;
        unsigned dots = 0;

        while (k < n && ((text[k] >= '0' && text[k] <= '9') || text[k] == '.'))
                dots += text[k++] == '.';
        if (dots != 2 || k > 9 || k < 5 || (k < n && text[k] != ' ') || text[0] - '0' != code / 100 || text[1] != '.' ||
            text[2] == '.' || text[k - 1] == '.')
                return;
        memcpy(ret, text, k);
        ret[k] = 0;
}

ssize_t reply_read(const char *data, size_t n, Reply *ret) {
        _cleanup_(buffer_done) Buffer text = {};
        size_t at = 0, next = 0;
        int code = 0;

        for (bool last = false; !last; at += next) {
                size_t length = line_length(data + at, n - at, &next), begin = 0;
                if (length == SIZE_MAX) {
                        bool part;
                        size_t have = MIN(n - at, (size_t) 4);
                        /* What begins wrong or does not end will not become right. */
                        return n > REPLY_SIZE_MAX || (have == 4 && line_code(data + at, have, &part, &begin) == 0) ? -EBADMSG : 0;
                }
                int this = line_code(data + at, length, &last, &begin);
                if (this == 0 || (code != 0 && this != code) || at + length > REPLY_SIZE_MAX)
                        return -EBADMSG;
                code = this;
                if (at == 0) {
                        ret->enhanced[0] = 0;
                        read_enhanced(data + begin, length - begin, code, ret->enhanced);
                }
                if (text.size > 0 && begin < length)
                        buffer_add_char(&text, ' ');
                if (text.size < 4 * REPLY_TEXT_SIZE)
                        text_escape_controls(&text, data + at + begin, MIN(length - begin, (size_t) REPLY_TEXT_SIZE));
        }
        ret->code = code;
        text_copy_cut(ret->text, sizeof(ret->text), buffer_string(&text));
        return (ssize_t) at;
}

static bool word_is(const char *s, size_t n, const char *word) {
        return n == strlen(word) && strncasecmp(s, word, n) == 0;
}

static void read_mechanisms(const char *s, size_t n, Capabilities *ret) {
        while (n > 0) {
                size_t k = 0;
                while (k < n && s[k] != ' ' && s[k] != '\t')
                        k++;
                ret->plain |= word_is(s, k, "PLAIN");
                ret->login |= word_is(s, k, "LOGIN");
                ret->xoauth2 |= word_is(s, k, "XOAUTH2");
                k += k < n;
                s += k;
                n -= k;
        }
}

static void read_capability(const char *s, size_t n, Capabilities *ret) {
        char number[24];
        size_t k = 0;

        while (k < n && s[k] != ' ' && s[k] != '=')
                k++;
        ret->pipelining |= word_is(s, n, "PIPELINING");
        ret->smtputf8 |= word_is(s, k, "SMTPUTF8");
        if (word_is(s, k, "AUTH") && k < n)
                read_mechanisms(s + k + 1, n - k - 1, ret);
        if (word_is(s, k, "SIZE")) {
                size_t length = n - MIN(n, k + 1);
                snprintf(number, sizeof(number), "%.*s", (int) MIN(length, sizeof(number)), length > 0 ? s + k + 1 : "");
                ret->has_size = true;
                if (!number_parse(number, INT64_MAX, &ret->size))
                        ret->size = 0;
        }
}

void capabilities_read(const char *data, size_t n, Capabilities *ret) {
        size_t next = 0;

        *ret = (Capabilities) {};
        for (size_t at = 0; at < n; at += next) {
                size_t length = line_length(data + at, n - at, &next);
                if (length == SIZE_MAX)
                        return;
                if (at > 0 && length > 4)                /* the first line is the server's name */
                        read_capability(data + at + 4, length - 4, ret);
        }
}

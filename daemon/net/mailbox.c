/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/text.h"
#include "daemon/model/address.h"
#include "daemon/model/unicode.h"
#include "daemon/net/mailbox.h"

enum { LOCAL_MAX = 64, ADDRESS_MAX = 254, ADDRESS_BYTES_MAX = 4 * ADDRESS_MAX };

static bool is_ascii(const char *s, size_t n) {
        for (size_t i = 0; i < n; i++)
                if ((unsigned char) s[i] >= 0x80)
                        return false;
        return true;
}

static int refuse(const char *field, const char *address, const char *why, Problem *problem) {
        char shown[81];

        text_copy_cut(shown, sizeof(shown), utf8_valid(address, strlen(address)) ? address : "(not UTF-8)");
        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-address", field, "mail cannot go to or from '%s': %s",
                           shown, why);
}

/* RFC 5321's Dot-string with UTF-8 (RFC 6531), or a quoted string. Nothing in either can end the path. */
static bool is_local_part(const char *s, size_t n) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.";
        bool quoted = n >= 2 && s[0] == '"' && s[n - 1] == '"';

        if (!quoted) {
                for (size_t i = 0; i < n; i++)
                        if ((unsigned char) s[i] < 0x80 && !strchr(plain, s[i]))
                                return false;
                return n > 0 && s[0] != '.' && s[n - 1] != '.' && !memmem(s, n, "..", 2);
        }
        for (size_t i = 1; i < n - 1; i++) {
                if (s[i] == '"' || (s[i] == '\\' && i + 1 == n - 1))
                        return false;
                if (s[i] == '\\')
                        i++;
        }
        return n > 2;
}

/* Letters, digits and hyphens in labels of 1..63; a dot is not asked for: localhost is one. */
static bool is_host_name(const char *s) {
        size_t label = 0;

        for (; *s; s++) {
                bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9');
                if (*s == '.' ? label == 0 || s[-1] == '-' : !letter && (*s != '-' || label == 0))
                        return false;
                label = *s == '.' ? 0 : label + 1;
                if (label > 63)
                        return false;
        }
        return label > 0 && s[-1] != '-';
}

static const char *check_characters(const char *s, size_t n) {
        for (size_t i = 0; i < n;) {
                uint32_t code = 0;
                size_t k = utf8_next(s + i, n - i, &code);
                if (k == 0)
                        return "it is not UTF-8";
                if (code < 0x20 || (code >= 0x7f && code < 0xa0) || text_char_invisible(code) || text_char_noncharacter(code))
                        return "it holds a blank, or a character that cannot be seen";
                if (code == '<' || code == '>')
                        return "it holds an angle bracket";
                i += k;
        }
        return NULL;
}

int mailbox_wire(Arena *a, const char *field, const char *address, const char **ret, Problem *problem) {
        size_t n = strlen(address);
        const char *at = strrchr(address, '@'), *why;

        if (n > ADDRESS_BYTES_MAX)
                return refuse(field, address, "it is too long", problem);
        if ((why = check_characters(address, n)))
                return refuse(field, address, why, problem);
        if (!at || !is_local_part(address, (size_t) (at - address)))
                return refuse(field, address, "it must be NAME@DOMAIN", problem);
        const char *domain = at + 1;
        if (!is_ascii(domain, strlen(domain)))
                domain = domain_key(a, domain);
        if (!domain || !is_host_name(domain))
                return refuse(field, address, "its domain is not a domain name", problem);
        if ((size_t) (at - address) > LOCAL_MAX || (size_t) (at - address) + 1 + strlen(domain) > ADDRESS_MAX)
                return refuse(field, address, "it is too long", problem);
        *ret = arena_printf(a, "%.*s@%s", (int) (at - address), address, domain);
        return 0;
}

bool mailbox_needs_smtputf8(const char *address) {
        const char *at = strrchr(address, '@');

        return !is_ascii(address, at ? (size_t) (at - address) : strlen(address));
}

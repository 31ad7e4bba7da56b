/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <strings.h>

#include "common/text.h"
#include "daemon/model/bounce.h"

enum { VALUE_MAX = 500, BOUNDARY_MAX = 200, ID_MAX = 250 };

/* A run of bytes of the notification, or of a part that was decoded. */
typedef struct Span {
        const char *p;
        size_t n;
} Span;

/* --- lines and headers ---------------------------------------------------------------------------------------- */

/* Takes the next line off the span, without its end. false at the end. */
static bool next_line(Span *s, Span *ret) {
        if (s->n == 0)
                return false;
        const char *end = memchr(s->p, '\n', s->n);
        size_t n = end ? (size_t) (end - s->p) : s->n, whole = end ? n + 1 : n;
        *ret = (Span) { s->p, n > 0 && s->p[n - 1] == '\r' ? n - 1 : n };
        s->p += whole;
        s->n -= whole;
        return true;
}

/* Takes the lines up to the first empty one off the span, and that line, too. */
static Span next_block(Span *s) {
        Span block = { s->p, 0 }, line;

        while (next_line(s, &line) && line.n > 0)
                block.n = (size_t) (line.p + line.n - block.p);
        return block;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static Span trim(Span s) {
        while (s.n > 0 && is_blank(*s.p))
                s.p++, s.n--;
        while (s.n > 0 && is_blank(s.p[s.n - 1]))
                s.n--;
        return s;
}

/* The value of the first field of that name in a block, with what is folded under it; n 0 if there is none. */
static Span field_of(Span block, const char *name) {
        Span line, value = {};
        size_t n = strlen(name);
        bool found = false;

        while (next_line(&block, &line)) {
                bool folded = line.n > 0 && (*line.p == ' ' || *line.p == '\t');
                if (found && !folded)
                        break;
                if (found)
                        value.n = (size_t) (line.p + line.n - value.p);
                else if (line.n > n && line.p[n] == ':' && strncasecmp(line.p, name, n) == 0) {
                        value = (Span) { line.p + n + 1, line.n - n - 1 };
                        found = true;
                }
        }
        return trim(value);
}

static bool span_is(Span s, const char *text) {
        return s.n == strlen(text) && strncasecmp(s.p, text, s.n) == 0;
}

/* A Content-Type up to its parameters. */
static Span type_of(Span value) {
        const char *end = value.n > 0 ? memchr(value.p, ';', value.n) : NULL;

        return trim((Span) { value.p, end ? (size_t) (end - value.p) : value.n });
}

/* Takes one "; name=value" off the span. false at the end. */
static bool next_parameter(Span *s, Span *ret_name, Span *ret_value) {
        const char *start = s->n > 0 ? memchr(s->p, ';', s->n) : NULL;
        bool quoted = false;
        size_t k = 0;

        if (!start)
                return false;
        Span rest = { start + 1, s->n - (size_t) (start + 1 - s->p) };
        while (k < rest.n && (quoted || rest.p[k] != ';')) {
                quoted ^= rest.p[k] == '"';
                k++;
        }
        *s = (Span) { rest.p + k, rest.n - k };
        const char *equals = k > 0 ? memchr(rest.p, '=', k) : NULL;
        size_t name = equals ? (size_t) (equals - rest.p) : k;
        *ret_name = trim((Span) { rest.p, name });
        *ret_value = trim((Span) { rest.p + name + (equals != NULL), k - name - (equals != NULL) });
        if (ret_value->n >= 2 && ret_value->p[0] == '"' && ret_value->p[ret_value->n - 1] == '"')
                *ret_value = (Span) { ret_value->p + 1, ret_value->n - 2 };
        return true;
}

static Span boundary_of(Span content_type) {
        Span name, value;

        while (next_parameter(&content_type, &name, &value))
                if (span_is(name, "boundary"))
                        return value;
        return (Span) {};
}

/* --- parts ---------------------------------------------------------------------------------------------------- */

/* Is the line this boundary? *ret_last: it is the closing one. */
static bool is_boundary(Span line, Span boundary, bool *ret_last) {
        if (line.n < boundary.n + 2 || line.p[0] != '-' || line.p[1] != '-' || memcmp(line.p + 2, boundary.p, boundary.n) != 0)
                return false;
        Span rest = trim((Span) { line.p + 2 + boundary.n, line.n - 2 - boundary.n });
        *ret_last = rest.n == 2 && memcmp(rest.p, "--", 2) == 0;
        return rest.n == 0 || *ret_last;
}

/* Takes what stands up to the next boundary off the span. false if no boundary follows, and at the closing one. */
static bool next_part(Span *s, Span boundary, Span *ret) {
        Span line;
        bool last = false;

        *ret = (Span) { s->p, 0 };
        while (next_line(s, &line)) {
                if (is_boundary(line, boundary, &last)) {
                        if (last)
                                s->n = 0;
                        return true;
                }
                ret->n = (size_t) (line.p + line.n - ret->p);
        }
        return ret->n > 0;                   /* a notification that was cut: its last part may still be enough */
}

static int digit_of(char c, int base) {
        static const char sixty_four[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        static const char sixteen[] = "0123456789ABCDEF";
        char upper = base == 16 && c >= 'a' && c <= 'f' ? (char) (c - 'a' + 'A') : c;
        const char *found = upper ? strchr(base == 16 ? sixteen : sixty_four, upper) : NULL;

        return found ? (int) (found - (base == 16 ? sixteen : sixty_four)) : -1;
}

static Span decode_base64(Arena *a, Span s) {
        char *to = arena_alloc(a, s.n / 4 * 3 + 4);
        size_t n = 0;
        uint32_t bits = 0;
        int have = 0;

        for (size_t i = 0; i < s.n && s.p[i] != '='; i++) {
                int digit = digit_of(s.p[i], 64);
                if (digit < 0)
                        continue;
                bits = bits << 6 | (uint32_t) digit;
                have += 6;
                if (have >= 8) {
                        have -= 8;
                        to[n++] = (char) (bits >> have & 0xff);
                }
        }
        return (Span) { to, n };
}

static Span decode_quoted(Arena *a, Span s) {
        char *to = arena_alloc(a, s.n + 1);
        size_t n = 0;

        for (size_t i = 0; i < s.n; i++) {
                int high = i + 2 < s.n ? digit_of(s.p[i + 1], 16) : -1, low = i + 2 < s.n ? digit_of(s.p[i + 2], 16) : -1;
                if (s.p[i] != '=')
                        to[n++] = s.p[i];
                else if (high >= 0 && low >= 0) {
                        to[n++] = (char) (high << 4 | low);
                        i += 2;
                } else {
                        /* A soft line end: it and the blanks before it go. */
                        size_t k = i + 1;
                        while (k < s.n && (s.p[k] == ' ' || s.p[k] == '\t' || s.p[k] == '\r'))
                                k++;
                        if (k < s.n && s.p[k] == '\n')
                                i = k;
                        else
                                to[n++] = s.p[i];
                }
        }
        return (Span) { to, n };
}

static Span decoded(Arena *a, Span head, Span body) {
        Span coding = field_of(head, "Content-Transfer-Encoding");

        return span_is(coding, "base64") ? decode_base64(a, body) : span_is(coding, "quoted-printable") ? decode_quoted(a, body) : body;
}

/* --- what it says --------------------------------------------------------------------------------------------- */

/* One line, printable, cut. */
static char *shown(Arena *a, Span s) {
        char cut[VALUE_MAX + 1];
        Buffer plain = {}, escaped = {};

        s = trim(s);
        for (size_t i = 0; i < s.n && plain.size <= VALUE_MAX; i++)
                if (!is_blank(s.p[i]))
                        buffer_add_char(&plain, s.p[i]);
                else if (plain.size > 0 && plain.data[plain.size - 1] != ' ')
                        buffer_add_char(&plain, ' ');
        text_escape_controls(&escaped, buffer_string(&plain), plain.size);
        text_copy_cut(cut, sizeof(cut), buffer_string(&escaped));
        buffer_done(&plain);
        buffer_done(&escaped);
        return arena_strdup(a, cut);
}

static char *first_word(Arena *a, Span s) {
        size_t n = 0;

        while (n < s.n && !is_blank(s.p[n]) && s.p[n] != '(' && s.p[n] != ';')
                n++;
        char *word = shown(a, (Span) { s.p, n });
        for (char *p = word; *p; p++)
                if (*p >= 'A' && *p <= 'Z')
                        *p = (char) (*p - 'A' + 'a');
        return word;
}

/* What stands after the type: "rfc822; ada@contoso.example". */
static Span untyped(Span s) {
        const char *semicolon = s.n > 0 ? memchr(s.p, ';', s.n) : NULL;

        return semicolon ? trim((Span) { semicolon + 1, s.n - (size_t) (semicolon + 1 - s.p) }) : s;
}

static char *address_of(Arena *a, Span field) {
        Span s = untyped(field);

        if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
                s = (Span) { s.p + 1, s.n - 2 };
        return shown(a, s);
}

/* Reads the groups of a message/delivery-status; those about a recipient count. */
static void read_status(Arena *a, Span s, Bounce *ret) {
        while (s.n > 0 && ret->n_recipients < BOUNCE_RECIPIENTS_MAX) {
                Span group = next_block(&s), final = field_of(group, "Final-Recipient"), action = field_of(group, "Action");
                if (final.n == 0 || action.n == 0)
                        continue;
                ret->recipients[ret->n_recipients++] = (BounceRecipient) {
                        .final = address_of(a, final),
                        .original = address_of(a, field_of(group, "Original-Recipient")),
                        .action = first_word(a, action),
                        .status = first_word(a, field_of(group, "Status")),
                        .diagnostic = shown(a, untyped(field_of(group, "Diagnostic-Code"))),
                };
        }
}

/* The Message-ID of the returned message, if it is one that could be ours. */
static const char *read_id(Arena *a, Span message) {
        Span id = field_of(next_block(&message), "Message-ID");

        if (id.n < 3 || id.n > ID_MAX + 2 || id.p[0] != '<' || id.p[id.n - 1] != '>')
                return "";
        for (size_t i = 1; i < id.n - 1; i++)
                if (id.p[i] <= ' ' || id.p[i] == '<' || id.p[i] == '>' || (unsigned char) id.p[i] >= 0x7f)
                        return "";
        return arena_strndup(a, id.p + 1, id.n - 2);
}

static void read_part(Arena *a, Span part, Bounce *ret) {
        Span head = next_block(&part), type = type_of(field_of(head, "Content-Type"));

        if ((span_is(type, "message/delivery-status") || span_is(type, "message/global-delivery-status")) && ret->n_recipients == 0)
                read_status(a, decoded(a, head, part), ret);
        else if ((span_is(type, "message/rfc822") || span_is(type, "text/rfc822-headers") || span_is(type, "message/global") ||
                  span_is(type, "message/global-headers")) && !*ret->message_id)
                ret->message_id = read_id(a, decoded(a, head, part));
}

int bounce_read(Arena *a, const char *data, size_t n, Bounce *ret, Problem *problem) {
        Bounce bounce = { .message_id = "", .recipients = arena_alloc(a, BOUNCE_RECIPIENTS_MAX * sizeof(BounceRecipient)) };
        Span s = { data, n }, part, rest = s, line;

        if (n > BOUNCE_BYTES_MAX)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "too-big", NULL,
                                   "a delivery status notification of %zu bytes; at most %d are read", n, BOUNCE_BYTES_MAX);
        if (next_line(&rest, &line) && line.n >= 5 && memcmp(line.p, "From ", 5) == 0)
                s = rest;                    /* out of an mbox */
        Span head = next_block(&s), content_type = field_of(head, "Content-Type"), boundary = boundary_of(content_type);
        if (span_is(type_of(content_type), "multipart/report") && boundary.n > 0 && boundary.n <= BOUNDARY_MAX) {
                bool more = next_part(&s, boundary, &part);     /* what stands before the first boundary is no part */
                while (more && s.n > 0 && (more = next_part(&s, boundary, &part)))
                        read_part(a, part, &bounce);
        }
        if (bounce.n_recipients == 0)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "no-bounce", NULL,
                                   "this is no delivery status notification (multipart/report with a message/delivery-status)");
        *ret = bounce;
        return 0;
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* Is 5.1.x somewhere in it, as a number of its own and not as part of, say, an address? */
static bool names_bad_address(const char *text) {
        for (const char *p = text; (p = strstr(p, "5.1.")); p++) {
                size_t k = strspn(p + 4, "0123456789");
                if (k >= 1 && k <= 3 && (p == text || (!is_digit(p[-1]) && p[-1] != '.')) && !(p[4 + k] == '.' && is_digit(p[5 + k])))
                        return true;
        }
        return false;
}

bool bounce_is_hard(const BounceRecipient *r) {
        return str_equal(r->action, "failed") && (names_bad_address(r->status) || names_bad_address(r->diagnostic));
}

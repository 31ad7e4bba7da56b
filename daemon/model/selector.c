/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <strings.h>
#include <unictype.h>

#include "common/text.h"
#include "daemon/model/selector.h"

typedef enum Token {
        TOKEN_END,
        TOKEN_WORD,
        TOKEN_STRING,
        TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA,
        TOKEN_EQ, TOKEN_NE, TOKEN_MATCH, TOKEN_LT, TOKEN_GT,
        TOKEN_AND, TOKEN_OR, TOKEN_NOT, TOKEN_IN,
} Token;

typedef struct Parser {
        Arena *arena;
        Problem *problem;
        const char *p, *end;                 /* what is still to be read */
        unsigned column;                     /* of *p, from 1 */

        Token token;                         /* the one ahead */
        const char *text;                    /* of a word or string */
        unsigned at;

        size_t n_terms, n_values, depth;
} Parser;

static int refuse(Parser *p, unsigned at, const char *text) {
        return problem_set(p->problem, PROBLEM_INVALID_ARGUMENT, "bad-selector", "selector", "at character %u: %s", at, text);
}

/* ---- words ---- */

static bool is_word_character(uint32_t c) {
        if (c < 0x80)
                return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       (c && strchr("._-@+:", (int) c));
        /* Many scripts write their letters with marks. */
        return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M | UC_CATEGORY_MASK_Nd);
}

static size_t peek(const Parser *p, uint32_t *ret) {
        return utf8_next(p->p, (size_t) (p->end - p->p), ret);
}

static void advance(Parser *p, size_t n) {
        p->p += n;
        p->column++;
}

static int read_string(Parser *p) {
        char *to;

        advance(p, 1);
        const char *close = p->p;
        while (close < p->end && *close != '"')
                close += *close == '\\' ? 2 : 1;
        p->text = to = arena_alloc(p->arena, (size_t) (MIN(close, p->end) - p->p) + 1);
        for (;;) {
                uint32_t c;
                size_t n = peek(p, &c);
                if (n == 0)
                        return refuse(p, p->at, "this string has no closing \"");
                if (c == '"') {
                        advance(p, 1);
                        break;
                }
                if (c == '\\') {
                        advance(p, 1);
                        if (p->p == p->end || (*p->p != '"' && *p->p != '\\'))
                                return refuse(p, p->column - 1, "\\ stands before \" or \\ only; write \\\\ for itself");
                        n = 1;
                }
                memcpy(to, p->p, n);
                to += n;
                advance(p, n);
        }
        p->token = TOKEN_STRING;
        return 0;
}

static void read_word(Parser *p) {
        static const struct {
                const char *word;
                Token token;
        } reserved[] = { { "and", TOKEN_AND }, { "or", TOKEN_OR }, { "not", TOKEN_NOT }, { "in", TOKEN_IN } };
        const char *start = p->p;
        uint32_t c;
        size_t n;

        while ((n = peek(p, &c)) > 0 && is_word_character(c))
                advance(p, n);
        p->text = arena_strndup(p->arena, start, (size_t) (p->p - start));
        p->token = TOKEN_WORD;
        for (size_t i = 0; i < ELEMENTSOF(reserved); i++)
                if (strcmp(p->text, reserved[i].word) == 0)
                        p->token = reserved[i].token;
}

/* Reads the next token into *p. */
static int next(Parser *p) {
        static const char singles[] = "(),=~<>";
        static const Token single_tokens[] = {
                TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA, TOKEN_EQ, TOKEN_MATCH, TOKEN_LT, TOKEN_GT,
        };
        uint32_t c;

        while (p->p < p->end && strchr(" \t\r\n", *p->p))
                advance(p, 1);
        p->at = p->column;
        p->text = NULL;
        p->token = TOKEN_END;
        if (p->p == p->end)
                return 0;
        (void) peek(p, &c);
        if (c == '"')
                return read_string(p);
        if (is_word_character(c)) {
                read_word(p);
                return 0;
        }
        if (c == '!' && p->end - p->p > 1 && p->p[1] == '=') {
                advance(p, 1);
                advance(p, 1);
                p->token = TOKEN_NE;
                return 0;
        }
        const char *found = c < 0x80 ? strchr(singles, (int) c) : NULL;
        if (!found)
                return refuse(p, p->at, arena_printf(p->arena, "%.*s (U+%04X) cannot stand here; a text with such characters is"
                                                               " written in \"double quotes\"", (int) peek(p, NULL), p->p, (unsigned) c));
        advance(p, 1);
        p->token = single_tokens[found - singles];
        return 0;
}

static int expected(Parser *p, const char *what) {
        const char *found = "the end";
        char shown[100];

        if (p->text) {
                text_copy_cut(shown, sizeof(shown), p->text);
                found = arena_printf(p->arena, "\"%s\"", shown);
        } else if (p->token != TOKEN_END) {
                static const char *const names[] = {
                        [TOKEN_OPEN] = "(", [TOKEN_CLOSE] = ")", [TOKEN_COMMA] = ",", [TOKEN_EQ] = "=", [TOKEN_NE] = "!=",
                        [TOKEN_MATCH] = "~", [TOKEN_LT] = "<", [TOKEN_GT] = ">",
                };
                found = names[p->token];
        }
        return refuse(p, p->at, arena_printf(p->arena, "expected %s, found %s", what, found));
}

/* ---- grammar ---- */

static Selector *node_new(Parser *p, SelectorKind kind) {
        Selector *s = arena_alloc(p->arena, sizeof(*s));
        s->kind = kind;
        return s;
}

static int parse_value(Parser *p, SelectorValue *ret) {
        if (p->token == TOKEN_AND || p->token == TOKEN_OR || p->token == TOKEN_NOT || p->token == TOKEN_IN)
                return refuse(p, p->at, arena_printf(p->arena, "%s is a reserved word: as a value write \"%s\"", p->text, p->text));
        if (p->token != TOKEN_WORD && p->token != TOKEN_STRING)
                return expected(p, "a value");
        if (p->n_values++ == SELECTOR_VALUES_MAX)
                return refuse(p, p->at, arena_printf(p->arena, "a selector has at most %d values", SELECTOR_VALUES_MAX));
        *ret = (SelectorValue) { .text = p->text, .at = p->at };
        return next(p);
}

/* The values of "in", from the opening parenthesis on. */
static int parse_list(Parser *p, Selector *term) {
        SelectorValue values[16], *all = values;
        size_t n = 0, room = ELEMENTSOF(values);
        int r;

        if (p->token != TOKEN_OPEN)
                return expected(p, "( and a list of values");
        do {
                if ((r = next(p)) != 0)
                        return r;
                if (n == room) {
                        SelectorValue *more = arena_alloc(p->arena, 2 * room * sizeof(*more));
                        memcpy(more, all, n * sizeof(*more));
                        all = more;
                        room *= 2;
                }
                if ((r = parse_value(p, &all[n])) != 0)
                        return r;
                n++;
        } while (p->token == TOKEN_COMMA);
        if (p->token != TOKEN_CLOSE)
                return expected(p, ", or )");
        term->values = arena_alloc(p->arena, n * sizeof(*all));
        memcpy(term->values, all, n * sizeof(*all));
        term->n_values = n;
        return next(p);
}

static int parse_term(Parser *p, Selector **ret) {
        int r;

        if (p->token != TOKEN_WORD && p->token != TOKEN_STRING) {
                if (p->token == TOKEN_IN)
                        return refuse(p, p->at, "in is a reserved word and needs a field before it");
                return expected(p, "a field, not, or (");
        }
        if (p->n_terms++ == SELECTOR_TERMS_MAX)
                return refuse(p, p->at, arena_printf(p->arena, "a selector has at most %d terms", SELECTOR_TERMS_MAX));
        Selector *term = node_new(p, SELECTOR_TERM);
        term->name = p->text;
        term->at = p->at;
        if ((r = next(p)) != 0)
                return r;

        switch (p->token) {
        case TOKEN_EQ: case TOKEN_IN: term->op = SELECTOR_EQ; break;
        case TOKEN_NE: term->op = SELECTOR_NE; break;
        case TOKEN_MATCH: term->op = SELECTOR_MATCH; break;
        case TOKEN_LT: term->op = SELECTOR_LT; break;
        case TOKEN_GT: term->op = SELECTOR_GT; break;
        default: return expected(p, "one of = != in ~ < >");
        }
        bool list = p->token == TOKEN_IN;
        if ((r = next(p)) != 0)
                return r;
        *ret = term;
        if (list)
                return parse_list(p, term);
        term->values = arena_alloc(p->arena, sizeof(*term->values));
        term->n_values = 1;
        return parse_value(p, term->values);
}

static int parse_chain(Parser *p, SelectorKind kind, Selector **ret);

static int parse_factor(Parser *p, Selector **ret) {
        int r;

        if (p->token != TOKEN_NOT && p->token != TOKEN_OPEN)
                return parse_term(p, ret);
        if (p->depth == SELECTOR_DEPTH_MAX)
                return refuse(p, p->at, arena_printf(p->arena, "parentheses and nots are nested at most %d deep", SELECTOR_DEPTH_MAX));
        p->depth++;
        if (p->token == TOKEN_NOT) {
                *ret = node_new(p, SELECTOR_NOT);
                if ((r = next(p)) != 0 || (r = parse_factor(p, &(*ret)->children)) != 0)
                        return r;
        } else {
                if ((r = next(p)) != 0 || (r = parse_chain(p, SELECTOR_OR, ret)) != 0)
                        return r;
                if (p->token != TOKEN_CLOSE)
                        return expected(p, "and, or, or )");
                if ((r = next(p)) != 0)
                        return r;
        }
        p->depth--;
        return 0;
}

/* "a or b or c", each of them "d and e and f". */
static int parse_chain(Parser *p, SelectorKind kind, Selector **ret) {
        Selector *first = NULL, **tail = &first;
        size_t n = 0;

        for (;;) {
                int r = kind == SELECTOR_OR ? parse_chain(p, SELECTOR_AND, tail) : parse_factor(p, tail);
                if (r != 0)
                        return r;
                n++;
                tail = &(*tail)->next;
                if (p->token != (kind == SELECTOR_OR ? TOKEN_OR : TOKEN_AND))
                        break;
                if ((r = next(p)) != 0)
                        return r;
        }
        if (n == 1) {
                *ret = first;
                return 0;
        }
        *ret = node_new(p, kind);
        (*ret)->children = first;
        return 0;
}

static int check_utf8(Parser *p) {
        unsigned column = 1;
        const char *s = p->p;

        for (; s < p->end; column++) {
                size_t n = utf8_next(s, (size_t) (p->end - s), NULL);
                if (n == 0)
                        return refuse(p, column, arena_printf(p->arena, "byte 0x%02x is no UTF-8", (unsigned char) *s));
                s += n;
        }
        return 0;
}

int selector_parse(Arena *a, const char *text, Selector **ret, Problem *problem) {
        size_t n = strlen(text);
        Parser p = { .arena = a, .problem = problem, .p = text, .end = text + n, .column = 1 };
        int r;

        if (n > SELECTOR_BYTES_MAX)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-selector", "selector",
                                   "the selector has %zu bytes; at most %d are allowed", n, SELECTOR_BYTES_MAX);
        if ((r = check_utf8(&p)) != 0 || (r = next(&p)) != 0)
                return r;
        if (p.token == TOKEN_END)
                return refuse(&p, 1, "the selector is empty; leave it out to select everything");
        if ((r = parse_chain(&p, SELECTOR_OR, ret)) != 0)
                return r;
        if (p.token == TOKEN_WORD && p.text[0] && strchr("aoAO", p.text[0]) &&
            (strcasecmp(p.text, "and") == 0 || strcasecmp(p.text, "or") == 0))
                return expected(&p, "and, or, or the end; and and or are written in lower case:");
        if (p.token != TOKEN_END)
                return expected(&p, "and, or, or the end");
        return 0;
}

int selector_read(Arena *a, const Dataset *d, const char *text, Selector **ret, Problem *problem) {
        int r = selector_parse(a, text, ret, problem);
        return r != 0 ? r : selector_check(a, d, *ret, problem);
}

void selector_quote(Buffer *b, const char *text) {
        buffer_add_char(b, '"');
        for (; *text; text++) {
                if (*text == '"' || *text == '\\')
                        buffer_add_char(b, '\\');
                buffer_add_char(b, *text);
        }
        buffer_add_char(b, '"');
}

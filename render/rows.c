/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "common/text.h"
#include "render/rows.h"

enum { CHUNK = 128 * 1024 };

struct Rows {
        int fd;
        char *data;
        size_t capacity, begin, end;         /* what has been read and not yet handed out: data[begin..end) */
        bool at_end;
        int64_t line;
        int64_t position;                    /* of the next line in the file, if it is one */
        char *start, *at, *stop;             /* the row, where it is read, and its end, where a NUL stands */
        char next;                           /* what stood at *at and was overwritten by a NUL; 0: nothing */
        bool first;                          /* no value has been read yet */
        bool objects, object;                /* rows may be objects; this one is */
        bool pending;                        /* the current line is a header that nobody has taken yet */
};

/* What a byte means inside a string. */
enum { IN_PLAIN, IN_MARK, IN_QUOTE, IN_ESCAPE, IN_CONTROL, IN_WIDE };

static uint8_t byte_class[256];

static void classes_init(void) {
        for (int c = 0; c < 256; c++)
                byte_class[c] = c < 0x20 ? IN_CONTROL : c >= 0x80 ? IN_WIDE : IN_PLAIN;
        byte_class['"'] = IN_QUOTE;
        byte_class['\\'] = IN_ESCAPE;
        byte_class['_'] = IN_MARK;
        byte_class[0x7f] = IN_PLAIN;
}

Rows *rows_new(int fd) {
        Rows *r = memory_new(sizeof(Rows));

        classes_init();
        r->fd = fd;
        r->position = MAX(lseek(fd, 0, SEEK_CUR), (off_t) 0);
        r->capacity = CHUNK;
        r->data = memory_grow(NULL, r->capacity + 1);
        return r;
}

void rows_free(Rows *r) {
        if (!r)
                return;
        free(r->data);
        free(r);
}

void rows_allow_objects(Rows *r, bool allow) {
        r->objects = allow;
}

int64_t rows_position(const Rows *r) {
        return r->position;
}

int rows_restart(Rows *r, int64_t position, int64_t line) {
        if (lseek(r->fd, position, SEEK_SET) < 0)
                return -errno;
        r->position = position;
        r->begin = r->end = 0;
        r->at_end = r->pending = false;
        r->line = line;
        return 0;
}

int64_t rows_line(const Rows *r) {
        return r->line;
}

static int bad(const Rows *r, const char *at, const char *what, Problem *problem) {
        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-input", NULL, "line %lld, byte %zu: %s",
                           (long long) r->line, (size_t) (at - r->start) + 1, what);
}

static int fill(Rows *r) {
        if (r->begin > 0 && r->capacity - r->end < CHUNK / 2) {
                memmove(r->data, r->data + r->begin, r->end - r->begin);
                r->end -= r->begin;
                r->begin = 0;
        }
        if (r->end == r->capacity) {
                r->capacity = MIN(r->capacity * 2, (size_t) ROW_MAX + CHUNK);
                r->data = memory_grow(r->data, r->capacity + 1);
        }
        for (;;) {
                ssize_t k = read(r->fd, r->data + r->end, r->capacity - r->end);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                r->at_end = k == 0;
                r->end += (size_t) k;
                return 0;
        }
}

int rows_next_line(Rows *r, char **ret, size_t *ret_size, Problem *problem) {
        size_t searched = 0;
        char *found;

        if (r->pending) {
                r->pending = false;
                *ret = r->start;
                *ret_size = (size_t) (r->stop - r->start);
                return 0;
        }
        r->line++;
        for (;;) {
                size_t there = r->end - r->begin;
                found = there > searched ? memchr(r->data + r->begin + searched, '\n', there - searched) : NULL;
                if (found || r->at_end)
                        break;
                searched = there;
                if (there > ROW_MAX)
                        return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "row-too-long", NULL,
                                           "line %lld is longer than %d bytes", (long long) r->line, ROW_MAX);
                int k = fill(r);
                if (k < 0)
                        return k;
        }

        char *line = r->data + r->begin;
        if (!found && r->begin == r->end) {
                *ret = NULL;
                return 0;
        }
        size_t n = found ? (size_t) (found - line) : r->end - r->begin;
        r->begin += n + (found != NULL);
        r->position += (int64_t) n + (found != NULL);
        line[n] = 0;
        r->start = line;
        r->stop = line + n;
        *ret = line;
        *ret_size = n;
        return 0;
}

static char *skip_blanks(char *p) {
        while (*p == ' ' || *p == '\t' || *p == '\r')
                p++;
        return p;
}

/* An object whose first key is "sheet" begins a section. */
static bool is_header(char *p) {
        return str_starts(skip_blanks(p + 1), "\"sheet\"");
}

int rows_next(Rows *r, bool *ret_more, Problem *problem) {
        char *line;
        size_t n;

        int k = rows_next_line(r, &line, &n, problem);
        if (k != 0)
                return k;
        *ret_more = line != NULL;
        if (!line)
                return 0;
        r->at = skip_blanks(line);
        bool header = *r->at == '{' && is_header(r->at);
        r->object = *r->at == '{' && r->objects && !header;
        if (header) {
                r->pending = true;
                *ret_more = false;
                return 0;
        }
        if (*r->at != '[' && !r->object)
                return bad(r, r->at, "a row is an array", problem);
        r->at++;
        r->next = 0;
        r->first = true;
        return 0;
}

static int hex4(const char *p) {
        int v = 0;
        for (int i = 0; i < 4; i++) {
                char c = p[i];
                int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
                if (d < 0)
                        return -1;
                v = v * 16 + d;
        }
        return v;
}

/* One escape at *p (the backslash), decoded to *out. Both are moved. NULL, or what is wrong with it. */
static const char *unescape(char **p, char **out) {
        static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
        char c = (*p)[1];
        const char *found = c ? strchr(names, c) : NULL;

        if (found) {
                *(*out)++ = values[found - names];
                *p += 2;
                return NULL;
        }
        int code = c == 'u' ? hex4(*p + 2) : -1;
        if (code < 0)
                return "no such escape";
        *p += 6;
        uint32_t full = (uint32_t) code;
        if (code >= 0xd800 && code <= 0xdfff) {
                int low = code <= 0xdbff && (*p)[0] == '\\' && (*p)[1] == 'u' ? hex4(*p + 2) : -1;
                if (low < 0xdc00 || low > 0xdfff)
                        return "half of a surrogate pair";
                full = 0x10000 + (((uint32_t) code - 0xd800) << 10) + ((uint32_t) low - 0xdc00);
                *p += 6;
        }
        *out += utf8_encode(full, *out);
        return NULL;
}

/* Decodes the string whose opening quote is at *at, in place. *at is left behind the closing quote. */
static const char *text_decode(char **at, Value *ret) {
        char *p = *at + 1, *start = p, *out = p;
        bool plain = true, moved = false;

        for (;;) {
                switch (byte_class[(unsigned char) *p]) {
                case IN_MARK:
                        plain = plain && p[1] != 'x';
                        /* fall through */
                case IN_PLAIN:
                        if (moved)
                                *out++ = *p++;
                        else
                                p++;
                        break;
                case IN_QUOTE:
                        *at = p + 1;
                        if (!moved)
                                out = p;
                        *out = 0;
                        *ret = (Value) { VALUE_TEXT, start, (size_t) (out - start), plain };
                        return NULL;
                case IN_ESCAPE: {
                        if (!moved)
                                out = p;
                        moved = true;
                        plain = false;
                        const char *wrong = unescape(&p, &out);
                        if (wrong)
                                return wrong;
                        break;
                }
                case IN_CONTROL:
                        return *p ? "a control character in a string" : "a string is not closed";
                default: {
                        size_t k = utf8_next(p, 4, NULL);      /* a NUL ends the line, so this reads no further */
                        if (k == 0)
                                return "invalid UTF-8";
                        if ((unsigned char) p[0] == 0xef && (unsigned char) p[1] == 0xbf)
                                plain = false;
                        if (moved)
                                memmove(out, p, k);
                        out += k;
                        p += k;
                }
                }
        }
}

/* As text_decode(), but only checks: the text stays as it is. */
static const char *text_skip(char **at) {
        char *p = *at + 1, spare[8], *out;

        for (;;) {
                unsigned char c = (unsigned char) *p;
                if (c == '"') {
                        *at = p + 1;
                        return NULL;
                }
                if (c < 0x20)
                        return c ? "a control character in a string" : "a string is not closed";
                if (c == '\\') {
                        out = spare;
                        const char *wrong = unescape(&p, &out);
                        if (wrong)
                                return wrong;
                        continue;
                }
                size_t k = utf8_next(p, 4, NULL);
                if (k == 0)
                        return "invalid UTF-8";
                p += k;
        }
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static const char *number_skip(char **at) {
        char *p = *at;

        if (*p == '-')
                p++;
        if (!is_digit(*p) || (*p == '0' && is_digit(p[1])))
                return "no number";
        while (is_digit(*p))
                p++;
        if (*p == '.') {
                if (!is_digit(*++p))
                        return "no number";
                while (is_digit(*p))
                        p++;
        }
        if (*p == 'e' || *p == 'E') {
                p++;
                if (*p == '+' || *p == '-')
                        p++;
                if (!is_digit(*p))
                        return "no number";
                while (is_digit(*p))
                        p++;
        }
        *at = p;
        return NULL;
}

static const char *word_skip(char **at, ValueKind *ret) {
        static const struct {
                const char *word;
                ValueKind kind;
        } words[] = { { "null", VALUE_NULL }, { "true", VALUE_TRUE }, { "false", VALUE_FALSE } };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (str_starts(*at, words[i].word)) {
                        *at += strlen(words[i].word);
                        *ret = words[i].kind;
                        return NULL;
                }
        return "no value";
}

static const char *any_skip(char **at, int depth);

/* An array or an object. *ret_texts tells whether all its members are strings. */
static const char *nest_skip(char **at, int depth, bool *ret_texts) {
        bool object = **at == '{';
        char close = object ? '}' : ']';
        char *p = skip_blanks(*at + 1);
        const char *wrong;

        *ret_texts = true;
        if (depth >= ROW_DEPTH_MAX)
                return "nested too deep";
        for (bool first = true; *p != close || !first; first = false) {
                if (object) {
                        if (*p != '"')
                                return "a key is a string";
                        if ((wrong = text_skip(&p)))
                                return wrong;
                        p = skip_blanks(p);
                        if (*p++ != ':')
                                return "':' is missing";
                        p = skip_blanks(p);
                }
                *ret_texts = *ret_texts && *p == '"';
                if ((wrong = any_skip(&p, depth + 1)))
                        return wrong;
                p = skip_blanks(p);
                if (*p == close)
                        break;
                if (*p != ',')
                        return "',' or a closing bracket is missing";
                p = skip_blanks(p + 1);
        }
        *at = p + 1;
        return NULL;
}

static const char *any_skip(char **at, int depth) {
        ValueKind kind;
        bool texts;

        switch (**at) {
        case '"':
                return text_skip(at);
        case '[':
        case '{':
                return nest_skip(at, depth, &texts);
        case '-':
        case '0' ... '9':
                return number_skip(at);
        default:
                return word_skip(at, &kind);
        }
}

static const char *value_parse(char **at, Value *ret) {
        char *start = *at;
        const char *wrong;
        bool texts;

        *ret = (Value) { .text = start };
        switch (*start) {
        case '"':
                return text_decode(at, ret);
        case '-':
        case '0' ... '9':
                ret->kind = VALUE_NUMBER;
                wrong = number_skip(at);
                break;
        case '[':
        case '{':
                wrong = nest_skip(at, 0, &texts);
                ret->kind = *start == '[' && texts ? VALUE_LIST : VALUE_RAW;
                break;
        default:
                wrong = word_skip(at, &ret->kind);
        }
        ret->size = (size_t) (*at - start);
        return wrong;
}

/* The byte at r->at, though a NUL may have been written over it to end the value before. */
static char *take_saved(Rows *r) {
        if (r->next)
                *r->at = r->next;
        r->next = 0;
        return skip_blanks(r->at);
}

/* Goes over the comma before a value. */
static int comma_skip(Rows *r, char **ret, Problem *problem) {
        char *p = take_saved(r), close = r->object ? '}' : ']';

        if (r->first && *p != close)
                r->first = false;
        else if (!r->first && *p == ',')
                p = skip_blanks(p + 1);
        else
                return bad(r, p, *p == close ? "the row has too few values" : "',' or a closing bracket is missing",
                           problem);
        *ret = p;
        return 0;
}

static int value_take(Rows *r, char *at, Value *ret, Problem *problem) {
        const char *wrong = value_parse(&at, ret);
        if (wrong)
                return bad(r, at, wrong, problem);
        r->at = at;
        if (ret->kind == VALUE_NUMBER || ret->kind >= VALUE_LIST) {
                r->next = *at;
                *at = 0;
        }
        return 0;
}

int rows_value(Rows *r, Value *ret, Problem *problem) {
        char *p;

        int k = comma_skip(r, &p, problem);
        return k != 0 ? k : value_take(r, p, ret, problem);
}

int rows_field(Rows *r, const char *name, Value *ret, Problem *problem) {
        const char *wrong = NULL;
        Value key;
        char *p;

        if (!r->object)
                return rows_value(r, ret, problem);
        int k = comma_skip(r, &p, problem);
        if (k != 0)
                return k;
        char *start = p;
        if (*p != '"')
                wrong = "a key is a string";
        else
                wrong = text_decode(&p, &key);
        if (!wrong && !str_equal(key.text, name))
                wrong = "another key was expected";
        if (wrong)
                return bad(r, start, wrong, problem);
        p = skip_blanks(p);
        if (*p != ':')
                return bad(r, p, "':' is missing", problem);
        return value_take(r, skip_blanks(p + 1), ret, problem);
}

int rows_end(Rows *r, Problem *problem) {
        char *p = take_saved(r);

        if (*p == ',')
                return bad(r, p, "the row has too many values", problem);
        if (*p != (r->object ? '}' : ']'))
                return bad(r, p, "',' or a closing bracket is missing", problem);
        p = skip_blanks(p + 1);
        if (p != r->stop)
                return bad(r, p, "something follows the row", problem);
        return 0;
}

void value_join(Value *v) {
        char *p = skip_blanks(v->text + 1), *out = v->text;
        bool plain = true, first = true;

        for (; *p == '"'; first = false) {
                Value member;
                (void) text_decode(&p, &member);
                if (!first) {
                        *out++ = ',';
                        *out++ = ' ';
                }
                memmove(out, member.text, member.size);
                out += member.size;
                plain = plain && member.plain;
                p = skip_blanks(p);
                if (*p == ',')
                        p = skip_blanks(p + 1);
        }
        *out = 0;
        *v = (Value) { VALUE_TEXT, v->text, (size_t) (out - v->text), plain };
}

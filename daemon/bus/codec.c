/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "common/names.h"
#include "common/time.h"
#include "daemon/bus/codec.h"

enum { KEYS_MAX = 200 };             /* of one dictionary: each is looked for among those before it */

int codec_read_strings(sd_bus_message *m, Arena *a, const char *const **ret, size_t *ret_n) {
        const char **items = NULL, *s;
        size_t n = 0, room = 0;

        int r = sd_bus_message_enter_container(m, 'a', "s");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read_basic(m, 's', &s)) > 0) {
                if (arena_size(a) > ARGUMENTS_MAX)
                        return -E2BIG;
                if (n + 1 >= room) {
                        const char **more = arena_alloc(a, (room = room ? room * 2 : 8) * sizeof(*more));
                        if (n > 0)
                                memcpy(more, items, n * sizeof(*more));
                        items = more;
                }
                items[n++] = arena_strdup(a, s);
        }
        if (r < 0)
                return r;
        *ret = items;
        *ret_n = n;
        r = sd_bus_message_exit_container(m);
        return MIN(r, 0);
}

static int check_key(const Dict *d, const char *key, const char *of, Problem *problem) {
        if (d->n == KEYS_MAX)
                return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-many-keys", of, "%s has more than %d keys", of ?: "a dictionary of the call", KEYS_MAX);
        if (!dict_find(d, key))
                return 0;
        return of ? problem_set(problem, PROBLEM_INVALID_ARGUMENT, "doubled-key", of, "a key inside %.60s is given twice", of)
                  : problem_set(problem, PROBLEM_INVALID_ARGUMENT, "doubled-key", key, "the key %.60s is given twice", key);
}

/* Of the key "of". */
static int read_map(sd_bus_message *m, Arena *a, const char *of, Dict *ret, Problem *problem) {
        const char *key, *value;
        int r = sd_bus_message_enter_container(m, 'a', "{ss}");

        *ret = (Dict) {};
        while (r >= 0 && (r = sd_bus_message_read(m, "{ss}", &key, &value)) > 0) {
                r = arena_size(a) > ARGUMENTS_MAX ? -E2BIG : check_key(ret, key, of, problem);
                if (r != 0)
                        return r;
                dict_add(a, ret, arena_strdup(a, key), (Value) { VALUE_STRING, .string = arena_strdup(a, value) });
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return MIN(r, 0);
}

static int read_maps(sd_bus_message *m, Arena *a, const char *of, Value *ret, Problem *problem) {
        Dict *maps = NULL;
        size_t n = 0, room = 0;
        int r = sd_bus_message_enter_container(m, 'a', "a{ss}");

        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                if (n == room) {
                        Dict *more = arena_alloc(a, (room = room ? room * 2 : 4) * sizeof(*more));
                        if (n > 0)
                                memcpy(more, maps, n * sizeof(*more));
                        maps = more;
                }
                r = arena_size(a) > ARGUMENTS_MAX ? -E2BIG : read_map(m, a, of, &maps[n++], problem);
                if (r != 0)
                        return r;
        }
        *ret = (Value) { VALUE_MAPS, .maps = { maps, n } };
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return MIN(r, 0);
}

static int read_number(sd_bus_message *m, char type, int64_t *ret, bool *ret_too_big) {
        union {
                uint8_t y;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
        } v = {};
        int r = sd_bus_message_read_basic(m, type, &v);

        switch (type) {
        case 'y':
                *ret = v.y;
                break;
        case 'n':
                *ret = v.n;
                break;
        case 'q':
                *ret = v.q;
                break;
        case 'i':
                *ret = v.i;
                break;
        case 'u':
                *ret = v.u;
                break;
        case 'x':
                *ret = v.x;
                break;
        default:
                *ret_too_big = v.t > INT64_MAX;
                *ret = (int64_t) MIN(v.t, (uint64_t) INT64_MAX);
        }
        return r;
}

static int refuse_type(const char *key, const char *signature, Problem *problem) {
        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "wrong-type", key, "%.60s has the type %.40s, which no key has", key, signature);
}

/* The inside of a variant. */
static int read_value(sd_bus_message *m, Arena *a, const char *key, const char *signature, Value *ret, Problem *problem) {
        bool too_big = false;
        int r;

        if (strlen(signature) == 1 && strchr("ynqiuxt", *signature)) {
                *ret = (Value) { VALUE_INT };
                r = read_number(m, *signature, &ret->integer, &too_big);
        } else if (strlen(signature) == 1 && strchr("sog", *signature)) {
                const char *s = NULL;
                r = sd_bus_message_read_basic(m, *signature, &s);
                *ret = (Value) { VALUE_STRING, .string = arena_strdup(a, s) };
        } else if (str_equal(signature, "b")) {
                int b = 0;
                r = sd_bus_message_read_basic(m, 'b', &b);
                *ret = (Value) { VALUE_BOOL, .boolean = b };
        } else if (str_equal(signature, "d")) {
                *ret = (Value) { VALUE_DOUBLE };
                r = sd_bus_message_read_basic(m, 'd', &ret->number);
        } else if (str_equal(signature, "as")) {
                const char *const *items = NULL;
                size_t n = 0;
                r = codec_read_strings(m, a, &items, &n);
                *ret = (Value) { VALUE_STRINGS, .strings = { (const char **) items, n } };
        } else if (str_equal(signature, "a{ss}")) {
                Dict *map = arena_alloc(a, sizeof(*map));
                r = read_map(m, a, key, map, problem);
                *ret = (Value) { VALUE_MAP, .map = map };
        } else if (str_equal(signature, "aa{ss}")) {
                r = read_maps(m, a, key, ret, problem);
        } else if (str_equal(signature, "h")) {
                int fd = -1;
                r = sd_bus_message_read_basic(m, 'h', &fd);
                if (r > 0 && (fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
                        return -errno;
                *ret = (Value) { VALUE_FD, .fd = fd };
        } else {
                return refuse_type(key, signature, problem);
        }
        if (r < 0 || problem->kind)
                return r;
        if (too_big)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "out-of-range", key, "%.60s is above 9223372036854775807", key);
        return 0;
}

int codec_read_dict(sd_bus_message *m, Arena *a, Dict *ret, Problem *problem) {
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *key = NULL, *signature = NULL;
                Value v = {};

                r = sd_bus_message_read_basic(m, 's', &key);
                if (r >= 0)
                        r = sd_bus_message_peek_type(m, NULL, &signature);
                if (r < 0)
                        return r;
                r = arena_size(a) > ARGUMENTS_MAX ? -E2BIG : check_key(ret, key, NULL, problem);
                if (r != 0)
                        return r;
                r = sd_bus_message_enter_container(m, 'v', signature);
                if (r < 0)
                        return r;
                r = read_value(m, a, arena_strdup(a, key), arena_strdup(a, signature), &v, problem);
                if (r != 0)
                        return r;
                dict_add(a, ret, arena_strdup(a, key), v);
                r = sd_bus_message_exit_container(m);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m) < 0 ? -EBADMSG : 0;
}

static int weigh(sd_bus_message *m, size_t max, size_t *sum);

static int weigh_container(sd_bus_message *m, char type, const char *contents, size_t max, size_t *sum) {
        const void *items;
        size_t size = 0;
        int r;

        if (type == 'a' && strlen(contents) == 1 && strchr("ynqiuxtd", *contents)) {
                r = sd_bus_message_read_array(m, *contents, &items, &size);
                *sum += size;
                return r;
        }
        r = sd_bus_message_enter_container(m, type, contents);
        if (r >= 0)
                r = weigh(m, max, sum);
        return r < 0 || *sum > max ? r : sd_bus_message_exit_container(m);
}

static int weigh(sd_bus_message *m, size_t max, size_t *sum) {
        enum { ITEM = 16 };                  /* besides its text */
        const char *contents, *text;
        char type;
        int r = 0;

        while (*sum <= max && (r = sd_bus_message_peek_type(m, &type, &contents)) > 0) {
                *sum += ITEM;
                if (strchr("avre", type)) {
                        r = weigh_container(m, type, contents, max, sum);
                } else if (strchr("sog", type)) {
                        r = sd_bus_message_read_basic(m, type, &text);
                        *sum += r > 0 ? strlen(text) : 0;
                } else {
                        r = sd_bus_message_skip(m, (const char[]) { type, 0 });
                }
                if (r < 0)
                        return r;
        }
        return *sum > max ? 0 : r;
}

size_t codec_weigh(sd_bus_message *m, size_t max) {
        size_t sum = 0;

        int r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = weigh(m, max, &sum);
        (void) sd_bus_message_rewind(m, true);
        return r < 0 ? max : sum;
}

int codec_refuse_size(Problem *problem) {
        return problem_set(problem, PROBLEM_LIMIT_EXCEEDED, "too-big", NULL, "the arguments have more than %d bytes", ARGUMENTS_MAX);
}

/* ---- out ---- */

/* The JSON read here is our own, compact and right; it is walked once, without a tree: a tree costs more than the whole
 * rest of a Get. Its strings are read where they stand, so that it is used up. p stands on a value; what these return is behind it. */

static char *skip_string(char *p) {
        for (p++; *p != '"'; p++)
                if (*p == '\\')
                        p++;
        return p + 1;
}

static char *skip_value(char *p) {
        int depth = 0;
        do {
                if (*p == '"') {
                        p = skip_string(p);
                        continue;
                }
                if (*p == '{' || *p == '[')
                        depth++;
                else if (*p == '}' || *p == ']')
                        depth--;
                p++;
                while (depth == 0 && *p && *p != ',' && *p != '}' && *p != ']' && *p != ':')
                        p++;
        } while (depth > 0);
        return p;
}

static unsigned hex4(const char *p) {
        unsigned v = 0;
        for (int i = 0; i < 4; i++)
                v = v << 4 | (unsigned) (p[i] <= '9' ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
        return v;
}

/* *ret: the text of a string, which is never longer than the string was. */
static char *take_string(char *p, const char **ret) {
        char *to = ++p;

        *ret = to;
        while (*p != '"')
                if (*p != '\\') {
                        *to++ = *p++;
                } else if (p[1] == 'u') {
                        /* Only control characters are written like this. */
                        *to++ = (char) hex4(p + 2);
                        p += 6;
                } else {
                        *to++ = p[1] == 'n' ? '\n' : p[1] == 't' ? '\t' : p[1];
                        p += 2;
                }
        *to = 0;
        return p + 1;
}

/* A value of a basic type in a variant. sd_bus_message_append() would read the types once more: half the time of a long reply. */
static int append_variant(sd_bus_message *m, const char *type, const void *value) {
        int r = sd_bus_message_open_container(m, 'v', type);
        if (r >= 0)
                r = sd_bus_message_append_basic(m, *type, value);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_map(sd_bus_message *m, char **p) {
        const char *key, *text;
        int r = sd_bus_message_open_container(m, 'a', "{ss}");

        for ((*p)++; r >= 0 && **p != '}';) {
                *p = take_string(*p, &key) + 1;
                if (**p == '"') {
                        *p = take_string(*p, &text);
                        r = sd_bus_message_append(m, "{ss}", key, text);
                } else {
                        *p = skip_value(*p);
                }
                if (**p == ',')
                        (*p)++;
        }
        (*p)++;
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_array(sd_bus_message *m, char **p, bool maps) {
        const char *text;
        int r = sd_bus_message_open_container(m, 'v', maps ? "aa{ss}" : "as");

        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', maps ? "a{ss}" : "s");
        for ((*p)++; r >= 0 && **p != ']';) {
                if (maps && **p == '{') {
                        r = append_map(m, p);
                } else if (!maps && **p == '"') {
                        *p = take_string(*p, &text);
                        r = sd_bus_message_append_basic(m, 's', text);
                } else {
                        *p = skip_value(*p);
                }
                if (**p == ',')
                        (*p)++;
        }
        (*p)++;
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_text_value(sd_bus_message *m, const Column *column, char **p) {
        const char *text;
        Usec t;

        *p = take_string(*p, &text);
        if (column && column->type == COLUMN_TIME && time_parse(text, &t))
                return append_variant(m, "t", &t);
        return append_variant(m, "s", text);
}

static int append_map_value(sd_bus_message *m, char **p) {
        int r = sd_bus_message_open_container(m, 'v', "a{ss}");
        if (r >= 0)
                r = append_map(m, p);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* An object as its JSON. */
static int append_raw_value(sd_bus_message *m, char **p) {
        char *begin = *p, *end = skip_value(begin), behind = *end;

        *end = 0;
        int r = append_variant(m, "s", begin);
        *end = behind;
        *p = end;
        return r;
}

/* *p is moved behind the value. */
static int append_value(sd_bus_message *m, const Column *column, char **p) {
        const char *begin = *p;

        switch (*begin) {
        case '"':
                return append_text_value(m, column, p);
        case '[':
                return append_array(m, p, column && column->type == COLUMN_JSON);
        case '{':
                return column && str_equal(column->name, "custom") ? append_map_value(m, p) : append_raw_value(m, p);
        default:
                *p = skip_value(*p);
                if (*begin == 't' || *begin == 'f')
                        return append_variant(m, "b", &(int) { *begin == 't' });
                return append_variant(m, "t", &(uint64_t) { (uint64_t) strtoll(begin, NULL, 10) });
        }
}

/* The key at p and its column (NULL: it has none); returns what is behind the colon. Objects come with the columns of their dataset
 * in order, so the next one is where to look first. */
static char *take_key(char *p, const Dataset *d, const Column **next, const char **ret_key, const Column **ret) {
        /* The partner is in no list: of its keys this one has no type of its own in JSON. */
        static const Column contacts = { .name = "contacts", .type = COLUMN_JSON };
        const char *name = *next ? (*next)->name : NULL;
        size_t n = 0;

        while (name && name[n] && name[n] == p[n + 1])
                n++;
        if (name && !name[n] && p[n + 1] == '"') {
                *ret_key = name;
                *ret = (*next)++;
                return p + n + strlen("\"\":");
        }
        p = take_string(p, ret_key);
        *ret = d ? dataset_column(d, *ret_key) : strcmp(*ret_key, contacts.name) == 0 ? &contacts : NULL;
        return p + 1;
}

int codec_append_object(sd_bus_message *m, const Dataset *d, char *json, size_t n) {
        const Column *next = d ? d->columns : NULL;
        char *p = json;

        if (n < 2 || *p != '{')
                return -EBADMSG;
        int r = sd_bus_message_open_container(m, 'a', "{sv}");
        for (p++; r >= 0 && *p != '}';) {
                const Column *column;
                const char *name;
                p = take_key(p, d, &next, &name, &column);
                /* What is unset is left out. */
                if (*p == 'n') {
                        p = skip_value(p);
                } else {
                        r = sd_bus_message_open_container(m, 'e', "sv");
                        if (r >= 0)
                                r = sd_bus_message_append_basic(m, 's', name);
                        if (r >= 0)
                                r = append_value(m, column, &p);
                        if (r >= 0)
                                r = sd_bus_message_close_container(m);
                }
                if (*p == ',')
                        p++;
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int codec_error(sd_bus_message *call, const Problem *p, sd_bus_message **ret) {
        Buffer name = {}, text = {};

        buffer_printf(&name, "%s%s", BUS_ERROR_PREFIX, problem_kind_name(p->kind) ?: "Failed");
        buffer_printf(&text, "%s: %s", p->code, p->text);
        if (*p->field)
                buffer_printf(&text, "\nfield: %s", p->field);
        for (size_t i = 0; i < p->n_candidates; i++)
                buffer_printf(&text, "%s%s", i == 0 ? "\ncandidates: " : "\t", p->candidates[i]);
        const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(buffer_string(&name), buffer_string(&text));
        int r = sd_bus_message_new_method_error(call, ret, &error);
        buffer_done(&name);
        buffer_done(&text);
        return r;
}

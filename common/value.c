/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "common/json.h"
#include "common/nearest.h"
#include "common/value.h"

const Value *dict_find(const Dict *d, const char *key) {
        for (size_t i = 0; i < d->n; i++)
                if (strcmp(d->entries[i].key, key) == 0)
                        return &d->entries[i].value;
        return NULL;
}

void dict_add(Arena *a, Dict *d, const char *key, Value value) {
        /* Capacity is the next power of two of n: grown exactly when n is one. */
        if ((d->n & (d->n - 1)) == 0) {
                DictEntry *more = arena_alloc(a, MAX(d->n * 2, (size_t) 1) * sizeof(*more));
                if (d->n > 0)
                        memcpy(more, d->entries, d->n * sizeof(*more));
                d->entries = more;
        }
        d->entries[d->n++] = (DictEntry) { .key = key, .value = value };
}

void dict_close_fds(Dict *d) {
        for (size_t i = 0; i < d->n; i++)
                if (d->entries[i].value.type == VALUE_FD && d->entries[i].value.fd >= 0) {
                        close(d->entries[i].value.fd);
                        d->entries[i].value.fd = -1;
                }
}

const char *value_type_name(ValueType type) {
        static const char *const names[] = {
                [VALUE_STRING] = "a string (s)",       [VALUE_BOOL] = "a boolean (b)",
                [VALUE_INT] = "a whole number (t)",    [VALUE_DOUBLE] = "a number (d)",
                [VALUE_STRINGS] = "a list (as)",       [VALUE_MAP] = "pairs of strings (a{ss})",
                [VALUE_MAPS] = "a list of pairs of strings (aa{ss})", [VALUE_FD] = "a file descriptor (h)",
        };
        return names[type];
}

int value_type_refuse(const char *key, const Value *got, ValueType wanted, Problem *problem) {
        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "wrong-type", key, "%s must be %s, not %s", key,
                           value_type_name(wanted), value_type_name(got->type));
}

int dict_string(const Dict *d, const char *key, const char **ret, Problem *problem) {
        const Value *v = dict_find(d, key);
        if (!v)
                return 0;
        if (v->type != VALUE_STRING)
                return value_type_refuse(key, v, VALUE_STRING, problem);
        *ret = v->string;
        return 0;
}

int dict_bool(const Dict *d, const char *key, bool *ret, Problem *problem) {
        const Value *v = dict_find(d, key);
        if (!v)
                return 0;
        if (v->type != VALUE_BOOL)
                return value_type_refuse(key, v, VALUE_BOOL, problem);
        *ret = v->boolean;
        return 0;
}

int dict_int(const Dict *d, const char *key, int64_t min, int64_t max, int64_t *ret, Problem *problem) {
        const Value *v = dict_find(d, key);
        if (!v)
                return 0;
        if (v->type != VALUE_INT)
                return value_type_refuse(key, v, VALUE_INT, problem);
        if (v->integer < min || v->integer > max)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "out-of-range", key,
                                   "%s is %lld, but must be %lld to %lld", key, (long long) v->integer,
                                   (long long) min, (long long) max);
        *ret = v->integer;
        return 0;
}

int dict_word(const Dict *d, const char *key, const char *const *words, const char **ret, Problem *problem) {
        int r = dict_string(d, key, ret, problem);
        if (r != 0)
                return r;
        int i = *ret ? names_find(words, *ret) : -1;
        if (i >= 0) {
                *ret = words[i];
                return 0;
        }
        Buffer list = {};
        names_join(&list, words);
        problem_set(problem, PROBLEM_INVALID_ARGUMENT, *ret ? "unknown-word" : "missing", key, "%s %s%s%s must be %s", key, *ret ? "is \"" : "is missing:",
                    *ret ? *ret : "", *ret ? "\", but" : " it", buffer_string(&list));
        buffer_done(&list);
        return 1;
}

int dict_strings(const Dict *d, const char *key, const char *const **ret, size_t *ret_n, Problem *problem) {
        const Value *v = dict_find(d, key);
        if (!v)
                return 0;
        if (v->type != VALUE_STRINGS)
                return value_type_refuse(key, v, VALUE_STRINGS, problem);
        *ret = v->strings.items;
        *ret_n = v->strings.n;
        return 0;
}

int dict_check_keys(const Dict *d, const char *what, const char *const *names, Problem *problem) {
        for (size_t i = 0; i < d->n; i++) {
                const char *key = d->entries[i].key;
                if (names_find(names, key) >= 0)
                        continue;
                const char *near = nearest_name(names, key);
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "unknown-key", key, "%s has no key %.60s%s%s%s", what,
                                   key, near ? " (did you mean " : "", near ?: "", near ? "?)" : "");
        }
        return 0;
}

static int entry_compare(const void *a, const void *b) {
        return strcmp((*(const DictEntry *const *) a)->key, (*(const DictEntry *const *) b)->key);
}

static void value_write_json(Buffer *b, const Value *v) {
        switch (v->type) {
        case VALUE_STRING:
                json_put_string(b, v->string);
                break;
        case VALUE_BOOL:
                json_put_bool(b, v->boolean);
                break;
        case VALUE_INT:
                json_put_int(b, v->integer);
                break;
        case VALUE_DOUBLE: {
                char text[40];
                snprintf(text, sizeof(text), "%.17g", v->number);
                json_put_string(b, text);
                break;
        }
        case VALUE_STRINGS:
                json_put_array_begin(b);
                for (size_t i = 0; i < v->strings.n; i++)
                        json_put_string(b, v->strings.items[i]);
                json_put_array_end(b);
                break;
        case VALUE_MAP:
                dict_write_json(b, v->map);
                break;
        case VALUE_MAPS:
                json_put_array_begin(b);
                for (size_t i = 0; i < v->maps.n; i++)
                        dict_write_json(b, &v->maps.items[i]);
                json_put_array_end(b);
                break;
        case VALUE_FD:
                /* Files are kept apart; in the arguments stands only that there was one. */
                json_put_string(b, "(file)");
                break;
        }
}

void dict_write_json(Buffer *b, const Dict *d) {
        const DictEntry **sorted = memory_new((d->n + 1) * sizeof(*sorted));

        for (size_t i = 0; i < d->n; i++)
                sorted[i] = &d->entries[i];
        qsort(sorted, d->n, sizeof(*sorted), entry_compare);
        json_put_object_begin(b);
        for (size_t i = 0; i < d->n; i++) {
                json_put_string(b, sorted[i]->key);
                buffer_add_char(b, ':');
                value_write_json(b, &sorted[i]->value);
        }
        json_put_object_end(b);
        free(sorted);
}

static int map_read(Arena *a, const json_t *object, Dict *ret) {
        const char *key;
        json_t *item;

        json_object_foreach((json_t *) object, key, item) {
                if (!json_is_string(item))
                        return -EBADMSG;
                dict_add(a, ret, arena_strdup(a, key),
                         (Value) { VALUE_STRING, .string = arena_strdup(a, json_string_value(item)) });
        }
        return 0;
}

static int array_read(Arena *a, const json_t *array, Value *ret) {
        size_t n = json_array_size(array);

        if (n > 0 && json_is_object(json_array_get(array, 0))) {
                Dict *maps = arena_alloc(a, n * sizeof(*maps));
                for (size_t i = 0; i < n; i++)
                        if (!json_is_object(json_array_get(array, i)) || map_read(a, json_array_get(array, i), &maps[i]) < 0)
                                return -EBADMSG;
                *ret = (Value) { VALUE_MAPS, .maps = { maps, n } };
                return 0;
        }
        const char **items = arena_alloc(a, (n + 1) * sizeof(*items));
        for (size_t i = 0; i < n; i++) {
                if (!json_is_string(json_array_get(array, i)))
                        return -EBADMSG;
                items[i] = arena_strdup(a, json_string_value(json_array_get(array, i)));
        }
        *ret = (Value) { VALUE_STRINGS, .strings = { items, n } };
        return 0;
}

static int value_read(Arena *a, const json_t *item, Value *ret) {
        switch (json_typeof(item)) {
        case JSON_STRING:
                *ret = (Value) { VALUE_STRING, .string = arena_strdup(a, json_string_value(item)) };
                return 0;
        case JSON_TRUE:
        case JSON_FALSE:
                *ret = (Value) { VALUE_BOOL, .boolean = json_is_true(item) };
                return 0;
        case JSON_INTEGER:
                *ret = (Value) { VALUE_INT, .integer = json_integer_value(item) };
                return 0;
        case JSON_ARRAY:
                return array_read(a, item, ret);
        case JSON_OBJECT: {
                Dict *map = arena_alloc(a, sizeof(*map));
                *ret = (Value) { VALUE_MAP, .map = map };
                return map_read(a, item, map);
        }
        default:
                return -EBADMSG;
        }
}

int dict_read_json(Arena *a, const char *json, size_t n, Dict *ret) {
        json_t *root = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL);
        Dict d = {};
        int r = 0;

        if (!json_is_object(root)) {
                json_decref(root);
                return -EBADMSG;
        }
        const char *key;
        json_t *item;
        json_object_foreach(root, key, item) {
                Value v;
                r = value_read(a, item, &v);
                if (r < 0)
                        break;
                dict_add(a, &d, arena_strdup(a, key), v);
        }
        json_decref(root);
        if (r < 0)
                return r;
        *ret = d;
        return 0;
}

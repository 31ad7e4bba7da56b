/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>

#include "common/names.h"
#include "common/time.h"
#include "daemon/bus/codec.h"

int codec_read_strings(sd_bus_message *m, Arena *a, const char *const **ret, size_t *ret_n) {
        const char **items = NULL, *s;
        size_t n = 0, room = 0;

        int r = sd_bus_message_enter_container(m, 'a', "s");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read_basic(m, 's', &s)) > 0) {
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

static int read_map(sd_bus_message *m, Arena *a, Dict *ret, bool *ret_twice) {
        const char *key, *value;
        int r = sd_bus_message_enter_container(m, 'a', "{ss}");

        *ret = (Dict) {};
        while (r >= 0 && (r = sd_bus_message_read(m, "{ss}", &key, &value)) > 0) {
                *ret_twice |= dict_find(ret, key) != NULL;
                dict_add(a, ret, arena_strdup(a, key), (Value) { VALUE_STRING, .string = arena_strdup(a, value) });
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_maps(sd_bus_message *m, Arena *a, Value *ret, bool *ret_twice) {
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
                r = read_map(m, a, &maps[n++], ret_twice);
        }
        *ret = (Value) { VALUE_MAPS, .maps = { maps, n } };
        return r < 0 ? r : sd_bus_message_exit_container(m);
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
        bool twice = false, too_big = false;
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
                r = read_map(m, a, map, &twice);
                *ret = (Value) { VALUE_MAP, .map = map };
        } else if (str_equal(signature, "aa{ss}")) {
                r = read_maps(m, a, ret, &twice);
        } else if (str_equal(signature, "h")) {
                int fd = -1;
                r = sd_bus_message_read_basic(m, 'h', &fd);
                *ret = (Value) { VALUE_FD, .fd = r > 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1 };
        } else {
                return refuse_type(key, signature, problem);
        }
        if (r < 0)
                return r;
        if (twice)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "doubled-key", key, "a key inside %.60s is given twice", key);
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
                if (dict_find(ret, key))
                        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "doubled-key", key, "the key %.60s is given twice", key);
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

/* ---- out ---- */

static int append_map(sd_bus_message *m, json_t *object) {
        const char *key;
        json_t *item;
        int r = sd_bus_message_open_container(m, 'a', "{ss}");

        json_object_foreach(object, key, item)
                if (r >= 0 && json_is_string(item))
                        r = sd_bus_message_append(m, "{ss}", key, json_string_value(item));
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_array(sd_bus_message *m, json_t *array, bool maps) {
        size_t i;
        json_t *item;
        int r = sd_bus_message_open_container(m, 'v', maps ? "aa{ss}" : "as");

        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', maps ? "a{ss}" : "s");
        json_array_foreach(array, i, item)
                if (r >= 0)
                        r = maps ? append_map(m, item) : sd_bus_message_append_basic(m, 's', json_string_value(item) ?: "");
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_value(sd_bus_message *m, const Column *column, json_t *item) {
        Usec t;

        switch (json_typeof(item)) {
        case JSON_STRING:
                if (column && column->type == COLUMN_TIME && time_parse(json_string_value(item), &t))
                        return sd_bus_message_append(m, "v", "t", (uint64_t) t);
                return sd_bus_message_append(m, "v", "s", json_string_value(item));
        case JSON_INTEGER:
                return sd_bus_message_append(m, "v", "t", (uint64_t) json_integer_value(item));
        case JSON_TRUE:
        case JSON_FALSE:
                return sd_bus_message_append(m, "v", "b", json_is_true(item));
        case JSON_ARRAY:
                return append_array(m, item, column && column->type == COLUMN_JSON);
        default: {
                if (column && str_equal(column->name, "custom")) {
                        int r = sd_bus_message_open_container(m, 'v', "a{ss}");
                        if (r >= 0)
                                r = append_map(m, item);
                        return r < 0 ? r : sd_bus_message_close_container(m);
                }
                char *text = json_dumps(item, JSON_COMPACT);
                int r = sd_bus_message_append(m, "v", "s", text ?: "");
                free(text);
                return r;
        }
        }
}

int codec_append_object(sd_bus_message *m, const Dataset *d, const char *json, size_t n) {
        json_t *root = json_loadb(json, n, 0, NULL), *item;
        const char *key;
        int r = json_is_object(root) ? sd_bus_message_open_container(m, 'a', "{sv}") : -EBADMSG;

        json_object_foreach(root, key, item) {
                if (r < 0 || json_is_null(item))
                        continue;
                r = sd_bus_message_open_container(m, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append_basic(m, 's', key);
                if (r >= 0)
                        r = append_value(m, d ? dataset_column(d, key) : NULL, item);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        json_decref(root);
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

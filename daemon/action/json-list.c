/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>

#include "common/json.h"
#include "daemon/action/json-list.h"

const char **json_list_read(Arena *a, const char *json, size_t *ret_n) {
        json_t *array = json_loads(json, 0, NULL);
        size_t n = json_array_size(array);
        const char **items = arena_alloc(a, (n + 1) * sizeof(*items));

        for (size_t i = 0; i < n; i++)
                items[i] = arena_strdup(a, json_string_value(json_array_get(array, i)) ?: "");
        json_decref(array);
        *ret_n = n;
        return items;
}

const char *json_list(Arena *a, const char *const *items, size_t n) {
        Buffer b = {};

        json_put_array_begin(&b);
        for (size_t i = 0; i < n; i++)
                json_put_string(&b, items[i]);
        json_put_array_end(&b);
        return buffer_into(&b, a);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Named values: the frozen copy of an a{sv} (or of a JSON object that says the same). Plain data in an arena; who
 * holds a Dict knows neither bus nor JSON library. Keys are unique; their order is the caller's.
 *
 * The canonical text of a Dict is JSON with sorted keys: it is what an operation keeps of its arguments and what
 * the digest of a request_id runs over. */

#include "common/buffer.h"
#include "common/memory.h"
#include "common/problem.h"
#include "common/text.h"

typedef enum ValueType {
        VALUE_STRING,        /* s, o, g */
        VALUE_BOOL,          /* b */
        VALUE_INT,           /* y n q i u x t; a t above INT64_MAX is refused before it gets here */
        VALUE_DOUBLE,        /* d */
        VALUE_STRINGS,       /* as */
        VALUE_MAP,           /* a{ss}: pairs as a Dict of strings */
        VALUE_MAPS,          /* aa{ss} */
        VALUE_FD,            /* h: owned by the Dict's owner, see dict_close_fds() */
} ValueType;

typedef struct Dict Dict;

typedef struct Value {
        ValueType type;
        union {
                const char *string;
                bool boolean;
                int64_t integer;
                double number;
                struct {
                        const char **items;
                        size_t n;
                } strings;
                const Dict *map;
                struct {
                        const Dict *items;
                        size_t n;
                } maps;
                int fd;
        };
} Value;

typedef struct DictEntry {
        const char *key;
        Value value;
} DictEntry;

struct Dict {
        DictEntry *entries;
        size_t n;
};

const Value *dict_find(const Dict *d, const char *key);          /* NULL if absent */
void dict_add(Arena *a, Dict *d, const char *key, Value value);  /* the key must be new */
void dict_close_fds(Dict *d);

/* Typed look-up. Absent: *ret is left as it is and 0 is returned. Another type: refused by name. */
int dict_string(const Dict *d, const char *key, const char **ret, Problem *problem);
int dict_bool(const Dict *d, const char *key, bool *ret, Problem *problem);
int dict_int(const Dict *d, const char *key, int64_t min, int64_t max, int64_t *ret, Problem *problem);
/* One of the words (NULL-terminated), as the static string it is; absent is refused as missing, another as unknown-word. */
int dict_word(const Dict *d, const char *key, const char *const *words, const char **ret, Problem *problem);
int dict_strings(const Dict *d, const char *key, const char *const **ret, size_t *ret_n, Problem *problem);

/* Every key must be one of the names (NULL-terminated); else refused as unknown-key with the nearest name. */
int dict_check_keys(const Dict *d, const char *what, const char *const *names, Problem *problem);

const char *value_type_name(ValueType type);                     /* "a string (s)" … for messages */
int value_type_refuse(const char *key, const Value *got, ValueType wanted, Problem *problem);

void dict_write_json(Buffer *b, const Dict *d);                  /* keys sorted; fds as their number is not allowed */
/* A JSON object as written by dict_write_json. -EBADMSG if it is anything else. */
int dict_read_json(Arena *a, const char *json, size_t n, Dict *ret);

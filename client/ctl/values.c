/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "client/ctl/command.h"
#include "common/files.h"
#include "common/text.h"
#include "common/time.h"

const Given *command_given(const Command *c, const char *option) {
        for (size_t i = 0; i < c->n_given; i++)
                if (str_equal(c->given[i].option->name, option))
                        return &c->given[i];
        return NULL;
}

bool command_has(const Command *c, const char *option) {
        return command_given(c, option);
}

const char *command_text(const Command *c, const char *option) {
        const Given *g = command_given(c, option);
        return g ? g->values[g->n - 1] : NULL;
}

Value value_of_string(const char *s) {
        return (Value) { .type = VALUE_STRING, .string = s };
}

Value value_of_bool(bool b) {
        return (Value) { .type = VALUE_BOOL, .boolean = b };
}

Value value_of_int(int64_t i) {
        return (Value) { .type = VALUE_INT, .integer = i };
}

Value value_of_strings(const char **items, size_t n) {
        return (Value) { .type = VALUE_STRINGS, .strings = { items, n } };
}

const char **command_split(Command *c, const Given *g, size_t *ret_n) {
        size_t room = 1, n = 0;

        for (size_t i = 0; i < g->n; i++) {
                room++;
                for (const char *p = g->values[i]; *p; p++)
                        room += *p == ',';
        }
        const char **items = arena_alloc(c->arena, room * sizeof(*items));
        for (size_t i = 0; i < g->n; i++)
                for (const char *p = g->values[i]; *p;) {
                        size_t k = strcspn(p, ",");
                        const char *begin = p, *end = p + k;
                        while (begin < end && *begin == ' ')
                                begin++;
                        while (end > begin && end[-1] == ' ')
                                end--;
                        if (end > begin)
                                items[n++] = arena_strndup(c->arena, begin, (size_t) (end - begin));
                        p += k + (p[k] == ',');
                }
        *ret_n = n;
        return items;
}

const char **command_list(const Command *c, const char *option, size_t *ret_n) {
        const Given *g = command_given(c, option);
        *ret_n = 0;
        return g ? command_split((Command *) c, g, ret_n) : NULL;
}

int command_time(const char *option, const char *text, int64_t *ret) {
        Usec ago;

        if (duration_parse(text, &ago)) {
                *ret = MAX(clock_now() - ago, (Usec) 0);
                return 0;
        }
        if (time_parse(text, ret) && *ret >= 0)
                return 0;
        return fail(EXIT_USAGE, "not-a-time", option,
                    "--%s takes a date (2026-12-01), a time (2026-12-01T12:00:00Z) or how long ago (30m, 12h, 7d, 2w), not \"%.60s\"",
                    option, text);
}

/* ---- files ---- */

static int spool_rest(int from, const Buffer *begin, int to) {
        enum { LOT = 1 << 16 };
        _cleanup_(freep) char *lot = memory_new(LOT);

        int r = fd_write_all(to, begin->data, begin->size);
        while (r == 0) {
                ssize_t k = read(from, lot, LOT);
                if (k == 0 || (k < 0 && errno != EINTR))
                        return k < 0 ? -errno : 0;
                if (k > 0)
                        r = fd_write_all(to, lot, (size_t) k);
        }
        return r;
}

/* begin is what was read already. */
static int copy_to_disk(const char *name, int fd, const Buffer *begin, int *ret_fd) {
        const char *given = getenv("TMPDIR"), *folder = str_empty(given) ? "/var/tmp" : given;
        _cleanup_(closep) int to = -1;

        int r = spool_open(folder, &to);
        if (r == 0)
                r = spool_rest(fd, begin, to);
        if (r < 0)
                return fail(EXIT_FAILED, "cannot-keep", NULL, "%s cannot be copied into %s: %s; TMPDIR names another folder", name, folder, strerror(-r));
        *ret_fd = TAKE_FD(to);
        return 0;
}

/* What can be read only once is copied: a call whose reply is lost is sent twice. Backups alone have no limit. */
static int copy_stream(const Command *c, const char *name, int fd, int *ret_fd) {
        enum { LIMIT = 64 << 20 };
        Buffer b = {};

        int r = fd_read_all(fd, LIMIT, INT64_MAX, &b);
        if (r == 0)
                r = memfd_sealed("tenantctl-input", b.data, b.size, ret_fd);
        else if (r == -EFBIG && str_equal(c->verb->interface, "Manager"))
                r = copy_to_disk(name, fd, &b, ret_fd);
        buffer_done(&b);
        if (r == -EFBIG)
                return fail(EXIT_USAGE, "too-big", NULL, "%s holds more than 64 MiB", name);
        return r < 0 ? fail(EXIT_FAILED, "cannot-read", NULL, "cannot read %s: %s", name, strerror(-r)) : 0;
}

int command_open(Command *c, const char *path, int *ret_fd) {
        struct stat st;

        if (str_equal(path, "-"))
                return copy_stream(c, "standard input", STDIN_FILENO, ret_fd);
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return fail(EXIT_USAGE, "cannot-open", NULL, "cannot open %s: %s", path, strerror(errno));
        if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
                return fail(EXIT_USAGE, "is-a-directory", NULL, "%s is a directory, not a file", path);
        if (!S_ISREG(st.st_mode))
                return copy_stream(c, path, fd, ret_fd);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* ---- values of options ---- */

static int pairs_value(Command *c, const Given *g, Value *ret) {
        Dict *d = arena_alloc(c->arena, sizeof(*d));

        for (size_t i = 0; i < g->n; i++) {
                const char *s = g->values[i], *equals = strchr(s, '=');
                if (!equals || equals == s)
                        return fail_usage(NULL, NULL, "--%s takes %s, not \"%.60s\"", g->option->name,
                                          g->option->value, s);
                const char *key = arena_strndup(c->arena, s, (size_t) (equals - s));
                if (dict_find(d, key))
                        return fail_usage(NULL, NULL, "--%s was given twice for \"%.60s\"", g->option->name,
                                          key);
                dict_add(c->arena, d, key, value_of_string(equals + 1));
        }
        *ret = (Value) { .type = VALUE_MAP, .map = d };
        return 0;
}

static int contacts_value(Command *c, const Given *g, Value *ret) {
        Dict *all = arena_alloc(c->arena, g->n * sizeof(*all));

        for (size_t i = 0; i < g->n; i++) {
                const char *s = g->values[i], *address = strchr(s, ':');
                if (!address || address == s || !address[1])
                        return fail_usage(NULL, NULL, "--%s takes ROLE:ADDRESS[:NAME], not \"%.60s\"",
                                          g->option->name, s);
                const char *name = strchr(address + 1, ':');
                dict_add(c->arena, &all[i], "role",
                         value_of_string(arena_strndup(c->arena, s, (size_t) (address - s))));
                size_t n = name ? (size_t) (name - address - 1) : strlen(address + 1);
                dict_add(c->arena, &all[i], "address",
                         value_of_string(arena_strndup(c->arena, address + 1, n)));
                if (name && name[1])
                        dict_add(c->arena, &all[i], "name", value_of_string(name + 1));
        }
        *ret = (Value) { .type = VALUE_MAPS, .maps = { all, g->n } };
        return 0;
}

/* --clear takes wire names and the names of this verb's options. */
static void wire_names(Command *c, const char **items, size_t n) {
        for (size_t i = 0; i < n; i++)
                for (const Option *o = c->verb->options; o && o->name; o++)
                        if (str_equal(o->name, items[i]) &&
                            (o->place == TO_FIELDS || o->place == TO_OPTIONS) && o->key)
                                items[i] = o->key;
}

static int given_value(Command *c, const Given *g, Value *ret) {
        const char *last = g->values[g->n - 1];
        uint64_t number;
        int64_t t;
        size_t n;
        int r = 0;

        switch (g->option->type) {
        case OPTION_FLAG:
                *ret = value_of_bool(true);
                break;
        case OPTION_SWITCH:
                *ret = value_of_bool(str_equal(last, "on"));
                break;
        case OPTION_YES_NO:
                *ret = value_of_bool(str_equal(last, "yes"));
                break;
        case OPTION_NUMBER:
                *ret = value_of_int(number_parse(last, INT64_MAX, &number) ? (int64_t) number : 0);
                break;
        case OPTION_LIST: {
                const char **items = command_split(c, g, &n);
                if (str_equal(g->option->name, "clear"))
                        wire_names(c, items, n);
                *ret = value_of_strings(items, n);
                break;
        }
        case OPTION_TEXTS:
                *ret = value_of_strings(g->values, g->n);
                break;
        case OPTION_PAIRS:
                return pairs_value(c, g, ret);
        case OPTION_CONTACTS:
                return contacts_value(c, g, ret);
        case OPTION_TIME:
                r = command_time(g->option->name, last, &t);
                *ret = value_of_int(t);
                break;
        case OPTION_FILE:
                *ret = (Value) { .type = VALUE_FD, .fd = -1 };
                return command_open(c, last, &ret->fd);
        case OPTION_TEXT:
        case OPTION_OPTIONAL:
                *ret = value_of_string(last);
                break;
        }
        return r;
}

int command_dict(Command *c, OptionPlace place, Dict *ret) {
        for (size_t i = 0; i < c->n_given; i++) {
                const Option *o = c->given[i].option;
                Value v = {};
                if (o->place != place || !o->key)
                        continue;
                int r = given_value(c, &c->given[i], &v);
                if (r != 0)
                        return r;
                dict_add(c->arena, ret, o->key, v);
        }
        return 0;
}

/* ---- selector ---- */

static bool is_bare(const char *s) {
        static const char *const reserved[] = { "and", "or", "not", "in", NULL };

        if (!*s || names_find(reserved, s) >= 0)
                return false;
        for (; *s; s++)
                if (!((*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                      strchr("._-@+:", *s)))
                        return false;
        return true;
}

static void put_word(Buffer *b, const char *s) {
        if (is_bare(s)) {
                buffer_add_string(b, s);
                return;
        }
        buffer_add_char(b, '"');
        for (; *s; s++) {
                if (*s == '"' || *s == '\\')
                        buffer_add_char(b, '\\');
                buffer_add_char(b, *s);
        }
        buffer_add_char(b, '"');
}

static int put_term(Command *c, Buffer *b, const Given *g) {
        const Option *o = g->option;
        size_t n = 1;
        const char **items = o->type == OPTION_LIST ? command_split(c, g, &n) : &g->values[g->n - 1];

        if (n == 0)
                return fail(EXIT_USAGE, "empty", o->key, "the value of --%s is empty: it would be everybody",
                            o->name);
        if (b->size > 0)
                buffer_add_string(b, " and ");
        if (o->type == OPTION_YES_NO && str_equal(o->key, "open_tickets")) {
                buffer_add_string(b, str_equal(items[0], "yes") ? "open_tickets > 0" : "open_tickets = 0");
        } else if (o->type == OPTION_YES_NO) {
                buffer_printf(b, "%s = %s", o->key, str_equal(items[0], "yes") ? "true" : "false");
        } else if (n == 1) {
                buffer_printf(b, "%s = ", o->key);
                put_word(b, items[0]);
        } else {
                buffer_printf(b, "%s in (", o->key);
                for (size_t i = 0; i < n; i++) {
                        if (i > 0)
                                buffer_add_string(b, ", ");
                        put_word(b, items[i]);
                }
                buffer_add_char(b, ')');
        }
        return 0;
}

int command_selector(Command *c, const char **ret) {
        const Given *filter = command_given(c, "filter");
        size_t n_terms = 0;
        Buffer b = {};
        int r = 0;

        for (size_t i = 0; i < c->n_given; i++)
                n_terms += c->given[i].option->place == TO_SELECTOR;
        if (filter) {
                const char *text = filter->values[filter->n - 1];
                if (!text[strspn(text, " \t\n")])
                        return fail(EXIT_USAGE, "empty", "selector",
                                    "the value of --filter is empty: it would be everybody");
                buffer_printf(&b, n_terms > 0 ? "(%s)" : "%s", text);
        }
        for (size_t i = 0; i < c->n_given && r == 0; i++)
                if (c->given[i].option->place == TO_SELECTOR)
                        r = put_term(c, &b, &c->given[i]);
        if (r == 0)
                *ret = b.size > 0 ? arena_strdup(c->arena, b.data) : NULL;
        buffer_done(&b);
        return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>

#include "client/ctl/cell.h"
#include "client/ctl/json-out.h"
#include "client/ctl/list.h"
#include "client/ctl/output.h"
#include "client/ctl/run.h"
#include "client/ctl/table.h"
#include "client/ctl/timezone.h"
#include "common/names.h"
#include "common/text.h"

/* All rows are here before the first is printed, so that an error leaves stdout empty: pages (JSON arrays) or one file
 * of JSON lines. */
typedef struct Rows {
        Buffer *pages;                       /* in the arena; their data is owned */
        size_t n_pages;
        int fd;                              /* -1: pages */
} Rows;

static void rows_done(Rows *rows) {
        for (size_t i = 0; i < rows->n_pages; i++)
                buffer_done(&rows->pages[i]);
        closep(&rows->fd);
}

/* ---- a row at a time ---- */

typedef int (*RowSink)(void *userdata, const char *json, size_t n);

/* The elements of an array, as text. */
static int each_element(const char *p, size_t size, RowSink sink, void *userdata) {
        const char *end = p + size, *begin = NULL;
        int depth = 0, r = 0;

        for (; p < end && r == 0; p++) {
                if (*p == '"') {
                        for (p++; p < end && *p != '"'; p++)
                                p += *p == '\\';
                } else if (*p == '{' || *p == '[') {
                        if (++depth == 2)
                                begin = p;
                } else if (*p == '}' || *p == ']') {
                        if (--depth == 1 && begin)
                                r = sink(userdata, begin, (size_t) (p - begin) + 1);
                }
        }
        return r;
}

static int each_line(int fd, RowSink sink, void *userdata) {
        char *line = NULL;
        size_t room = 0;
        ssize_t n;
        int r = 0;

        FILE *f = fdopen(fd, "r");
        if (!f)
                return fail(EXIT_FAILED, "cannot-read", NULL, "the daemon's list cannot be read: %s",
                            strerror(errno));
        while (r == 0 && (n = getline(&line, &room, f)) > 0) {
                if (line[n - 1] == '\n')
                        n--;
                if (n > 0)
                        r = sink(userdata, line, (size_t) n);
        }
        free(line);
        fclose(f);
        return r;
}

static int page_each(const Rows *rows, size_t i, RowSink sink, void *userdata) {
        return each_element(buffer_string(&rows->pages[i]), rows->pages[i].size, sink, userdata);
}

static int each_row(Rows *rows, RowSink sink, void *userdata) {
        int r = 0;

        if (rows->fd >= 0)
                return each_line(TAKE_FD(rows->fd), sink, userdata);
        for (size_t i = 0; i < rows->n_pages && r == 0; i++)
                r = page_each(rows, i, sink, userdata);
        return r;
}

/* ---- fetching ---- */

static Dict query_with(Command *c, const Dict *query, const char *cursor, int64_t limit) {
        Dict d = {};

        for (size_t i = 0; i < query->n; i++)
                dict_add(c->arena, &d, query->entries[i].key, query->entries[i].value);
        if (cursor)
                dict_add(c->arena, &d, "cursor", value_of_string(cursor));
        if (limit > 0)
                dict_add(c->arena, &d, "limit", value_of_int(limit));
        return d;
}

static int count_row(void *userdata, const char *json, size_t n) {
        (*(uint64_t *) userdata)++;
        return 0;
}

static int fetch_page(Command *c, const Dict *query, int64_t limit, const char **cursor, Rows *rows) {
        _cleanup_(reply_freep) sd_bus_message *reply = NULL;
        const Dict q = query_with(c, query, *cursor, limit);
        const char *text, *next;

        Call what = call_verb(c, "q");
        what.query = &q;
        int r = call(c, &what, &reply);
        if (r != 0)
                return r;
        if (sd_bus_message_read(reply, "ss", &text, &next) < 0)
                return fail(EXIT_FAILED, "bad-answer", NULL, "the daemon's list is not what it should be");
        Buffer *pages = arena_alloc(c->arena, (rows->n_pages + 1) * sizeof(*pages));
        if (rows->n_pages > 0)
                memcpy(pages, rows->pages, rows->n_pages * sizeof(*pages));
        buffer_add_string(&pages[rows->n_pages++], text);
        rows->pages = pages;
        *cursor = *next ? arena_strdup(c->arena, next) : NULL;
        return 0;
}

static bool fetch_all(Command *c, const Dict *query, Rows *rows) {
        _cleanup_(reply_freep) sd_bus_message *reply = NULL;
        int fd;

        if (!str_equal(c->verb->method, "List"))
                return false;
        const Call what = { .interface = c->verb->interface,
                            .method = "Query",
                            .shape = "qF",
                            .query = query,
                            .format = "jsonl",
                            .slow = true,
                            .quiet = true };
        if (call(c, &what, &reply) != 0 || sd_bus_message_read(reply, "h", &fd) < 0)
                return false;
        rows->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return rows->fd >= 0;
}

/* Up to a page in one call. More than that and no limit: everything at once, from one snapshot. */
static int fetch(Command *c, const Dict *query, Rows *rows) {
        const char *limit = command_text(c, "limit"), *cursor = NULL;
        uint64_t left = UINT64_MAX, n_rows;
        int r;

        if (limit)
                (void) number_parse(limit, INT64_MAX, &left);
        do {
                int64_t n = (int64_t) MIN(left, (uint64_t) PAGE_MAX);
                r = fetch_page(c, query, n, &cursor, rows);
                /* A page of large rows has fewer than were asked for. */
                n_rows = 0;
                if (r == 0)
                        (void) page_each(rows, rows->n_pages - 1, count_row, &n_rows);
                left -= MIN(left, MAX(n_rows, (uint64_t) 1));
                if (r == 0 && cursor && !limit && rows->n_pages == 1 && fetch_all(c, query, rows))
                        return 0;
        } while (r == 0 && cursor && left > 0);
        return r;
}

/* ---- JSON ---- */

static int add_json(void *userdata, const char *json, size_t n) {
        json_array_add(userdata, json, n);
        return 0;
}

static int print_json(Command *c, Rows *rows) {
        JsonArray a = { .f = stdout, .mode = c->json };

        output_begin(c, true);
        json_array_begin(&a);
        int r = each_row(rows, add_json, &a);
        json_array_end(&a);
        int end = output_end(c, NULL);
        return r != 0 ? r : end;
}

/* ---- text ---- */

static int add_text(void *userdata, const char *json, size_t n) {
        json_t *row = json_loadb(json, n, 0, NULL);
        if (!row)
                return fail(EXIT_FAILED, "bad-answer", NULL, "a row of the daemon's list is no JSON");
        table_add(userdata, row);
        json_decref(row);
        return 0;
}

typedef struct Criteria {
        const char *selector, *search, *view;
        const char *since, *until;           /* as typed */
        Pending *total, *matching;
} Criteria;

static bool read_count(Command *c, Pending *p, uint64_t *ret) {
        sd_bus_message *reply = call_collect(c, p);
        return reply && sd_bus_message_read(reply, "t", ret) >= 0;
}

static bool criteria_any(const Criteria *k) {
        return k->selector || k->search || k->view || k->since || k->until;
}

static void criteria_put(Command *c, Buffer *b, const Criteria *k) {
        const char *between = " with ";

        buffer_add_string(b, c->noun->plural);
        if (k->view) {
                buffer_add_string(b, " of view ");
                text_escape_controls(b, k->view, strlen(k->view));
        }
        if (k->search) {
                buffer_add_string(b, between);
                buffer_add_string(b, "\"");
                text_escape_controls(b, k->search, strlen(k->search));
                buffer_add_string(b, "\" in the name");
                between = " and ";
        }
        if (k->selector) {
                buffer_add_string(b, between);
                text_escape_controls(b, k->selector, strlen(k->selector));
        }
        if (k->since)
                buffer_printf(b, " since %s", k->since);
        if (k->until)
                buffer_printf(b, " until %s", k->until);
}

static void criteria_print(Command *c, const Criteria *k, size_t shown) {
        uint64_t matching = shown, total;
        Buffer b = {};

        criteria_put(c, &b, k);
        buffer_add_string(&b, ": ");
        (void) read_count(c, k->matching, &matching);
        cell_put_number(&b, (int64_t) matching);
        if (read_count(c, k->total, &total)) {
                buffer_add_string(&b, " of ");
                cell_put_number(&b, (int64_t) total);
        }
        buffer_add_char(&b, '\n');
        fwrite(b.data, 1, b.size, stdout);
        buffer_done(&b);
}

/* ---- the verb ---- */

/* A view has its own columns, if its maker chose some. */
static const char **view_columns(Command *c, const char *view, size_t *ret_n) {
        const char *text, **columns = NULL;
        size_t i;
        json_t *item;

        Call what = call_about("Views", "Describe", view);
        what.quiet = true;
        if (call_text(c, &what, &text) != 0)
                return NULL;
        json_t *object = json_loads(text, 0, NULL), *names = json_object_get(object, "columns");
        *ret_n = json_array_size(names);
        columns = arena_alloc(c->arena, (*ret_n + 1) * sizeof(*columns));
        json_array_foreach(names, i, item)
                columns[i] = arena_strdup(c->arena, json_string_value(item));
        json_decref(object);
        return columns;
}

static const char *const *list_columns(Command *c) {
        size_t n = 0;
        const char **columns = command_list(c, "columns", &n), *view = command_text(c, "view");

        if (n == 0 && view)
                columns = view_columns(c, view, &n);
        if (n == 0) {
                const char *defaults_text = c->verb->columns;
                const Given defaults = { .values = &defaults_text, .n = 1 };
                columns = command_split(c, &defaults, &n);
        }
        return columns;                      /* the arena's zeros end it */
}

int list_query(Command *c, Dict *ret) {
        const char *selector = NULL, *sort = command_text(c, "sort");
        size_t n = 0;

        int r = command_dict(c, TO_QUERY, ret);
        if (r == 0)
                r = command_selector(c, &selector);
        if (r != 0)
                return r;
        if (selector)
                dict_add(c->arena, ret, "selector", value_of_string(selector));
        if (sort)
                dict_add(c->arena, ret, "sort", value_of_string(sort));
        const char **columns = command_list(c, "columns", &n);
        if (command_has(c, "columns") && n == 0)
                return fail(EXIT_USAGE, "empty", "columns", "--columns names no column");
        if (n > 0)
                dict_add(c->arena, ret, "columns", value_of_strings(columns, n));
        return 0;
}

static void criteria_ask(Command *c, const Dict *query, Criteria *k) {
        const Value *selector = dict_find(query, "selector"), *search = dict_find(query, "search"),
                    *view = dict_find(query, "view");

        if (command_has(c, "no-legend"))
                return;
        k->since = command_text(c, "since");
        k->until = command_text(c, "until");
        k->selector = selector ? selector->string : NULL;
        k->search = search && search->string[strspn(search->string, " \t")] ? search->string : NULL;
        k->view = view ? view->string : NULL;
        if (!(c->verb->flags & V_COUNT) || !(selector || search || view))
                return;
        Call count = call_verb(c, "q");
        count.method = "Count";
        k->total = call_beside(c, &count);
        if (!command_has(c, "limit"))
                return;
        Dict some = {};
        static const char *const counted[] = { "selector", "search", "view", NULL };
        for (size_t i = 0; i < query->n; i++)
                if (names_find(counted, query->entries[i].key) >= 0)
                        dict_add(c->arena, &some, query->entries[i].key, query->entries[i].value);
        count.query = &some;
        k->matching = call_beside(c, &count);
}

static int run_text(Command *c, Dict *query, Rows *rows) {
        const char *const *columns = list_columns(c);
        Criteria criteria = {};
        Pending *zone = NULL;
        size_t n = 0;
        bool times = false;

        for (; columns[n]; n++)
                times |= cell_is_time(columns[n]);
        if (!dict_find(query, "columns"))
                dict_add(c->arena, query, "columns", value_of_strings((const char **) columns, n));
        criteria_ask(c, query, &criteria);
        if (times)
                zone = timezone_ask(c);
        int r = fetch(c, query, rows);
        if (r != 0)
                return r;
        timezone_use(c, zone);

        _cleanup_(table_freep) Table *t = table_new(columns, !command_has(c, "no-legend"));
        if (!t)
                return EXIT_FAILED;
        r = each_row(rows, add_text, t);
        if (r != 0)
                return r;
        output_begin(c, true);
        if (criteria_any(&criteria))
                criteria_print(c, &criteria, table_rows(t));
        r = table_print(t, stdout);
        int end = output_end(c, NULL);
        return r != 0 ? r : end;
}

int run_list(Command *c) {
        Rows rows = { .fd = -1 };
        Dict query = {};

        int r = list_query(c, &query);
        if (r == 0)
                r = bus_connect(c);
        if (r == 0 && c->json == JSON_OFF)
                r = run_text(c, &query, &rows);
        else if (r == 0 && (r = fetch(c, &query, &rows)) == 0)
                r = print_json(c, &rows);
        rows_done(&rows);
        return r;
}

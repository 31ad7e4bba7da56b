/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "client/ctl/answer.h"
#include "client/ctl/cell.h"
#include "client/ctl/dashboard.h"
#include "client/ctl/json-out.h"
#include "client/ctl/output.h"
#include "client/ctl/run.h"
#include "client/ctl/table.h"
#include "client/ctl/terminal.h"
#include "common/text.h"

enum { BAR_CELLS = 30, PARTS_MAX = 2 };

/* The panels with a bar in each row: what it is made of, one after the other. */
static const struct {
        const char *panel, *parts[PARTS_MAX];
} charts[] = {
        { "jobs", { "finished", "failed" } },
        { "storage", { "bytes_stored", "bytes_byos" } },
};
static const char *const bricks[PARTS_MAX] = { "\u2588", "\u2591" };

static double part_of(const json_t *row, const char *key) {
        double n = json_number_value(json_object_get(row, key));
        return n > 0 ? n : 0;
}

/* Each part's end is rounded, not its length: so the whole bar is as long as its sum says. */
static void put_bar(Buffer *b, const json_t *row, const char *const *parts, double most) {
        double sum = 0;
        int drawn = 0;

        for (int i = 0; i < PARTS_MAX; i++) {
                double part = part_of(row, parts[i]);
                sum += part;
                int end = (int) (sum / most * BAR_CELLS + 0.5);
                /* What there is a little of is seen, too. */
                if (part > 0 && end == drawn && drawn < BAR_CELLS)
                        end++;
                for (; drawn < end; drawn++)
                        buffer_add_string(b, bricks[i]);
        }
}

/* *rows become copies with a bar, if the panel is one that has bars and there is anything to draw. */
static bool add_bars(const char *panel, json_t *rows) {
        const char *const *parts = NULL;
        double most = 0;
        size_t i;
        json_t *row;

        for (i = 0; i < ELEMENTSOF(charts); i++)
                if (str_equal(charts[i].panel, panel))
                        parts = charts[i].parts;
        if (!parts)
                return false;
        json_array_foreach(rows, i, row) {
                double sum = 0;
                for (int k = 0; k < PARTS_MAX; k++)
                        sum += part_of(row, parts[k]);
                most = MAX(most, sum);
        }
        if (most <= 0)
                return false;
        json_array_foreach(rows, i, row) {
                Buffer b = {};
                put_bar(&b, row, parts, most);
                json_object_set_new(row, "chart", json_string(buffer_string(&b)));
                buffer_done(&b);
        }
        return true;
}

static int print_rows(Command *c, const char *panel, const json_t *given) {
        const char *columns[24], *key;
        size_t n = 0, i;
        json_t *rows = json_deep_copy(given), *value, *row;
        int r = EXIT_FAILED;

        add_bars(panel, rows);
        json_object_foreach(json_array_get(rows, 0), key, value)
                if (n + 1 < ELEMENTSOF(columns) && (!json_is_object(value) || str_equal(key, "actor")) &&
                    !str_equal(key, "before") && !str_equal(key, "after"))
                        columns[n++] = key;
        columns[n] = NULL;
        _cleanup_(table_freep) Table *t = table_new(columns, !command_has(c, "no-legend"));
        if (t) {
                json_array_foreach(rows, i, row)
                        table_add(t, row);
                r = table_print(t, stdout);
        }
        json_decref(rows);
        return r;
}

static void print_value(const char *key, const json_t *value) {
        Buffer b = {};
        cell_put(&b, key, value);
        puts(buffer_string(&b));
        buffer_done(&b);
}

static void print_title(const char *text) {
        Buffer b = {};
        text_escape_controls(&b, text, strlen(text));
        if (terminal_has_color())
                printf("\033[1m%s\033[0m\n", buffer_string(&b));
        else
                puts(buffer_string(&b));
        buffer_done(&b);
}

static int print_panel(Command *c, const char *name, const json_t *panel) {
        /* Not a panel, but what is to be known of those after it. */
        if (str_equal(name, "sample")) {
                puts("\nThe panels that follow are a sample: their figures are made up.");
                return 0;
        }
        putchar('\n');
        print_title(name);
        if (json_is_object(panel))
                block_print(stdout, panel, NULL, NULL);
        else if (json_is_array(panel) && json_is_object(json_array_get(panel, 0)))
                return print_rows(c, name, panel);
        else
                print_value(name, panel);
        return 0;
}

static int print_dashboard(Command *c, const json_t *dashboard) {
        static const char *const head[] = { "id", NULL };
        const json_t *customer = json_object_get(dashboard, "customer"), *panels = json_object_get(dashboard, "panels"),
                     *missing = json_object_get(dashboard, "missing");
        const char *name;
        json_t *panel;
        int r = 0;

        print_title(json_string_value(json_object_get(customer, "organization")) ?: "");
        block_print(stdout, customer, head, NULL);
        json_object_foreach((json_t *) panels, name, panel) {
                r = print_panel(c, name, panel);
                if (r != 0)
                        return r;
        }
        return json_object_size(missing) > 0 ? print_panel(c, "missing", missing) : 0;
}

int dashboard_run(Command *c) {
        const char *json;

        int r = run_asked(c, &json);
        json_t *dashboard = r == 0 ? answer_parse(json) : NULL;
        if (!dashboard)
                return r ?: EXIT_FAILED;
        output_begin(c, true);
        if (c->json != JSON_OFF)
                json_out(stdout, json, strlen(json), c->json);
        else
                r = print_dashboard(c, dashboard);
        json_decref(dashboard);
        int end = output_end(c, NULL);
        return r != 0 ? r : end;
}

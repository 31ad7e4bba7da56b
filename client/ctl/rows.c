/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>

#include "client/ctl/json-out.h"
#include "client/ctl/output.h"
#include "client/ctl/rows.h"
#include "client/ctl/run.h"
#include "client/ctl/table.h"

static int print_table(Command *c, const json_t *rows) {
        const char *text = c->verb->columns;
        const Given defaults = { .values = &text, .n = 1 };
        size_t n, i;
        const char **columns = command_list(c, "columns", &n);
        json_t *row;

        if (n == 0)
                columns = command_split(c, &defaults, &n);
        _cleanup_(table_freep) Table *t = table_new(columns, !command_has(c, "no-legend"));
        if (!t)
                return EXIT_FAILED;
        json_array_foreach((json_t *) rows, i, row)
                table_add(t, row);
        output_begin(c, true);
        int r = table_print(t, stdout);
        int end = output_end(c, NULL);
        return r != 0 ? r : end;
}

int run_rows(Command *c) {
        const char *json;

        int r = run_asked(c, &json);
        if (r != 0)
                return r;
        if (c->json != JSON_OFF) {
                output_begin(c, true);
                json_out(stdout, json, strlen(json), c->json);
                return output_end(c, NULL);
        }
        json_t *rows = json_loads(json, 0, NULL);
        r = json_is_array(rows) ? print_table(c, rows) : fail(EXIT_FAILED, "bad-answer", NULL, "the daemon's answer is no list of rows");
        json_decref(rows);
        return r;
}

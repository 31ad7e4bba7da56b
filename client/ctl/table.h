/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One table of text: header, cells, aligned by the terminal's cells, one row a line, through libsmartcols. And the block of
 * "key  value" lines that shows one object, which needs no library. */

#include <jansson.h>
#include <stdio.h>

#include "client/ctl/command.h"

typedef struct Table Table;

/* Columns are names of keys; NULL-terminated, must outlive the table. NULL: the library is missing, and it was said. */
Table *table_new(const char *const *columns, bool legend);
void table_free(Table *t);
DEFINE_CLEANUP(Table, table_free)
void table_add(Table *t, const json_t *row);                     /* an object; absent keys are "-" */
size_t table_rows(const Table *t);
int table_print(Table *t, FILE *f);

/* Objects as show prints them. columns may be NULL: every key; arrays of objects that are tables of their own (items) are
 * left out: see show_print() callers. */
void block_print(FILE *f, const json_t *object, const char *const *columns, const char *const *except);

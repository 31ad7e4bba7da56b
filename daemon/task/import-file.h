/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A customer list as CSV: which of its columns are which fields, and its lines as fields. Pure over bytes; shared by the
 * call that takes the file and the task that imports it. */

#include "daemon/model/csv.h"
#include "common/value.h"

typedef struct ImportFile ImportFile;

/* options: map (field to column name) and set (field to value), as Dicts of strings. The bytes must live as long.
 * Refuses a bad file, a used header that occurs twice, unknown fields in map and set, a map to no column. */
int import_file_open(Arena *a, const char *bytes, size_t n, const Dict *map, const Dict *set, ImportFile **ret, Problem *problem);

/* Names of columns that nothing uses; NULL: none. One warning for all of them. */
const char *import_file_unused(const ImportFile *f);
int64_t import_file_lines(const ImportFile *f);                  /* records after the header */

/* 1: a record; *ret_line its line, *ret_fields what it gives, or *problem what is wrong with it (kind set). 0: the end.
 * *cursor begins at 0. */
int import_file_next(const ImportFile *f, size_t *cursor, Arena *a, int64_t *ret_line, Dict *ret_fields, Problem *problem);

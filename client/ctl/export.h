/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reports that leave as files: report export, audit export, operation export, report save, admin backup, symbols. */

#include "client/ctl/call.h"

#define EXPORT_OPTIONS                                                                                              \
        { "format", OPTION_TEXT, TO_FIELDS, "format", "FORMAT", "xlsx, csv, json or pdf; else by the suffix of --output", export_formats }, \
        { "output", OPTION_TEXT, TO_PROGRAM, NULL, "FILE", "where to; - is stdout; else KIND-DATE.FORMAT here" }, \
        { "all-columns", OPTION_FLAG, TO_FIELDS, "all_columns", NULL, "all columns (so it is without --columns)" },   \
        { "file-name", OPTION_TEXT, TO_FIELDS, "file_name", "NAME", "the report's own file name" },                   \
        { "no-bom", OPTION_FLAG, TO_FIELDS, "no_bom", NULL, "csv without byte order mark" }

extern const char *const export_formats[];

/* Reports.Export of a kind; more: fields besides those of the options, may be NULL. */
int export_run(Command *c, const char *kind, const Dict *more);
/* The format that --format or the suffix of a path says; NULL: neither. */
const char *export_format(const Command *c);

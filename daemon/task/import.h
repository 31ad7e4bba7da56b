/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* customer import: the file comes in by a call (read and judged on a worker), is put into the spool, and an operation
 * works it off. Its dry run goes through the same lines and leaves nothing. */

#include "daemon/action/bulk.h"
#include "daemon/task/import-file.h"
#include "daemon/task/work.h"

typedef struct ImportOptions {
        Dict map, set;
        bool update, dry_run;
} ImportOptions;

/* fields: map and set (a{ss}); update. */
int import_options_read(const Dict *fields, const Dict *options, ImportOptions *ret, Problem *problem);

/* The action of the call: an operation over the spooled file. */
int customer_import(Context *c, const Request *request, Buffer *answer, Problem *problem);

/* The dry run, in slices. *ret_done: dry_run_answer() has all of it. */
typedef struct ImportDryRun {
        ImportFile *file;
        ImportOptions options;
        size_t cursor;
        DryRun told;
} ImportDryRun;
int import_dry_slice(ImportDryRun *d, Context *c, bool *ret_done);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A report's file, as its task makes it on a worker: csv and json are written at once; xlsx and pdf are spooled as sections
 * (a header line, then rows) and rendered by the helper. The file's name is made from the task's id, so an attempt after a
 * crash writes over what the one before left. */

#include "daemon/store/query.h"
#include "daemon/store/report-store.h"
#include "daemon/task/work.h"

typedef struct ReportFile {
        Work *work;
        Report *report;                      /* gets rows, bytes, sha256, warnings; path and format are its */
        const char *beside;                  /* what is written until it is whole */
        int out, spool;
        int64_t spooled;                     /* rows */
} ReportFile;

/* part: which of the task's reports; 0: its only one. */
int report_file_begin(ReportFile *f, Work *work, Report *report, int part);
int report_file_end(ReportFile *f, int result);      /* result 0: finished and in place; else thrown away. Closes everything */

/* csv and json: everything at once, in a snapshot of its own. */
int report_file_text(ReportFile *f, const Query *query, bool no_bom);

/* xlsx and pdf. What a section is besides its columns is given as JSON members: "chart":{…},"heading":"…" */
int report_section_query(ReportFile *f, const char *sheet, const char *members, const Query *query);
int report_section_begin(ReportFile *f, const char *sheet, const char *members, const char *columns);       /* columns: JSON array */
int report_section_row(ReportFile *f, const Buffer *row);    /* a JSON array */
int report_file_render(ReportFile *f);

/* "zone":{…} of the partner, "document":{…} with its name, logo and the customer's: members of the first header. */
int report_document(ReportFile *f, const Customer *customer, const char *title, const char *language, Buffer *ret);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The files behind libxlsxwriter. In constant-memory mode the library opens temporary files by name whenever it likes,
 * and its zip writer opens the document by name; both would need a sandbox that lets files be opened, and neither
 * reports a disk that is full. So this program brings its own lxw_tmpfile() and fopen64(), which the dynamic linker
 * prefers to the libraries': temporary streams live on unnamed files opened beforehand, the document is a descriptor
 * that was there from the beginning, no other file can be opened, and every failed write is remembered. */

#include "common/macro.h"

enum { STREAMS_MAX = 34 };                   /* temporary files at the same time: one a sheet, and two while packing */

#define STREAMS_DOCUMENT "document:"         /* the name under which fopen64() gives the document */

int streams_open(const char *folder, int document_fd);           /* before the sandbox; folder: where there is room */
int streams_error(void);                                         /* 0, or -errno of the first write that failed */
int64_t streams_spooled(void);                                   /* bytes in temporary files now */

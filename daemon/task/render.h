/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Starts the helper program tenantd-render, waits for its document and ends it: plain blocking code, for a worker. The
 * helper confines itself; a hostile picture or a bug of a library ends it and nothing else. It also ends with the
 * thread that started it. */

#include <stdatomic.h>

#include "common/clock.h"
#include "common/problem.h"

typedef enum RenderMode { RENDER_XLSX, RENDER_PDF, RENDER_IMAGE } RenderMode;

typedef struct RenderRequest {
        const char *program;                 /* path of tenantd-render */
        RenderMode mode;
        const char *folder;                  /* xlsx, pdf: where its temporary files may be; NULL: /var/tmp */
        int in_fd;                           /* sections of header and rows (render/header.h), or the picture; read
                                              * from its offset. A pdf from a file is read several times */
        int out_fd;                          /* a file open for reading and writing: the document. Emptied first */
        Usec limit;                          /* then it is killed: -ETIMEDOUT. 0: never */
        const atomic_bool *cancel;           /* becomes true: killed, -ECANCELED. NULL: never */
} RenderRequest;

typedef struct RenderResult {
        int64_t rows;
        int64_t pages;                       /* pdf */
        char *warnings;                      /* JSON array of {"code","message"}; NULL: none */
        char *type;                          /* image: "png" or "jpeg" */
        int width, height;
} RenderResult;

void render_result_done(RenderResult *r);

/* 1: the input cannot be rendered, and never will be: of a picture too-big, wrong-type, bad-image; of a table
 * too-many-rows, too-many-columns, too-many-sections, row-too-long; bad-input (PROBLEM_FAILED) for rows that are none, or
 * a logo or symbol in them that cannot be read; no-fonts (PROBLEM_FAILED) for a pdf on a machine that has none.
 * Faults: -ECANCELED; -ETIMEDOUT; -ENOSPC the disk is full; -EPIPE it died without an answer, so a table may be tried
 * again at once; others: it could not be started, or its answer made no sense.
 * *ret is set only when 0 is returned. */
int render_run(const RenderRequest *request, RenderResult *ret, Problem *problem);

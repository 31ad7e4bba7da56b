/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Starts the helper program tenantd-render and waits for its document: plain blocking code, for a worker. The helper
 * confines itself; a hostile picture or a bug of a library ends it and nothing else. */

#include <stdatomic.h>

#include "common/clock.h"
#include "common/problem.h"

typedef enum RenderMode { RENDER_XLSX, RENDER_IMAGE } RenderMode;

typedef struct RenderRequest {
        const char *program;                 /* path of tenantd-render */
        RenderMode mode;
        const char *folder;                  /* xlsx: where its temporary files may be; NULL: /var/tmp */
        int in_fd;                           /* header and rows, or the picture; read from its offset */
        int out_fd;                          /* open for reading and writing; the document */
        Usec limit;                          /* then it is killed: -ETIMEDOUT */
        const atomic_bool *cancel;           /* becomes true: killed, -ECANCELED. NULL: never */
} RenderRequest;

typedef struct RenderResult {
        int64_t rows;
        char *warnings;                      /* JSON array; NULL: none */
        char *type;                          /* image: "png" or "jpeg" */
        int width, height;
} RenderResult;

void render_result_done(RenderResult *r);

/* 1: the helper refused (problem: code and text of what is wrong with the input). -EPIPE: it died. */
int render_run(const RenderRequest *request, RenderResult *ret, Problem *problem);

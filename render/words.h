/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The few words of a pdf that are not the caller's, and how values are written in it. Pure. */

#include "common/buffer.h"
#include "render/header.h"
#include "render/rows.h"

typedef struct Words {
        const char *data_of;                 /* before the data's date */
        const char *no_rows, *no_data;
        const char *yes, *no;
        const char *columns, *of;            /* columns 1–9 of 25 */
        char thousands, point;
} Words;

const Words *words_of(const char *language);

void words_number(const Words *w, const char *number, Buffer *ret);      /* 1234567 → 1,234,567; others as they are */
/* A value as it is shown, appended. Decodes in the row's memory: once only. */
void words_value(const Words *w, Header *h, size_t column, Value *v, Buffer *ret);

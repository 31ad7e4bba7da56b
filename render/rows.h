/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Rows from a descriptor: one line of JSON each. A row is held whole (ROW_MAX bytes at most) and its values are
 * decoded where they lie, one after the other; nothing is kept from one row to the next. Strict: what RFC 8259 does
 * not allow, invalid UTF-8 and lone surrogates are refused, with line and byte. */

#include "common/problem.h"

enum {
        ROW_MAX = 16 * 1024 * 1024,
        ROW_DEPTH_MAX = 64,                  /* of arrays and objects in one value */
};

typedef enum ValueKind {
        VALUE_NULL,
        VALUE_FALSE,
        VALUE_TRUE,
        VALUE_NUMBER,        /* text is the number as it was written */
        VALUE_TEXT,          /* text is decoded; a NUL may be inside */
        VALUE_LIST,          /* an array of strings; text is its JSON until value_join() */
        VALUE_RAW,           /* any other array or object; text is its JSON */
} ValueKind;

typedef struct Value {
        ValueKind kind;
        char *text;          /* in the reader's memory, valid until the next row, followed by a NUL */
        size_t size;
        bool plain;          /* of a text: certainly without control characters, escapes and noncharacters */
} Value;

typedef struct Rows Rows;

Rows *rows_new(int fd) _warn_unused_;                            /* fd stays the caller's */
void rows_free(Rows *r);
DEFINE_CLEANUP(Rows, rows_free)

void rows_allow_objects(Rows *r, bool allow);                    /* rows written as objects; not at first */
int64_t rows_position(const Rows *r);                            /* where in the file the next line begins */
int rows_restart(Rows *r, int64_t position, int64_t line);       /* of a file: reads on from there, behind that line */
int64_t rows_line(const Rows *r);                                /* number of the current line, from 1 */

/* The next line, without its end. *ret is NULL at the end of the input. For the header. */
int rows_next_line(Rows *r, char **ret, size_t *ret_size, Problem *problem);

/* Goes to the next row of the section; *ret_more is false when there is none: rows_next_line() then gives the next
 * section's header (an object whose first key is "sheet"), or the end. The row before must have been read to its end. */
int rows_next(Rows *r, bool *ret_more, Problem *problem);
/* The next value of the row. Asking beyond the last one is a refusal. */
int rows_value(Rows *r, Value *ret, Problem *problem);
/* The same, of a row that may be an object: its next key must then be name. */
int rows_field(Rows *r, const char *name, Value *ret, Problem *problem);
int rows_end(Rows *r, Problem *problem);                         /* a refusal unless all values have been read */

void value_join(Value *v);                                       /* VALUE_LIST becomes VALUE_TEXT: "one, two" */

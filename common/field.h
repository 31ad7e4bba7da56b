/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The scalars of an entity as a table: one row per field, and one five-case switch per direction (bus, JSON,
 * store). No nested kinds, no callbacks but check, no SQL, no permissions, no column widths. Lists and children are
 * written by hand. A sixth type needs three entities that want it. */

#include "common/json.h"
#include "common/value.h"

typedef enum FieldType {
        FIELD_TEXT,          /* const char *; NULL: not given */
        FIELD_ENUM,          /* int; index into names; -1: not given */
        FIELD_BOOL,          /* bool */
        FIELD_INT,           /* int64_t */
        FIELD_TIME,          /* Usec; USEC_NONE: not given */
} FieldType;

enum {
        F_REQUIRED = 1,      /* may not be cleared once given, must be given at creation where the entity says so */
        F_EDIT = 2,          /* may be given in Create and Edit */
        F_CLEAR = 4,         /* may be emptied */
};

typedef struct Field {
        const char *name;                    /* = wire key = JSON key = column */
        FieldType type;
        unsigned flags;
        size_t offset;                       /* into the entity's struct */
        int64_t min, max;                    /* TEXT: characters after NFC; INT: value */
        const char *const *names;            /* ENUM, NULL-terminated */
        /* TEXT: judges and normalises; *text may be replaced by a string of the arena. NULL: one-line text. */
        int (*check)(Arena *a, const struct Field *field, const char **text, Problem *ret);
} Field;

const Field *field_find(const Field *fields, const char *name);  /* the table ends with name NULL */
const char **field_text(const Field *f, void *object);
int *field_enum(const Field *f, void *object);
bool *field_bool(const Field *f, void *object);
int64_t *field_int(const Field *f, void *object);                /* INT and TIME */
bool field_is_set(const Field *f, const void *object);           /* text, enum and time are not empty */
bool field_equal(const Field *f, const void *a, const void *b);

void json_put_field(Buffer *b, const Field *f, const void *object);  /* the value alone */
void json_put_fields(Buffer *b, const Field *fields, const void *object);   /* "name": value, … inside an open object */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/field.h"

const Field *field_find(const Field *fields, const char *name) {
        for (const Field *f = fields; f->name; f++)
                if (strcmp(f->name, name) == 0)
                        return f;
        return NULL;
}

static void *at(const Field *f, void *object) {
        return (char *) object + f->offset;
}

const char **field_text(const Field *f, void *object) {
        assert(f->type == FIELD_TEXT);
        return at(f, object);
}

int *field_enum(const Field *f, void *object) {
        assert(f->type == FIELD_ENUM);
        return at(f, object);
}

bool *field_bool(const Field *f, void *object) {
        assert(f->type == FIELD_BOOL);
        return at(f, object);
}

int64_t *field_int(const Field *f, void *object) {
        assert(f->type == FIELD_INT || f->type == FIELD_TIME);
        return at(f, object);
}

bool field_is_set(const Field *f, const void *object) {
        void *o = (void *) object;
        switch (f->type) {
        case FIELD_TEXT:
                return !str_empty(*field_text(f, o));
        case FIELD_ENUM:
                return *field_enum(f, o) >= 0;
        case FIELD_TIME:
                return *field_int(f, o) != USEC_NONE;
        case FIELD_BOOL:
        case FIELD_INT:
                return true;
        }
        return false;
}

bool field_equal(const Field *f, const void *a, const void *b) {
        void *x = (void *) a, *y = (void *) b;
        switch (f->type) {
        case FIELD_TEXT:
                return str_equal(*field_text(f, x), *field_text(f, y));
        case FIELD_ENUM:
                return *field_enum(f, x) == *field_enum(f, y);
        case FIELD_BOOL:
                return *field_bool(f, x) == *field_bool(f, y);
        case FIELD_INT:
        case FIELD_TIME:
                return *field_int(f, x) == *field_int(f, y);
        }
        return false;
}

void json_put_field(Buffer *b, const Field *f, const void *object) {
        void *o = (void *) object;
        switch (f->type) {
        case FIELD_TEXT:
                json_put_string(b, *field_text(f, o));
                break;
        case FIELD_ENUM:
                json_put_string(b, *field_enum(f, o) < 0 ? NULL : f->names[*field_enum(f, o)]);
                break;
        case FIELD_BOOL:
                json_put_bool(b, *field_bool(f, o));
                break;
        case FIELD_INT:
                json_put_int(b, *field_int(f, o));
                break;
        case FIELD_TIME:
                json_put_time(b, *field_int(f, o));
                break;
        }
}

void json_put_fields(Buffer *b, const Field *fields, const void *object) {
        for (const Field *f = fields; f->name; f++) {
                json_put_key(b, f->name);
                json_put_field(b, f, object);
        }
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The expression that picks customers, or rows of another dataset:
 *
 *     tag = gold and country in (DE, AT) and not status = working and organization ~ "conto"
 *
 * Text in, tree out; pure. Everything lives in the arena given. Parsing knows no fields; selector_check() resolves them
 * against a dataset and types the values. Every refusal is InvalidArgument with code bad-selector, field selector, and
 * the place in characters from 1.
 *
 * Logic is two-valued: an unset value satisfies none of = in ~ < >; != and not are exact complements. */

#include "common/buffer.h"
#include "common/clock.h"
#include "common/id.h"
#include "common/problem.h"
#include "daemon/model/dataset.h"

enum {
        SELECTOR_TERMS_MAX = 64,
        SELECTOR_DEPTH_MAX = 16,             /* of parentheses and nots */
        SELECTOR_VALUES_MAX = 1000,          /* in all lists together */
        SELECTOR_BYTES_MAX = 64 << 10,
};

typedef enum SelectorKind { SELECTOR_TERM, SELECTOR_AND, SELECTOR_OR, SELECTOR_NOT } SelectorKind;

typedef enum SelectorOp {
        SELECTOR_EQ,         /* = and in: any of the values */
        SELECTOR_NE,         /* exact complement of EQ */
        SELECTOR_MATCH,      /* ~ */
        SELECTOR_LT,
        SELECTOR_GT,
} SelectorOp;

/* What the field of a term is. */
typedef enum SelectorField {
        SELECTOR_COLUMN,     /* a column of the dataset */
        SELECTOR_CUSTOM,     /* custom.NAME: the pair's value as text */
        SELECTOR_GROUP,      /* member of a customer group */
        SELECTOR_POSITIVE,   /* open-tickets = yes: the column is above 0, or not */
        SELECTOR_ACTOR,      /* the user's name in an actor */
} SelectorField;

typedef struct SelectorValue {
        const char *text;                    /* as written, unescaped */
        unsigned at;                         /* where it stands */
        /* After selector_check(), by the column's type: */
        const char *exact;                   /* text, enumerations, elements of lists: what = compares */
        const char *key;                     /* text: its search and sort key, what ~ < > compare */
        int64_t number;                      /* integers; booleans 0 or 1; times: the first microsecond … */
        int64_t end;                         /* … and the first after: the second or the day that was named */
        Id id;
} SelectorValue;

typedef struct Selector Selector;
struct Selector {
        SelectorKind kind;
        Selector *children;                  /* AND, OR: two or more, by next; NOT: one */
        Selector *next;

        const char *name;                    /* TERM: the field as written */
        unsigned at;
        SelectorOp op;
        SelectorValue *values;               /* one or more; after the check without doubles */
        size_t n_values;
        /* After selector_check(): */
        SelectorField field;
        const Column *column;                /* COLUMN, POSITIVE, ACTOR */
        const char *custom;                  /* CUSTOM: the pair's name */
        bool of_customer;                    /* the field is one of the row's customer: customer.FIELD */
};

int selector_parse(Arena *a, const char *text, Selector **ret, Problem *problem);
/* Resolves names and values in place. A tree is checked against one dataset only. */
int selector_check(Arena *a, const Dataset *d, Selector *s, Problem *problem);

/* Both in one: what callers want. */
int selector_read(Arena *a, const Dataset *d, const char *text, Selector **ret, Problem *problem);

/* A customer group: a name for a selector over customers, which itself names no group. */
typedef struct SelectorGroup {
        const char *name, *selector;
} SelectorGroup;
typedef struct SelectorGroups {
        const SelectorGroup *items;
        size_t n;
} SelectorGroups;

/* Puts the selectors of the groups in the place of what names them in a checked tree. An unknown group is refused. */
int selector_expand(Arena *a, Selector *s, const SelectorGroups *groups, Problem *problem);
bool selector_names_group(Arena *a, const Selector *s, const char *key);     /* in a checked tree: the one of this key, or any (NULL) */

/* text as a value in double quotes: for programs that build selectors. */
void selector_quote(Buffer *b, const char *text);

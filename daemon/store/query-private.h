/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The inside of Query, for query*.c. */

#include "daemon/store/query.h"

enum {
        SQL_NOT_NULL = 1,    /* value is never NULL */
        SQL_COVERED = 2,     /* part of customer_by_organization: costs no look-up of the row while walking that index */
        SQL_UNIQUE = 4,      /* find gives one row at most */
        SQL_BLANK = 8,       /* what is shown is '' where nothing is set, for an index's sake; a function in each row would cost more */
};

/* What a column of a dataset is in SQL. Expressions, with the dataset's alias. */
typedef struct SqlColumn {
        const char *name;                    /* same order as the dataset's columns */
        const char *show;                    /* what is shown */
        const char *value;                   /* what is compared and sorted by: NULL if unset; NULL: same as show */
        const char *key;                     /* TEXT: its stored search key; NULL: text_key(value) */
        const char *exact;                   /* TEXT: what = compares; NULL: value */
        const char *order;                   /* the whole of its sort keys, where that is not value */
        unsigned flags;
        const char *walk;                    /* the index in whose order a sort by this column goes */
        const char *find;                    /* the index that begins with exact and goes on in the default order; "": of its own */
        int rank;                            /* find, table: which of several equalities leads; small is selective */
        const char *common;                  /* a value that most rows tend to have: it leads only if nothing else does */
        /* LIST kept in a table as well, (element, default order …, customer); else its JSON is opened. */
        const char *table, *element, *element_key;
} SqlColumn;

typedef struct SqlDataset {
        const char *kind;
        const char *from;                    /* table and alias */
        const char *tie;                     /* the last key of every order */
        char tie_type;
        const char *n, *id;                  /* internal key; id or NULL */
        const char *time;                    /* what since and until are about; NULL: nothing */
        const char *parent;                  /* compared with the request's parent; NULL: none */
        const char *customer;                /* internal key of the row's customer, NULL if it has none */
        const char *owner;                   /* uid; NULL: none. Under a scope it opens rows without a customer, or all if own */
        bool own;                            /* under a scope only the owner's, whoever's customer they are about */
        const char *shared;                  /* rows that everybody sees all the same; NULL: none */
        const SqlColumn *columns;
} SqlDataset;

const SqlDataset *sql_dataset(const Dataset *d);
const SqlColumn *sql_column(const SqlDataset *d, const Dataset *dataset, const Column *c);

/* Above 0 in an index of its own: "customers with open tickets" in list order. */
extern const SqlColumn sql_positive_tickets;

/* ---- values ---- */

typedef struct QueryValue {
        char type;                           /* t text, i integer, d id */
        int64_t integer;
        const char *text;
        size_t size;
        Id id;
} QueryValue;

enum { QUERY_KEYS_MAX = 4, QUERY_DIGEST_SIZE = 12, QUERY_ARMS_MAX = 8 };

/* The order of a query, most significant first; the last one makes it total. */
typedef struct QueryOrder {
        const char *exprs[QUERY_KEYS_MAX];
        char types[QUERY_KEYS_MAX];          /* as QueryValue.type */
        size_t n;
        bool descending;
        const SqlColumn *column;
        bool indexed;
} QueryOrder;

typedef struct QueryColumn {
        const Column *column;
        int position;                        /* in the statement's result */
        bool blank;                          /* SQL_BLANK */
        const char *key;                     /* as it stands in a JSON row: a comma, the name in quotes, a colon */
        size_t key_size;
} QueryColumn;

struct Query {
        const Dataset *dataset;
        const char *sql, *count_sql;
        QueryValue *values;
        size_t n_values;
        QueryColumn *columns;
        size_t n_columns;
        QueryOrder order;
        int key_positions[QUERY_KEYS_MAX];
        uint8_t digest[QUERY_DIGEST_SIZE];
        int64_t limit;
        bool ids;                            /* result begins with internal key and id */
        bool sorts;                          /* what its leader finds, although the order has an index */
};

/* ---- cursors ---- */

void cursor_digest(const QueryRequest *request, uint8_t ret[QUERY_DIGEST_SIZE]);
char *cursor_write(const Query *q, const QueryValue *values);    /* q->order.n of them; owned by the caller */
int cursor_read(Arena *a, const char *text, const Query *q, QueryValue *ret, Problem *problem);

/* ---- compiling ---- */

typedef struct Compiler {
        Arena *arena;
        const QueryRequest *request;
        Problem *problem;
        Query *q;
        const SqlDataset *sql;               /* whose columns a term is about; customers inside an EXISTS over them */
        const Dataset *dataset;
        size_t values_size;
        int uid_parameter;                   /* 0: not bound yet */
        bool searches;                       /* some condition looks for a part of the organization's name */
        const char *names;                   /* customers: the alias that has organization_key at hand: c or the leader's d */
        bool uncovered;                      /* some term needs more than customer_by_organization holds */
} Compiler;

int bind_text(Compiler *c, const char *text);                    /* all of these: the parameter's number */
int bind_integer(Compiler *c, int64_t v);
int bind_id(Compiler *c, Id id);
int bind_value(Compiler *c, QueryValue v);
int bind_uid(Compiler *c);

const char *sql_value(Compiler *c, const SqlColumn *column);     /* what is compared and sorted by */
const char *sql_key(Compiler *c, const SqlColumn *column, const Column *of);

/* A node as an expression that is 0 or 1, never NULL. */
void emit_selector(Compiler *c, Buffer *b, const Selector *s);
/* "expr = ?" or "expr IN (?, …)" over the exact values of a checked term. */
void emit_equal(Compiler *c, Buffer *b, const char *expr, const Selector *s);
bool selector_is_positive(const Selector *s, bool *ret_yes);     /* "are there open tickets" in any wording */

/* What a query is led by. One value: the index gives the order as well. Several: one arm each, merged; or all at once,
 * and what they find is sorted. */
typedef struct Leader {
        const Selector *condition;           /* NULL: the order's own index leads, or none */
        const SqlColumn *column;             /* with find or table; NULL with a condition: the caller's pins */
        QueryValue *values;
        size_t n_values;
        bool at_once;
} Leader;

/* Chooses among the conditions, all of which hold, and adapts c->q->order to the choice. */
void leader_choose(Compiler *c, const Selector *const *conditions, size_t n, Leader *ret);
size_t leader_arms(const Leader *l);
/* "FROM … WHERE …" of one arm without what the leader does not say; ends in WHERE or AND. */
void leader_emit(Compiler *c, Buffer *b, const Leader *l, size_t arm);

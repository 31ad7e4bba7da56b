/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "daemon/store/db-private.h"
#include "daemon/store/query-private.h"

/* Compiling costs more than finding one row, and the question is always the same but for the id and who asks. */

enum { DATASETS_MAX = 32 };

typedef struct OneQuery {
        const Dataset *dataset;
        Query *query;
        QueryValue *uid;                     /* of the query's values; NULL if it does not matter who asks */
} OneQuery;

struct OneQueries {
        Arena *arena;
        OneQuery items[DATASETS_MAX];
        size_t n;
};

void one_queries_free(OneQueries *o) {
        if (!o)
                return;
        arena_free(o->arena);
        free(o);
}

static int compile_one(OneQueries *all, const Dataset *d, OneQuery *ret) {
        static const int64_t somebody = INT64_MIN + 1;       /* nobody has this uid: it marks the place */
        const QueryRequest request = { .dataset = d, .selector = "id = 00000000000000000000000000000000", .limit = 1, .uid = somebody };
        Problem problem;
        Query *q;

        int r = query_compile(all->arena, &request, &q, &problem);
        if (r != 0)
                return r < 0 ? r : -EINVAL;
        *ret = (OneQuery) { .dataset = d, .query = q };
        q->limit = 0;                        /* there is no next page to look for */
        for (size_t i = 0; i < q->n_values; i++)
                if (q->values[i].type == 'i' && q->values[i].integer == somebody)
                        ret->uid = &q->values[i];
        return 0;
}

static int find(Db *db, const Dataset *d, OneQuery **ret) {
        if (!db->ones) {
                db->ones = memory_new(sizeof(*db->ones));
                db->ones->arena = arena_new();
        }
        OneQueries *all = db->ones;
        for (size_t i = 0; i < all->n; i++)
                if (all->items[i].dataset == d) {
                        *ret = &all->items[i];
                        return 0;
                }
        assert(all->n < DATASETS_MAX);
        int r = compile_one(all, d, &all->items[all->n]);
        if (r < 0)
                return r;
        *ret = &all->items[all->n++];
        return 0;
}

int query_one(Db *db, const Dataset *d, Id id, int64_t uid, Buffer *out) {
        size_t before = out->size;
        OneQuery *one = NULL;

        int r = find(db, d, &one);
        if (r < 0)
                return r;
        /* Once for the rows and once for their count. */
        for (size_t i = 0; i < one->query->n_values; i++)
                if (one->query->values[i].type == 'd')
                        one->query->values[i].id = id;
        if (one->uid)
                one->uid->integer = uid;
        r = query_run(db, one->query, QUERY_LINES, out, NULL);
        if (r < 0 || out->size == before)
                return r;
        out->data[--out->size] = 0;          /* its line end */
        return 1;
}

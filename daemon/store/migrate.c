/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "common/crash.h"
#include "daemon/store/db-private.h"
#include "daemon/store/migrate.h"
#include "daemon/store/schema.h"

typedef struct Migration {
        int version;                         /* what it leads to; one more than the row before */
        const char *sql;
} Migration;

static const Migration migrations[] = {
        { SCHEMA_FIRST, NULL },
};

#ifdef TEST_HOOKS
/* Made up: a column for every task, one row each rewritten, a table and an index, so that there is something to be half
 * done. TENANTD_SCHEMA=2 is a program that knows it; 3 one whose second step fails. */
static const Migration tried[] = {
        { 2, "ALTER TABLE task ADD COLUMN tried INTEGER NOT NULL DEFAULT 0;"
             "UPDATE task SET tried = attempt;"
             "CREATE TABLE tried(n INTEGER PRIMARY KEY, id BLOB NOT NULL) STRICT;"
             "INSERT INTO tried(n, id) SELECT n, id FROM customer;"
             "CREATE INDEX tried_by_id ON tried(id);" },
        { 3, "CREATE TABLE tried_more(n INTEGER PRIMARY KEY) STRICT; UPDATE nowhere SET n = 1;" },
};

static int tried_up_to(void) {
        const char *wanted = getenv("TENANTD_SCHEMA");
        return wanted ? atoi(wanted) : 0;
}
#endif

int schema_version(void) {
        int version = migrations[ELEMENTSOF(migrations) - 1].version;
#ifdef TEST_HOOKS
        version = MAX(version, tried_up_to());
#endif
        return version;
}

static int step(Db *db, const Migration *m, int from) {
        if (m->version <= from || !m->sql)
                return 0;
        int r = db_exec(db, m->sql);
        crash_point("after_step");
        return r;
}

int migrate_apply(Db *db, int from) {
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(migrations) && r >= 0; i++)
                r = step(db, &migrations[i], from);
#ifdef TEST_HOOKS
        for (size_t i = 0; i < ELEMENTSOF(tried) && r >= 0 && tried[i].version <= tried_up_to(); i++)
                r = step(db, &tried[i], from);
#endif
        return r;
}

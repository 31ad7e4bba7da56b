/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "common/log.h"
#include "daemon/leftovers.h"
#include "daemon/store/operation-store.h"
#include "daemon/store/report-store.h"

typedef int (*IsWanted)(Db *db, const char *path);      /* relative to the state directory; 1 yes, 0 no */

static int remove_unwanted(Db *db, const char *state, const char *folder, IsWanted is_wanted) {
        char path[4200], whole[8400];
        int removed = 0, r = 0;

        snprintf(whole, sizeof(whole), "%s/%s", state, folder);
        DIR *d = opendir(whole);
        if (!d)
                return -errno;
        for (const struct dirent *e; r >= 0 && (e = readdir(d));) {
                if (e->d_name[0] == '.')
                        continue;
                snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
                r = is_wanted(db, path);
                if (r != 0)
                        continue;
                snprintf(whole, sizeof(whole), "%s/%s", state, path);
                removed += unlink(whole) == 0;
        }
        closedir(d);
        if (removed > 0)
                log_info("%d files that nothing refers to were removed from %s", removed, folder);
        return r;
}

int leftovers_remove(Db *db, const char *state) {
        int r = remove_unwanted(db, state, "spool", operation_wants_file);
        return r < 0 ? r : remove_unwanted(db, state, "reports", report_wants_file);
}

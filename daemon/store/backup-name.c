/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "common/time.h"
#include "daemon/store/backup-name.h"

static const char *const kinds[] = { "nightly", "replaced", "before-schema-" };

char *backup_name(const char *kind, Usec now, char ret[BACKUP_NAME_SIZE]) {
        CivilTime t = civil_from_usec(now);
        snprintf(ret, BACKUP_NAME_SIZE, "%s-%04d-%02d-%02dT%02d-%02d-%02dZ.db", kind, t.year, t.month, t.day, t.hour, t.minute, t.second);
        return ret;
}

const char *backup_name_read(const char *whole, Usec *ret) {
        char kind[48], again[BACKUP_NAME_SIZE], name[BACKUP_NAME_SIZE];
        size_t n = strlen(whole), tail = strlen("-2026-12-01T02-30-00Z.db"), wal = strlen("-wal");
        bool is_wal = n > wal && strcmp(whole + n - wal, "-wal") == 0;
        CivilTime t = {};

        n -= is_wal ? wal : 0;
        if (n <= tail || n - tail >= sizeof(kind))
                return NULL;
        memcpy(name, whole, n);
        name[n] = 0;
        memcpy(kind, name, n - tail);
        kind[n - tail] = 0;
        if (is_wal && strcmp(kind, "replaced") != 0)
                return NULL;
        if (sscanf(name + n - tail, "-%4d-%2d-%2dT%2d-%2d-%2dZ.db", &t.year, &t.month, &t.day, &t.hour, &t.minute, &t.second) != 6 || t.year < 1 ||
            t.month < 1 || t.month > 12 || t.day < 1 || t.day > 31)
                return NULL;
        *ret = civil_usec(&t);
        if (strcmp(backup_name(kind, *ret, again), name) != 0)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                size_t k = strlen(kinds[i]);
                bool numbered = kinds[i][k - 1] == '-';
                if (strncmp(kind, kinds[i], k) == 0 && (numbered ? kind[k] && strspn(kind + k, "0123456789") == strlen(kind + k) : !kind[k]))
                        return kinds[i];
        }
        return NULL;
}

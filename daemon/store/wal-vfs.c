/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "common/memory.h"
#include "daemon/store/wal-vfs.h"

enum { GATHERED_MAX = 64 << 10 };            /* bytes; SQLite's own VFS writes less than 128 KiB at once */

typedef struct WalFile {
        sqlite3_file base;
        sqlite3_file *real;                  /* behind this struct */
        char *gathered;                      /* what is not written yet: n bytes at offset; NULL: nothing is gathered */
        int n;
        sqlite3_int64 offset;
} WalFile;

typedef struct WalVfs {
        sqlite3_vfs vfs;
        sqlite3_vfs *base;
        char name[64];
} WalVfs;

/* What cannot be written is forgotten: the transaction is taken back, and what follows is written to the same place. A commit that fails
 * does that by itself. Where pages leave before the end (an upgrade, VACUUM), a full disk may end the statement alone, and what earlier
 * ones wrote is lost all the same: such a transaction must not go on. */
static int flush(WalFile *f) {
        int n = f->n;

        f->n = 0;
        return n == 0 ? SQLITE_OK : f->real->pMethods->xWrite(f->real, f->gathered, n, f->offset);
}

static int wal_close(sqlite3_file *file) {
        WalFile *f = (WalFile *) file;
        int rc = flush(f), closed = f->real->pMethods->xClose(f->real);

        free(f->gathered);
        return rc == SQLITE_OK ? closed : rc;
}

static int wal_read(sqlite3_file *file, void *to, int n, sqlite3_int64 offset) {
        WalFile *f = (WalFile *) file;
        int rc = flush(f);
        return rc == SQLITE_OK ? f->real->pMethods->xRead(f->real, to, n, offset) : rc;
}

static int wal_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 offset) {
        WalFile *f = (WalFile *) file;
        bool follows = f->n > 0 && offset == f->offset + f->n;
        int rc = follows && f->n + n <= GATHERED_MAX ? SQLITE_OK : flush(f);

        if (rc != SQLITE_OK || n > GATHERED_MAX || !f->gathered)
                return rc != SQLITE_OK ? rc : f->real->pMethods->xWrite(f->real, from, n, offset);
        if (f->n == 0)
                f->offset = offset;
        memcpy(f->gathered + f->n, from, (size_t) n);
        f->n += n;
        return SQLITE_OK;
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size) {
        WalFile *f = (WalFile *) file;
        int rc = flush(f);
        return rc == SQLITE_OK ? f->real->pMethods->xTruncate(f->real, size) : rc;
}

static int wal_sync(sqlite3_file *file, int flags) {
        WalFile *f = (WalFile *) file;
        int rc = flush(f);
        return rc == SQLITE_OK ? f->real->pMethods->xSync(f->real, flags) : rc;
}

static int wal_file_size(sqlite3_file *file, sqlite3_int64 *ret) {
        WalFile *f = (WalFile *) file;
        int rc = flush(f);
        return rc == SQLITE_OK ? f->real->pMethods->xFileSize(f->real, ret) : rc;
}

static int wal_lock(sqlite3_file *file, int level) {
        WalFile *f = (WalFile *) file;
        return f->real->pMethods->xLock(f->real, level);
}

static int wal_unlock(sqlite3_file *file, int level) {
        WalFile *f = (WalFile *) file;
        return f->real->pMethods->xUnlock(f->real, level);
}

static int wal_check_reserved_lock(sqlite3_file *file, int *ret) {
        WalFile *f = (WalFile *) file;
        return f->real->pMethods->xCheckReservedLock(f->real, ret);
}

static int wal_file_control(sqlite3_file *file, int what, void *argument) {
        WalFile *f = (WalFile *) file;
        int rc = flush(f);
        return rc == SQLITE_OK ? f->real->pMethods->xFileControl(f->real, what, argument) : rc;
}

static int wal_sector_size(sqlite3_file *file) {
        WalFile *f = (WalFile *) file;
        return f->real->pMethods->xSectorSize(f->real);
}

static int wal_device_characteristics(sqlite3_file *file) {
        WalFile *f = (WalFile *) file;
        return f->real->pMethods->xDeviceCharacteristics(f->real);
}

static int wal_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
        static const sqlite3_io_methods methods = {
                1, wal_close, wal_read, wal_write, wal_truncate, wal_sync, wal_file_size, wal_lock, wal_unlock, wal_check_reserved_lock,
                wal_file_control, wal_sector_size, wal_device_characteristics,
        };
        sqlite3_vfs *base = ((WalVfs *) v)->base;
        WalFile *f = (WalFile *) file;

        if (!(flags & SQLITE_OPEN_WAL))
                return base->xOpen(base, name, file, flags, ret_flags);
        *f = (WalFile) { .real = (sqlite3_file *) (f + 1) };
        int rc = base->xOpen(base, name, f->real, flags, ret_flags);
        if (rc != SQLITE_OK)
                return rc;
        f->base.pMethods = &methods;
        /* Where a write may spoil what lies beside it, SQLite fills the last sector up, and does part of that after it has synced:
         * who reads would not find it. */
        if (f->real->pMethods->xDeviceCharacteristics(f->real) & SQLITE_IOCAP_POWERSAFE_OVERWRITE)
                f->gathered = memory_new(GATHERED_MAX);
        return SQLITE_OK;
}

const char *wal_vfs(const char *base) {
        sqlite3_vfs *found = sqlite3_vfs_find(base ?: "unix-excl");
        char name[64];

        snprintf(name, sizeof(name), "wal-%s", base ?: "unix-excl");
        sqlite3_vfs *known = sqlite3_vfs_find(name);
        if (known || !found)
                return known ? known->zName : base;
        WalVfs *w = memory_new(sizeof(*w));
        w->base = found;
        w->vfs = *found;
        strcpy(w->name, name);
        w->vfs.zName = w->name;
        w->vfs.pNext = NULL;
        w->vfs.szOsFile = (int) sizeof(WalFile) + found->szOsFile;
        w->vfs.xOpen = wal_open;
        sqlite3_vfs_register(&w->vfs, 0);
        return w->name;
}

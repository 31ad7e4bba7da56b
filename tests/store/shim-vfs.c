/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"
#include "daemon/store/db-private.h"
#include "tests/store/shim-vfs.h"

enum { OPERATIONS = 4, KINDS = 4, PIECE = 4096 };

typedef struct ShimFile {
        sqlite3_file base;
        unsigned kind;
        struct ShimFile *next;
        sqlite3_file *real;                  /* lies behind this struct */
} ShimFile;

/* What a change overwrote, newest first; until the file is synced a power cut may bring it back. */
typedef struct Undo {
        ShimFile *file;
        sqlite3_int64 offset, size_before;
        char *bytes;                         /* zeros beyond the file's former end */
        int n;
        struct Undo *next;
} Undo;

static struct {
        pthread_mutex_t mutex;
        ShimFault fault;
        bool armed, frozen, keep_undo, plain;
        unsigned seen, hits;
        unsigned counts[OPERATIONS][KINDS];
        Undo *undo;
} shim = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static sqlite3_vfs vfs;
static sqlite3_vfs *real_vfs;

static sqlite3_file *real_of(sqlite3_file *f) {
        return ((ShimFile *) f)->real;
}

/* ---- orders ---- */

void shim_fail(const ShimFault *fault) {
        pthread_mutex_lock(&shim.mutex);
        shim.fault = *fault;
        shim.armed = true;
        shim.keep_undo = fault->lose;
        shim.seen = shim.hits = 0;
        pthread_mutex_unlock(&shim.mutex);
}

void shim_plain_disk(bool plain) {
        shim.plain = plain;
}

void shim_heal(void) {
        pthread_mutex_lock(&shim.mutex);
        shim.armed = shim.frozen = shim.keep_undo = false;
        pthread_mutex_unlock(&shim.mutex);
}

unsigned shim_hits(void) {
        return shim.hits;
}

void shim_count_anew(void) {
        pthread_mutex_lock(&shim.mutex);
        memset(shim.counts, 0, sizeof(shim.counts));
        pthread_mutex_unlock(&shim.mutex);
}

unsigned shim_count(unsigned operations, unsigned files) {
        unsigned sum = 0;
        for (unsigned o = 0; o < OPERATIONS; o++)
                for (unsigned k = 0; k < KINDS; k++)
                        if (operations & 1u << o && files & 1u << k)
                                sum += shim.counts[o][k];
        return sum;
}

/* ---- the power cut ---- */

static void undo_forget(ShimFile *f) {
        Undo **p = &shim.undo;
        while (*p) {
                Undo *u = *p;
                if (u->file != f) {
                        p = &u->next;
                        continue;
                }
                *p = u->next;
                free(u->bytes);
                free(u);
        }
}

static void undo_keep_piece(ShimFile *f, sqlite3_int64 offset, int n, sqlite3_int64 size_before) {
        Undo *u = calloc(1, sizeof(*u));
        u->file = f;
        u->offset = offset;
        u->size_before = size_before;
        u->n = n;
        u->bytes = calloc(1, (size_t) u->n + 1);
        if (offset < u->size_before)
                f->real->pMethods->xRead(f->real, u->bytes, (int) MIN((sqlite3_int64) u->n, u->size_before - offset), offset);
        u->next = shim.undo;
        shim.undo = u;
}

/* Of a write each page has a fate of its own, however many were written at once. */
static void undo_keep(ShimFile *f, sqlite3_int64 offset, int n) {
        sqlite3_int64 size = 0;

        f->real->pMethods->xFileSize(f->real, &size);
        if (n < 0)
                undo_keep_piece(f, offset, (int) MAX(size - offset, (sqlite3_int64) 0), size);
        for (int done = 0, k; done < n; done += k) {
                k = MIN(n - done, PIECE - (int) ((offset + done) % PIECE));
                undo_keep_piece(f, offset + done, k, MAX(size, done > 0 ? offset + done : size));
        }
}

/* Newest first. What was appended and is lost leaves zeros, or the file ends before it and all that came after. */
static void undo_by_chance(void) {
        for (Undo *u = shim.undo; u; u = u->next) {
                sqlite3_file *real = u->file->real;
                if (random_below(2))
                        continue;
                real->pMethods->xWrite(real, u->bytes, u->n, u->offset);
                if (u->size_before < u->offset + u->n && random_below(2))
                        real->pMethods->xTruncate(real, u->size_before);
        }
}

/* ---- the calls ---- */

static bool is_meant(const ShimFault *fault, ShimFile *f, unsigned operation, sqlite3_int64 end) {
        sqlite3_int64 size = 0;

        if (!(fault->operations & operation) || !(fault->files & f->kind))
                return false;
        if (fault->grows)
                f->real->pMethods->xFileSize(f->real, &size);
        return !fault->grows || end > size;
}

/* 0: go on, else what to return. */
static int judge(ShimFile *f, unsigned operation, sqlite3_int64 offset, const void *bytes, int n) {
        int code = SQLITE_OK;

        pthread_mutex_lock(&shim.mutex);
        shim.counts[__builtin_ctz(operation)][__builtin_ctz(f->kind)]++;
        if (shim.keep_undo && operation & (SHIM_WRITE | SHIM_TRUNCATE) && f->kind != SHIM_TEMPORARY)
                undo_keep(f, offset, operation == SHIM_WRITE ? n : -1);
        const ShimFault *fault = &shim.fault;
        if (shim.frozen) {
                code = operation == SHIM_READ ? SQLITE_OK : SQLITE_IOERR;
        } else if (shim.armed && is_meant(fault, f, operation, offset + n) && shim.seen++ >= fault->after &&
            (fault->times == 0 || shim.hits < fault->times)) {
                shim.hits++;
                if (fault->torn && operation == SHIM_WRITE)
                        f->real->pMethods->xWrite(f->real, bytes, n / 2, offset);
                if (fault->freeze && fault->lose)
                        undo_by_chance();
                shim.keep_undo = false;
                shim.frozen = fault->freeze;
                code = fault->code ?: SQLITE_IOERR;
        } else if (operation == SHIM_SYNC) {
                undo_forget(f);
        }
        pthread_mutex_unlock(&shim.mutex);
        return code;
}

static int shim_close(sqlite3_file *f) {
        pthread_mutex_lock(&shim.mutex);
        undo_forget((ShimFile *) f);
        pthread_mutex_unlock(&shim.mutex);
        return real_of(f)->pMethods->xClose(real_of(f));
}

static int shim_read(sqlite3_file *f, void *bytes, int n, sqlite3_int64 offset) {
        int rc = judge((ShimFile *) f, SHIM_READ, offset, NULL, 0);
        return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xRead(real_of(f), bytes, n, offset);
}

static int shim_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 offset) {
        int rc = judge((ShimFile *) f, SHIM_WRITE, offset, bytes, n);
        return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xWrite(real_of(f), bytes, n, offset);
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size) {
        int rc = judge((ShimFile *) f, SHIM_TRUNCATE, size, NULL, 0);
        return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int shim_sync(sqlite3_file *f, int flags) {
        int rc = judge((ShimFile *) f, SHIM_SYNC, 0, NULL, 0);
        return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int shim_file_size(sqlite3_file *f, sqlite3_int64 *ret) {
        return real_of(f)->pMethods->xFileSize(real_of(f), ret);
}

static int shim_lock(sqlite3_file *f, int level) {
        return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int shim_unlock(sqlite3_file *f, int level) {
        return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int shim_check_reserved_lock(sqlite3_file *f, int *ret) {
        return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret);
}

static int shim_file_control(sqlite3_file *f, int operation, void *argument) {
        return real_of(f)->pMethods->xFileControl(real_of(f), operation, argument);
}

static int shim_sector_size(sqlite3_file *f) {
        return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int shim_device_characteristics(sqlite3_file *f) {
        int real = real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
        return shim.plain ? real & ~SQLITE_IOCAP_POWERSAFE_OVERWRITE : real;
}

static int shim_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret) {
        return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, ret);
}

static int shim_shm_lock(sqlite3_file *f, int offset, int n, int flags) {
        return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *f) {
        real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int shim_shm_unmap(sqlite3_file *f, int delete) {
        return real_of(f)->pMethods->xShmUnmap(real_of(f), delete);
}

static unsigned kind_of(int flags) {
        if (flags & SQLITE_OPEN_MAIN_DB)
                return SHIM_DATABASE;
        if (flags & SQLITE_OPEN_WAL)
                return SHIM_WAL;
        if (flags & SQLITE_OPEN_MAIN_JOURNAL)
                return SHIM_JOURNAL;
        return SHIM_TEMPORARY;
}

static int shim_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
        /* Version 2: without memory-mapped pages, which nobody here uses. */
        static const sqlite3_io_methods methods = {
                2, shim_close, shim_read, shim_write, shim_truncate, shim_sync, shim_file_size, shim_lock, shim_unlock,
                shim_check_reserved_lock, shim_file_control, shim_sector_size, shim_device_characteristics, shim_shm_map,
                shim_shm_lock, shim_shm_barrier, shim_shm_unmap, NULL, NULL,
        };
        ShimFile *f = (ShimFile *) file;

        *f = (ShimFile) { .kind = kind_of(flags), .real = (sqlite3_file *) (f + 1) };
        if (shim.frozen && flags & SQLITE_OPEN_CREATE)
                return SQLITE_CANTOPEN;
        int rc = real_vfs->xOpen(real_vfs, name, f->real, flags, ret_flags);
        if (rc == SQLITE_OK)
                f->base.pMethods = &methods;
        return rc;
}

static int shim_delete(sqlite3_vfs *v, const char *name, int sync_folder) {
        return shim.frozen ? SQLITE_IOERR_DELETE : real_vfs->xDelete(real_vfs, name, sync_folder);
}

static int shim_access(sqlite3_vfs *v, const char *name, int flags, int *ret) {
        return real_vfs->xAccess(real_vfs, name, flags, ret);
}

static int shim_full_pathname(sqlite3_vfs *v, const char *name, int n, char *ret) {
        return real_vfs->xFullPathname(real_vfs, name, n, ret);
}

void shim_register(void) {
        if (real_vfs)
                return;
        db_configure();
        real_vfs = sqlite3_vfs_find("unix-excl");
        vfs = *real_vfs;
        vfs.pNext = NULL;
        vfs.zName = SHIM_VFS;
        vfs.szOsFile = (int) sizeof(ShimFile) + real_vfs->szOsFile;
        vfs.xOpen = shim_open;
        vfs.xDelete = shim_delete;
        vfs.xAccess = shim_access;
        vfs.xFullPathname = shim_full_pathname;
        sqlite3_vfs_register(&vfs, 0);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/files.h"
#include "common/random.h"
#include "daemon/store/audit-seal.h"
#include "daemon/store/db-private.h"
#include "daemon/store/key.h"
#include "daemon/store/setting-store.h"

enum { DIGITS = 2 * KEY_SIZE };

static int hex_value(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse(const Buffer *text, uint8_t ret[KEY_SIZE]) {
        if (text->size != DIGITS && !(text->size == DIGITS + 1 && text->data[DIGITS] == '\n'))
                return false;
        for (size_t i = 0; i < KEY_SIZE; i++) {
                int high = hex_value(text->data[2 * i]), low = hex_value(text->data[2 * i + 1]);
                if (high < 0 || low < 0)
                        return false;
                ret[i] = (uint8_t) (high << 4 | low);
        }
        return true;
}

/* 1 read, 0 not there, < 0 a fault, or a refusal in *problem with -EPERM. */
static int read_key(const char *path, bool ours, uint8_t ret[KEY_SIZE], Problem *problem) {
        Buffer text = {};
        struct stat st;

        if (stat(path, &st) < 0) {
                if (errno == ENOENT)
                        return 0;
                problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-key", NULL, "the key file %s cannot be read: %s", path, strerror(errno));
                return -EPERM;
        }
        /* A credential's mode is systemd's business. */
        if (ours && st.st_mode & 077) {
                problem_set(problem, PROBLEM_INVALID_ARGUMENT, "key-readable", NULL,
                            "the key file %s is readable by others: chmod 600 it; if somebody may have read it, rotate the key afterwards", path);
                return -EPERM;
        }
        int r = file_read(path, 4096, &text);
        if (r < 0 || !parse(&text, ret)) {
                problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-key", NULL, "the key file %s %s: restore it from a backup", path,
                            r < 0 ? strerror(-r) : "does not hold 64 hexadecimal digits");
                r = -EPERM;
        }
        buffer_wipe(&text);
        return r < 0 ? r : 1;
}

static int make_key(const char *path, uint8_t ret[KEY_SIZE]) {
        char text[DIGITS + 2];

        random_bytes(ret, KEY_SIZE);
        for (size_t i = 0; i < KEY_SIZE; i++)
                snprintf(text + 2 * i, 3, "%02x", ret[i]);
        text[DIGITS] = '\n';
        int r = file_write(path, text, DIGITS + 1, 0600);
        memory_wipe(text, sizeof(text));
        return r;
}

char *key_mark(const Key *k, char ret[KEY_MARK_SIZE]) {
        snprintf(ret, KEY_MARK_SIZE, "%02x%02x%02x%02x", k->mark[0], k->mark[1], k->mark[2], k->mark[3]);
        return ret;
}

static int find_key(const char *state, const char *credentials, bool known, Arena *a, uint8_t ret[KEY_SIZE], Problem *problem) {
        const char *own = arena_printf(a, "%s/key", state);
        int r = credentials ? read_key(arena_printf(a, "%s/key", credentials), false, ret, problem) : 0;

        if (r == 0)
                r = read_key(own, true, ret, problem);
        if (r != 0)
                return r < 0 ? r : 0;
        if (known) {
                problem_set(problem, PROBLEM_INVALID_ARGUMENT, "key-missing", NULL,
                            "the key file %s is gone, and the database holds what only it can open: restore it from a backup", own);
                return -EPERM;
        }
        r = make_key(own, ret);
        if (r < 0) {
                problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-key", NULL, "the key file %s cannot be written: %s", own, strerror(-r));
                return -EPERM;
        }
        return 0;
}

int key_open(Db *db, const char *state, const char *credentials, Problem *problem) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        uint8_t master[KEY_SIZE];
        char own[KEY_MARK_SIZE];
        const char *mark = NULL;
        Key key;

        int r = setting_get(db, a, "key-mark", &mark);
        if (r < 0)
                return r;
        r = find_key(state, credentials, mark, a, master, problem);
        if (r < 0)
                return r == -EPERM ? 1 : r;
        key_derive(master, &key);
        memory_wipe(master, sizeof(master));
        if (mark && !str_equal(mark, key_mark(&key, own))) {
                key_done(&key);
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "wrong-key", NULL,
                                   "%s: the key is not the one this database was used with: give the right one back, nothing was changed", state);
        }
        if (!mark)
                r = setting_put(db, "key-mark", key_mark(&key, own));
        if (!mark && r >= 0)
                r = audit_seal_begin(db, &key);
        db->key = memory_new(sizeof(*db->key));
        *db->key = key;
        key_done(&key);
        return MIN(r, 0);
}

const Key *db_key(const Db *db) {
        assert(db->key);
        return db->key;
}

void key_lend(Db *to, const Db *from) {
        if (!from->key)
                return;
        if (!to->key)
                to->key = memory_new(sizeof(*to->key));
        *to->key = *from->key;
}

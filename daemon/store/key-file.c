/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/crash.h"
#include "common/files.h"
#include "common/id.h"
#include "common/random.h"
#include "daemon/store/key-file.h"

enum { DIGITS = 2 * KEY_SIZE };

static bool parse(const Buffer *text, uint8_t ret[KEY_SIZE]) {
        bool one_line = text->size == DIGITS || (text->size == DIGITS + 1 && text->data[DIGITS] == '\n');
        return one_line && hex_parse(text->data, DIGITS, ret);
}

const char *key_mark(const Key *k, char ret[MARK_TEXT_SIZE]) {
        hex_text(k->mark, sizeof(k->mark), ret);
        return ret;
}

/* Of the state directory nobody else's business at all. A credential's group is what systemd gave it: there its access list is
 * shown as the group's rights. */
static int check_mode(const char *path, mode_t mode, bool ours, Problem *problem) {
        if (!(mode & (ours ? 077 : 07)))
                return 0;
        problem_set(problem, PROBLEM_INVALID_ARGUMENT, "key-readable", NULL,
                    "the key file %s is readable by others: chmod 600 it; if somebody may have read it, rotate the key afterwards", path);
        return -EPERM;
}

int key_file_read(const char *path, bool ours, Key *ret, Problem *problem) {
        uint8_t master[KEY_SIZE];
        Buffer text = BUFFER_SECRET;
        struct stat st;

        if (stat(path, &st) < 0) {
                if (errno == ENOENT)
                        return 0;
                problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-key", NULL, "the key file %s cannot be read: %s", path, strerror(errno));
                return -EPERM;
        }
        int r = check_mode(path, st.st_mode, ours, problem);
        if (r < 0)
                return r;
        /* Opening a pipe would wait for its other end. */
        r = S_ISREG(st.st_mode) ? file_read(path, 4096, &text) : -EINVAL;
        if (r < 0 || !parse(&text, master)) {
                problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-key", NULL, "the key file %s %s: restore it from a backup", path,
                            r == -EINVAL ? "is no file" : r < 0 ? strerror(-r) : "does not hold 64 hexadecimal digits");
                r = -EPERM;
        } else {
                key_derive(master, ret);
                r = 1;
        }
        memory_wipe(master, sizeof(master));
        buffer_done(&text);
        return r;
}

int key_file_make(const char *path, Key *ret) {
        uint8_t master[KEY_SIZE];
        char text[DIGITS + 2];

        random_bytes(master, KEY_SIZE);
        hex_text(master, KEY_SIZE, text);
        text[DIGITS] = '\n';
        int r = file_write(path, text, DIGITS + 1, 0600);
        if (r >= 0)
                key_derive(master, ret);
        memory_wipe(text, sizeof(text));
        memory_wipe(master, sizeof(master));
        return r;
}

/* ---- of the state directory ---- */

/* key, key.new, key.MARK */
static bool is_key_file(const char *name) {
        uint8_t mark[4];
        return str_equal(name, "key") || str_equal(name, "key.new") || (str_starts(name, "key.") && strlen(name) == 12 && hex_parse(name + 4, 8, mark));
}

int key_files_check(const char *state, Problem *problem) {
        char path[PATH_MAX];
        struct stat st;
        int r = 0;

        DIR *d = opendir(state);
        if (!d)
                return -errno;
        for (const struct dirent *e; r >= 0 && (e = readdir(d));) {
                if (!is_key_file(e->d_name))
                        continue;
                snprintf(path, sizeof(path), "%s/%s", state, e->d_name);
                if (stat(path, &st) == 0)
                        r = check_mode(path, st.st_mode, true, problem);
        }
        closedir(d);
        return r;
}

/* Another key may have the same mark, or the file be damaged. */
static bool is_same_key(const char *path, const Key *k) {
        Problem ignored = {};
        Key other = {};
        bool same = key_file_read(path, true, &other, &ignored) > 0 && memcmp(&other, k, sizeof(other)) == 0;
        key_done(&other);
        return same;
}

/* What name is, a key of before, under its mark. 0: there is none. */
static int keep_as_former(const char *state, const char *name) {
        char now[PATH_MAX], kept[PATH_MAX], mark[MARK_TEXT_SIZE];
        Problem problem = {};
        Key k = {};

        snprintf(now, sizeof(now), "%s/%s", state, name);
        int r = key_file_read(now, true, &k, &problem);
        if (r > 0) {
                snprintf(kept, sizeof(kept), "%s/key.%s", state, key_mark(&k, mark));
                r = link(now, kept) < 0 ? -errno : 0;
                if (r == -EEXIST && is_same_key(kept, &k))
                        r = 0;
                /* The other name may go only when this one is on disk. */
                if (r >= 0)
                        r = folder_sync(state);
                if (r >= 0)
                        r = 1;
        }
        key_done(&k);
        return r;
}

/* No file gets a name before its content is on disk under another, and none is without one: a death between any two of these
 * leaves key.new, and the database says that it counts. */
int key_files_install(const char *state) {
        char now[PATH_MAX], next[PATH_MAX];

        snprintf(now, sizeof(now), "%s/key", state);
        snprintf(next, sizeof(next), "%s/key.new", state);
        int r = keep_as_former(state, "key");
        crash_point("key_kept");
        _cleanup_(closep) int fd = r >= 0 ? open(next, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
        if (r >= 0)
                r = fd < 0 ? -errno : file_finish(fd, next, now);
        return r;
}

/* Nothing that was a key is ever thrown away, only what never became one. */
int key_files_put_aside(const char *state) {
        char path[PATH_MAX];
        int r = keep_as_former(state, "key.new");

        if (r < 0 && r != -EPERM)
                return r;
        DIR *d = opendir(state);
        if (!d)
                return -errno;
        for (const struct dirent *e; (e = readdir(d));) {
                if (!str_equal(e->d_name, "key.new") && !(str_starts(e->d_name, "key.new.") && strlen(e->d_name) == 14))
                        continue;
                snprintf(path, sizeof(path), "%s/%s", state, e->d_name);
                (void) unlink(path);
        }
        closedir(d);
        return r > 0;
}

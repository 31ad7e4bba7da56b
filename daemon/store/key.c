/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/crash.h"
#include "common/crypt.h"
#include "common/id.h"
#include "common/log.h"
#include "common/random.h"
#include "common/text.h"
#include "daemon/store/db-private.h"
#include "daemon/store/key-file.h"
#include "daemon/store/key.h"
#include "daemon/store/setting-store.h"

#define GENERATIONS "key-generations"       /* the setting: lines of "UNTIL HEX", the hashing keys of before, sealed */
#define LASTING "key-lasting"                /* the setting: HEX of the key of key_lasting_hash(), sealed */

typedef struct Generation {
        uint8_t hash[KEY_SIZE];
        Usec until;
} Generation;

/* In memory that no core dump takes. */
struct Keys {
        Key key, next;
        bool has_next;                       /* a change is under way, in the turn that is open or in a lost one */
        bool next_made;                      /* it is in STATE/key.new */
        bool first;                          /* the database had none */
        bool installed;                      /* STATE/key.new, if there was one, has become STATE/key */
        KeyPlace place, next_place;
        Generation old[KEY_GENERATIONS_MAX], next_old[KEY_GENERATIONS_MAX];
        size_t n_old, n_next_old;
        uint8_t lasting[KEY_SIZE];
        Arena *paths;
        const char *state, *credentials;
};

void keys_free(Keys *k) {
        if (!k)
                return;
        arena_free(k->paths);
        memory_secret_free(k, sizeof(*k));
}

static Keys *keys_new(const char *state, const char *credentials) {
        Keys *k = memory_secret_new(sizeof(*k));

        k->paths = arena_new();
        k->state = arena_strdup(k->paths, state);
        k->credentials = arena_strdup(k->paths, credentials);
        k->installed = true;
        return k;
}

static const char *mark_text(Arena *a, const Key *k) {
        char text[MARK_TEXT_SIZE];
        return arena_strdup(a, key_mark(k, text));
}

static bool is_of(const Key *k, const char *mark) {
        char text[MARK_TEXT_SIZE];
        return str_equal(key_mark(k, text), mark);
}

/* ---- which one it is ---- */

static int read_own(const Keys *k, const char *name, Key *ret, Problem *problem) {
        return key_file_read(arena_printf(k->paths, "%s/%s", k->state, name), true, ret, problem);
}

static int read_credential(const Keys *k, const char *name, Key *ret, Problem *problem) {
        return k->credentials ? key_file_read(arena_printf(k->paths, "%s/%s", k->credentials, name), false, ret, problem) : 0;
}

/* The one that is to be used: 1, 0 there is none. */
static int read_present(Keys *k, Problem *problem) {
        int r = read_credential(k, "key", &k->key, problem);
        k->place = r != 0 ? KEY_CREDENTIAL : KEY_FILE;
        return r != 0 ? r : read_own(k, "key", &k->key, problem);
}

/* A rotation was committed, and the names have not followed. 1: it is this one. */
static int read_rotated(Keys *k, const char *mark, Problem *problem) {
        int r = read_credential(k, "key-new", &k->next, problem);

        if (r > 0 && is_of(&k->next, mark)) {
                key_copy(&k->key, &k->next);
                k->place = KEY_CREDENTIAL_NEW;
                return 1;
        }
        if (r >= 0)
                r = read_own(k, "key.new", &k->next, problem);
        if (r <= 0 || !is_of(&k->next, mark))
                return MIN(r, 0);
        key_copy(&k->key, &k->next);
        k->place = KEY_FILE;
        k->installed = key_files_install(k->state) >= 0;
        log_info("the rotation of the key to %s, which a death had cut short, is over", mark);
        return 1;
}

/* The database is from before a rotation. 1: its key is known, the present one is the next. */
static int read_former(Keys *k, const char *mark, Problem *problem) {
        Key present = k->key;

        int r = read_own(k, arena_printf(k->paths, "key.%s", mark), &k->key, problem);
        if (r == 0)
                r = read_credential(k, "key-old", &k->key, problem);
        if (r > 0 && is_of(&k->key, mark)) {
                k->next = present;
                k->next_place = k->place;
                k->has_next = true;
        } else {
                key_copy(&k->key, &present);
                r = MIN(r, 0);
        }
        key_done(&present);
        return r;
}

static int refuse_missing(const Keys *k, const char *mark, Problem *problem) {
        problem_set(problem, PROBLEM_INVALID_ARGUMENT, "key-missing", NULL,
                    "the key file %s/key is gone, and the database holds what only it can open (its mark is %s): restore it from a backup", k->state, mark);
        return -EPERM;
}

static int refuse_wrong(const Keys *k, const char *mark, Problem *problem) {
        char present[MARK_TEXT_SIZE];
        problem_set(problem, PROBLEM_INVALID_ARGUMENT, "wrong-key", NULL,
                    "%s/%s is the key %s, but this database was sealed with %s: give that one back, or put it beside as %s/key.%s; nothing was changed",
                    k->place == KEY_FILE ? k->state : k->credentials, "key", key_mark(&k->key, present), mark, k->state, mark);
        return -EPERM;
}

static int find_known(Keys *k, const char *mark, Problem *problem) {
        int present = read_present(k, problem);
        if (present < 0)
                return present;
        if (present > 0 && is_of(&k->key, mark)) {
                if (key_files_put_aside(k->state) > 0)
                        log_info("a rotation of the key was cut short before anything was sealed with the new one: the old one goes on");
                return 0;
        }
        KeyPlace place = k->place;
        int r = read_rotated(k, mark, problem);
        if (r != 0)
                return MIN(r, 0);
        k->place = place;
        r = present > 0 ? read_former(k, mark, problem) : 0;
        if (r != 0)
                return MIN(r, 0);
        return present > 0 ? refuse_wrong(k, mark, problem) : refuse_missing(k, mark, problem);
}

static int find_first(Keys *k, Problem *problem) {
        const char *own = arena_printf(k->paths, "%s/key", k->state);
        int r = read_present(k, problem);

        if (r != 0)
                return MIN(r, 0);
        r = key_file_make(own, &k->key);
        if (r >= 0)
                return 0;
        problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-key", NULL, "the key file %s cannot be written: %s", own, strerror(-r));
        return -EPERM;
}

/* ---- hashing keys of before ---- */

static const char *generation_place(char ret[64], Usec until) {
        snprintf(ret, 64, "setting/" GENERATIONS "/%lld", (long long) until);
        return ret;
}

static void put_generation(Buffer *b, const Key *k, const Generation *g) {
        _cleanup_(buffer_done) Buffer sealed = {};
        char place[64];

        seal(k, generation_place(place, g->until), g->hash, KEY_SIZE, &sealed);
        buffer_printf(b, "%lld ", (long long) g->until);
        hex_text((const uint8_t *) sealed.data, sealed.size, buffer_reserve(b, 2 * sealed.size + 1));
        b->size += 2 * sealed.size;
        buffer_add_char(b, '\n');
}

static int take_generation(Keys *k, char *line) {
        _cleanup_(buffer_done) Buffer plain = BUFFER_SECRET;
        char *space = strchr(line, ' '), place[64];
        uint8_t sealed[KEY_SIZE + 64];
        uint64_t until;

        if (!space || k->n_old == KEY_GENERATIONS_MAX)
                return -EBADMSG;
        *space = 0;
        size_t n = strlen(space + 1);
        if (!number_parse(line, INT64_MAX, &until) || n > 2 * sizeof(sealed) || !hex_parse(space + 1, n, sealed))
                return -EBADMSG;
        int r = seal_open(&k->key, generation_place(place, (Usec) until), sealed, n / 2, &plain);
        if (r < 0 || plain.size != KEY_SIZE)
                return -EBADMSG;
        Generation *g = &k->old[k->n_old++];
        memcpy(g->hash, plain.data, KEY_SIZE);
        g->until = (Usec) until;
        return 0;
}

/* One that cannot be opened is worth a line in the log: a code is asked for again. */
static int load_generations(Db *db, Arena *a) {
        const char *text = NULL;
        char *rest = NULL;

        int r = setting_get(db, a, GENERATIONS, &text);
        if (r <= 0)
                return r;
        for (char *line = strtok_r(arena_strdup(a, text), "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
                if (take_generation(db->keys, line) < 0)
                        log_warning("a key from before, for codes that were sent, cannot be opened: those codes are good no longer");
        return 0;
}

/* ---- the key that lasts ---- */

static int put_lasting(Db *db, const Key *k) {
        _cleanup_(buffer_done) Buffer sealed = {}, text = {};

        seal(k, "setting/" LASTING, db->keys->lasting, KEY_SIZE, &sealed);
        hex_text((const uint8_t *) sealed.data, sealed.size, buffer_reserve(&text, 2 * sealed.size + 1));
        text.size = 2 * sealed.size;
        return setting_put(db, LASTING, buffer_string(&text));
}

static bool take_lasting(Keys *k, const char *text) {
        _cleanup_(buffer_done) Buffer plain = BUFFER_SECRET;
        uint8_t sealed[KEY_SIZE + 64];
        size_t n = strlen(text);

        if (n > 2 * sizeof(sealed) || !hex_parse(text, n, sealed) || seal_open(&k->key, "setting/" LASTING, sealed, n / 2, &plain) < 0 || plain.size != KEY_SIZE)
                return false;
        memcpy(k->lasting, plain.data, KEY_SIZE);
        return true;
}

static int load_lasting(Db *db, Arena *a) {
        const char *text = NULL;
        int r = setting_get(db, a, LASTING, &text);

        if (r < 0 || (text && take_lasting(db->keys, text)))
                return MIN(r, 0);
        if (text)
                log_warning("the key of remembered calls cannot be opened, there is a new one: a call that is repeated with its request_id is told request-id-reused");
        random_bytes(db->keys->lasting, KEY_SIZE);
        return put_lasting(db, &db->keys->key);
}

/* SHA-256 of the key, which is as long as any, and the text: enough where nobody is shown one to make another of, and a third of what
 * HMAC takes. */
void key_lasting_hash(const Db *db, const char *purpose, const char *text, uint8_t ret[KEYED_HASH_SIZE]) {
        _cleanup_(sha256_freep) Sha256 *s = sha256_new();

        if (db->keys)
                sha256_add(s, db->keys->lasting, KEY_SIZE);
        sha256_add(s, purpose, strlen(purpose) + 1);
        sha256_add(s, text, strlen(text));
        sha256_end(s, ret);
}

/* ---- opening ---- */

static int put_place(Db *db, Arena *a, KeyPlace place) {
        static const char *const names[] = {
                [KEY_FILE] = KEY_PLACE_FILE, [KEY_CREDENTIAL] = KEY_PLACE_CREDENTIAL, [KEY_CREDENTIAL_NEW] = KEY_PLACE_CREDENTIAL_NEW,
        };
        const char *before = NULL;
        int r = setting_get(db, a, "key-place", &before);
        return r < 0 || str_equal(before, names[place]) ? MIN(r, 0) : setting_put(db, "key-place", names[place]);
}

int key_open(Db *db, const char *state, const char *credentials, Problem *problem) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *mark = NULL;

        int r = setting_get(db, a, "key-mark", &mark);
        if (r < 0)
                return r;
        keys_free(db->keys);
        db->keys = keys_new(state, credentials);
        r = key_files_check(state, problem);
        if (r >= 0)
                r = mark ? find_known(db->keys, mark, problem) : find_first(db->keys, problem);
        if (r < 0) {
                keys_free(TAKE_PTR(db->keys));
                return r == -EPERM ? 1 : r;
        }
        db->keys->first = !mark;
        if (!mark)
                r = setting_put(db, "key-mark", mark_text(a, &db->keys->key));
        if (r >= 0)
                r = put_place(db, a, db->keys->place);
        if (r >= 0)
                r = load_lasting(db, a);
        return r < 0 ? r : load_generations(db, a);
}

bool key_is_first(const Db *db) {
        return db->keys && db->keys->first;
}

const Key *db_key(const Db *db) {
        const Keys *k = db->keys;
        assert(k);
        /* An effect goes with its savepoint, and with its turn. */
        return k->has_next && turn_has_effect(db, EFFECT_KEY) ? &k->next : &k->key;
}

KeyPlace key_place(const Db *db) {
        return db->keys->place;
}

KeyPlace key_next_place(const Db *db) {
        return db->keys->next_place;
}

const char *key_present_mark(const Db *db, Arena *a) {
        return mark_text(a, &db->keys->key);
}

const char *key_next_mark(const Db *db, Arena *a) {
        return mark_text(a, &db->keys->next);
}

/* ---- lending ---- */

/* Of the writer's key, where workers copy it while the loop changes it. The loop alone changes it, and looks without. */
static pthread_mutex_t lending = PTHREAD_MUTEX_INITIALIZER;

void key_lend(Db *to, const Db *from) {
        if (!from->keys)
                return;
        if (!to->keys)
                to->keys = keys_new(from->keys->state, from->keys->credentials);
        pthread_mutex_lock(&lending);
        key_copy(&to->keys->key, &from->keys->key);
        to->keys->place = from->keys->place;
        pthread_mutex_unlock(&lending);
}

int key_lend_marked(Db *to, const Db *from, const char *mark, Problem *problem) {
        key_lend(to, from);
        Keys *k = to->keys;
        if (!k || !mark || is_of(&k->key, mark))
                return 1;
        int r = read_former(k, mark, problem);
        k->has_next = false;
        memory_wipe(&k->next, sizeof(k->next));
        return r;
}

/* ---- changing ---- */

static int refuse(Problem *problem, const char *code, const char *text) {
        return problem_set(problem, PROBLEM_REFUSED, code, NULL, "%s", text);
}

static int next_credential(Keys *k, Problem *problem) {
        static const char cure[] = "the key is a credential, which tenantd cannot write: give a new one as the credential key-new beside it "
                                   "(LoadCredential=key-new:FILE; openssl rand -hex 32 makes one), restart tenantd, and rotate again";
        Problem bad = {};
        int r = read_credential(k, "key-new", &k->next, &bad);

        if (r < 0)
                return refuse(problem, bad.code, bad.text);
        if (r == 0)
                return refuse(problem, "no-new-key", cure);
        k->next_place = KEY_CREDENTIAL_NEW;
        return 0;
}

static int next_file(Keys *k, bool dry_run, Problem *problem) {
        k->next_place = KEY_FILE;
        if (dry_run)
                return 0;
        int r = key_files_put_aside(k->state);
        if (r >= 0)
                r = key_file_make(arena_printf(k->paths, "%s/key.new", k->state), &k->next);
        if (r < 0)
                return problem_set(problem, PROBLEM_UNAVAILABLE, "unwritable", NULL, "%s/key.new cannot be written: %s; nothing was changed", k->state, strerror(-r));
        crash_point("key_written");
        k->next_made = true;
        return 0;
}

static bool has_credential(const Keys *k, const char *name) {
        return k->credentials && access(arena_printf(k->paths, "%s/%s", k->credentials, name), F_OK) == 0;
}

int key_change_begin(Db *db, Usec now, bool dry_run, Problem *problem) {
        Keys *k = db->keys;
        size_t alive = 0;

        if (k->has_next && turn_has_effect(db, EFFECT_KEY))
                return refuse(problem, "rotation-running", "the key is being rotated by another call: look at admin status, then decide whether it is to be rotated again");
        k->has_next = k->next_made = false;
        if (!k->installed)
                k->installed = key_files_install(k->state) >= 0;
        if (!k->installed)
                return refuse(problem, "rotation-running", "the rotation before is not over: STATE/key.new is the key in use, and cannot become STATE/key; see the log, then restart tenantd");
        for (size_t i = 0; i < k->n_old; i++)
                alive += k->old[i].until > now;
        if (alive == KEY_GENERATIONS_MAX)
                return refuse(problem, "too-many-rotations", "the key was rotated again and again within the life of the codes that were sent: wait some minutes");
        int r = k->place != KEY_FILE || has_credential(k, "key-new") ? next_credential(k, problem) : next_file(k, dry_run, problem);
        if (r == 0 && memcmp(k->next.mark, k->key.mark, sizeof(k->key.mark)) == 0 && !(dry_run && k->next_place == KEY_FILE))
                r = refuse(problem, "no-new-key", "the credential key-new is the key that is in use: make it the credential key, and give another one as key-new");
        k->has_next = r == 0;
        return r;
}

const Key *key_old(const Db *db) {
        return &db->keys->key;
}

const Key *key_next(const Db *db) {
        return db->keys->has_next ? &db->keys->next : NULL;
}

int key_change_end(Db *db, Usec now, Usec until) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        _cleanup_(buffer_done) Buffer text = {};
        char mark[MARK_TEXT_SIZE];
        Keys *k = db->keys;

        assert(k->has_next);
        k->n_next_old = 0;
        for (size_t i = 0; i < k->n_old; i++)
                if (k->old[i].until > now)
                        k->next_old[k->n_next_old++] = k->old[i];
        if (until > now && k->n_next_old < KEY_GENERATIONS_MAX) {
                Generation *g = &k->next_old[k->n_next_old++];
                memcpy(g->hash, k->key.hash, KEY_SIZE);
                g->until = until;
        }
        for (size_t i = 0; i < k->n_next_old; i++)
                put_generation(&text, &k->next, &k->next_old[i]);
        int r = setting_put(db, GENERATIONS, buffer_string(&text));
        if (r >= 0)
                r = put_lasting(db, &k->next);
        if (r >= 0)
                r = setting_put(db, "key-mark", key_mark(&k->next, mark));
        if (r >= 0)
                r = put_place(db, a, k->next_place);
        /* What was sealed with the old one stays in the file's gaps until it is rewritten. */
        if (r >= 0)
                r = setting_put(db, "rewrite-wanted", "1");
        if (r >= 0)
                turn_effect(db, (Effect) { .type = EFFECT_KEY });
        return r;
}

void key_changed(Db *db) {
        Keys *k = db->keys;

        if (!k->has_next)
                return;
        pthread_mutex_lock(&lending);
        key_copy(&k->key, &k->next);
        k->place = k->next_place;
        pthread_mutex_unlock(&lending);
        memcpy(k->old, k->next_old, sizeof(k->old));
        k->n_old = k->n_next_old;
        k->has_next = false;
        memory_wipe(&k->next, sizeof(k->next));
        memory_wipe(k->next_old, sizeof(k->next_old));
        int r = k->next_made ? key_files_install(k->state) : 0;
        k->next_made = false;
        k->installed = r >= 0;
        if (r < 0)
                log_error("%s/key.new is the key from here on, but cannot be renamed: %s; the next start tries again", k->state, strerror(-r));
}

bool key_hash_matches(const Db *db, Usec now, const char *purpose, const char *text, const uint8_t hash[KEYED_HASH_SIZE]) {
        const Keys *k = db->keys;
        uint8_t got[KEYED_HASH_SIZE];

        keyed_hash(db_key(db), purpose, text, got);
        bool equal = hash_equal(got, hash);
        bool changing = k->has_next && turn_has_effect(db, EFFECT_KEY);
        for (size_t i = 0; i < (changing ? k->n_next_old : k->n_old) && !equal; i++) {
                const Generation *g = changing ? &k->next_old[i] : &k->old[i];
                Key former = {};
                if (g->until <= now)
                        continue;
                memcpy(former.hash, g->hash, KEY_SIZE);
                keyed_hash(&former, purpose, text, got);
                equal = hash_equal(got, hash);
                key_done(&former);
        }
        memory_wipe(got, sizeof(got));
        return equal;
}

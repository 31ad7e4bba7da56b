/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/files.h"
#include "common/names.h"
#include "common/nearest.h"
#include "common/text.h"
#include "common/time.h"
#include "daemon/configuration.h"
#include "daemon/model/right.h"

/* A reader of our own: libinih 55 knows neither doubled keys nor lines of 64 KiB, and continues values by indent. */

enum { LINE_MAX_BYTES = 64 << 10, FILE_MAX = 1 << 20, DROPINS_MAX = 64 };

typedef enum SettingType { SETTING_NUMBER, SETTING_TIME_OF_DAY, SETTING_TEXT, SETTING_URL, SETTING_STARTTLS, SETTING_VERBS } SettingType;

static const struct {
        const char *name;                    /* section.key */
        SettingType type;
        size_t offset;
        int64_t min, max;
        bool live;                           /* admin reload applies it: nothing that is under way stands on it */
} known[] = {
        { "queue.workers", SETTING_NUMBER, offsetof(Settings, workers), 2, 64 },
        { "customer.grace_days", SETTING_NUMBER, offsetof(Settings, grace_days), 0, 3650, true },
        { "keep.jobs_days", SETTING_NUMBER, offsetof(Settings, keep_jobs_days), 1, 36500, true },
        { "keep.reports_days", SETTING_NUMBER, offsetof(Settings, keep_reports_days), 1, 36500, true },
        { "keep.outbox_days", SETTING_NUMBER, offsetof(Settings, keep_outbox_days), 1, 36500, true },
        { "keep.audit_days", SETTING_NUMBER, offsetof(Settings, keep_audit_days), 1, 36500, true },
        { "render.limit_minutes", SETTING_NUMBER, offsetof(Settings, render_limit_minutes), 1, 1440, true },
        { "admin.quiet_hour", SETTING_TIME_OF_DAY, offsetof(Settings, quiet_minutes), 0, 0, true },
        { "admin.backup_directory", SETTING_TEXT, offsetof(Settings, backup_directory), 0, 0 },
        { "admin.two_person", SETTING_VERBS, offsetof(Settings, two_person), 0, 0 },
        { "portal.url", SETTING_URL, offsetof(Settings, portal_url), 0, 0, true },
        { "mail.relay", SETTING_TEXT, offsetof(Settings, mail_relay), 0, 0 },
        { "mail.starttls", SETTING_STARTTLS, offsetof(Settings, mail_starttls), 0, 0 },
        { "mail.user", SETTING_TEXT, offsetof(Settings, mail_user), 0, 0 },
        { "mail.ca_file", SETTING_TEXT, offsetof(Settings, mail_ca_file), 0, 0 },
        { "mail.ehlo", SETTING_TEXT, offsetof(Settings, mail_ehlo), 0, 0 },
        { "mail.token_command", SETTING_TEXT, offsetof(Settings, mail_token_command), 0, 0 },
};

static const char *const starttls_words[] = { "required", "tls", "off", NULL };

void settings_defaults(Arena *a, const char *state, Settings *ret) {
        const char *render = getenv("TENANTD_RENDER"), *zoneinfo = getenv("TZDIR");

        *ret = (Settings) {
                .state = state, .started = clock_now(), .workers = 6, .admin_gid = -1, .grace_days = 7, .keep_jobs_days = 400,
                .keep_reports_days = 365, .keep_outbox_days = 90, .keep_audit_days = 1095, .render_limit_minutes = 30, .quiet_minutes = 150,
                .backup_directory = arena_printf(a, "%s/backups", state), .portal_url = "http://localhost:8480",
                .mail_starttls = "required", .credentials = getenv("CREDENTIALS_DIRECTORY"), .render_program = render, .zoneinfo = zoneinfo ?: "/usr/share/zoneinfo",
        };
}

typedef struct Reader {
        Arena *arena;
        const char *path;
        size_t line;
        const char *section;
        Settings *settings;
        size_t seen[ELEMENTSOF(known)];      /* line of this file that set it; 0: none */
        Problem *problem;
} Reader;

static int refuse(Reader *r, const char *code, const char *text) {
        return problem_set(r->problem, PROBLEM_INVALID_ARGUMENT, code, NULL, "%s:%zu: %s", r->path, r->line, text);
}

static char *trim(char *s) {
        while (*s == ' ' || *s == '\t')
                s++;
        char *end = s + strlen(s);
        while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
                *--end = 0;
        return s;
}

/* " ;" and " #" after a value begin a comment. */
static void cut_comment(char *s) {
        for (char *p = s; *p; p++)
                if ((*p == ';' || *p == '#') && (p == s || p[-1] == ' ' || p[-1] == '\t')) {
                        *p = 0;
                        return;
                }
}

/* Verbs with commas between them, each one that can wait for a second person. What cannot: it brings a file, leaves one that no
 * rollback takes away, or names a secret, which would be kept in clear until then; or it is needed to go on at once. */
static int set_verbs(Reader *r, const char *name, const char *value, const char *const **ret) {
        static const char *const impatient[] = { "admin.accept-clock", "admin.backup", "admin.reload", "admin.restore", "admin.rotate-key", "customer.import",
                                                 "operation.approve", "operation.cancel", "report.verify", NULL };
        const char **verbs = arena_alloc(r->arena, (strlen(value) + 2) * sizeof(*verbs));
        char *rest = arena_strdup(r->arena, value), *verb;
        size_t n = 0;

        while ((verb = strsep(&rest, ","))) {
                verb += strspn(verb, " \t");
                verb[strcspn(verb, " \t")] = 0;
                const Right *right = right_find(verb);
                if (!right)
                        return refuse(r, "bad-value", arena_printf(r->arena, "%s: there is no verb \"%.60s\" (NOUN.VERB, commas between them)", name, verb));
                if (right->group == RIGHT_READ || right->group == RIGHT_ACT_FOR || names_find(impatient, verb) >= 0)
                        return refuse(r, "bad-value", arena_printf(r->arena, "%s: %s cannot wait for a second person", name, verb));
                verbs[n++] = verb;
        }
        *ret = verbs;
        return 0;
}

static int set_value(Reader *r, size_t i, const char *value) {
        char *at = (char *) r->settings + known[i].offset;
        uint64_t number;
        int minutes;

        /* USER:PASSWORD@HOST; the value is not shown. */
        if ((known[i].type == SETTING_URL || str_equal(known[i].name, "mail.relay")) && strchr(value, '@'))
                return refuse(r, "secret-here", arena_printf(r->arena, "%s holds an @: no user and no password stand there (mail.user, and the credential smtp-password)", known[i].name));
        switch (known[i].type) {
        case SETTING_NUMBER:
                if (!number_parse(value, (uint64_t) known[i].max, &number) || (int64_t) number < known[i].min)
                        return refuse(r, "bad-value", arena_printf(r->arena, "%s must be a whole number from %lld to %lld, not \"%.40s\"", known[i].name,
                                                                   (long long) known[i].min, (long long) known[i].max, value));
                *(int64_t *) at = (int64_t) number;
                return 0;
        case SETTING_TIME_OF_DAY:
                if (!time_of_day_parse(value, &minutes))
                        return refuse(r, "bad-value", arena_printf(r->arena, "%s must be a time HH:MM, not \"%.40s\"", known[i].name, value));
                *(int64_t *) at = minutes;
                return 0;
        case SETTING_STARTTLS:
                if (names_find(starttls_words, value) < 0)
                        return refuse(r, "bad-value", arena_printf(r->arena, "%s must be required, tls or off, not \"%.40s\"", known[i].name, value));
                *(const char **) at = arena_strdup(r->arena, value);
                return 0;
        case SETTING_URL:
                if ((!str_starts(value, "http://") && !str_starts(value, "https://")) || strpbrk(value, " \t\"<>"))
                        return refuse(r, "bad-value", arena_printf(r->arena, "%s must be an http or https address, not \"%.80s\"", known[i].name, value));
                *(const char **) at = arena_strndup(r->arena, value, strlen(value) - (value[strlen(value) - 1] == '/'));
                return 0;
        case SETTING_VERBS:
                return set_verbs(r, known[i].name, value, (const char *const **) at);
        case SETTING_TEXT:
                if (!*value)
                        return refuse(r, "bad-value", arena_printf(r->arena, "%s is empty", known[i].name));
                *(const char **) at = arena_strdup(r->arena, value);
                return 0;
        }
        return -EINVAL;
}

static void remember(Reader *r, const char *name) {
        Settings *s = r->settings;
        size_t n = 0;

        if (!s->given)
                s->given = arena_alloc(r->arena, (ELEMENTSOF(known) + 1) * sizeof(*s->given));
        for (; s->given[n]; n++)
                if (strcmp(s->given[n], name) == 0)
                        return;
        s->given[n] = name;
}

/* What a secret might be called here, and where it belongs. Its value is in no message. */
static int refuse_secret(Reader *r, const char *name) {
        static const char *const words[][2] = {
                { "password", "smtp-password" }, { "passwd", "smtp-password" }, { "secret", "smtp-password" }, { "token", "smtp-token" }, { "key", "key" },
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strcasestr(name, words[i][0]))
                        return refuse(r, "secret-here", arena_printf(r->arena, "%.80s: a secret does not stand here: it is the credential %s (LoadCredential=%s:FILE in the unit)",
                                                                     name, words[i][1], words[i][1]));
        return 0;
}

static int set_key(Reader *r, const char *key, const char *value) {
        const char *name = arena_printf(r->arena, "%s.%s", r->section ?: "", key), *names[ELEMENTSOF(known) + 1] = {};

        for (size_t i = 0; i < ELEMENTSOF(known); i++) {
                names[i] = known[i].name;
                if (strcmp(known[i].name, name) != 0)
                        continue;
                if (r->seen[i])
                        return refuse(r, "doubled-key", arena_printf(r->arena, "%s was set on line %zu already", name, r->seen[i]));
                r->seen[i] = r->line;
                remember(r, known[i].name);
                return set_value(r, i, value);
        }
        if (refuse_secret(r, name) > 0)
                return 1;
        const char *near = nearest_name(names, name);
        return refuse(r, "unknown-key", near ? arena_printf(r->arena, "unknown key %.80s (did you mean %s?)", name, near)
                                             : arena_printf(r->arena, "unknown key %.80s", name));
}

static int read_line(Reader *r, char *line) {
        char *s = trim(line);

        if (*s == 0 || *s == '#' || *s == ';')
                return 0;
        if (*s == '[') {
                char *end = strchr(s, ']');
                if (!end)
                        return refuse(r, "bad-section", "a section is written [name]");
                *end++ = 0;
                end += strspn(end, " \t");
                if (*end && *end != ';' && *end != '#')
                        return refuse(r, "bad-section", arena_printf(r->arena, "after [%.60s] the line ends: a setting stands on a line of its own", trim(s + 1)));
                r->section = arena_strdup(r->arena, trim(s + 1));
                return 0;
        }
        char *equals = strchr(s, '=');
        if (!equals)
                return refuse(r, "bad-line", "a setting is written key = value");
        *equals = 0;
        char *value = equals + 1;
        cut_comment(value);
        if (!r->section)
                return refuse(r, "no-section", "the first setting stands before any [section]");
        return set_key(r, trim(s), trim(value));
}

/* Only what is not there is no file. What cannot be looked at may say what must not be missed. */
static bool is_absence(int error) {
        return error == ENOENT || error == ENOTDIR;
}

static int unreadable(const char *path, int error, Problem *problem) {
        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "unreadable", NULL, "%s cannot be read: %s; make it readable for the user that tenantd runs as, or take it away",
                           path, strerror(error));
}

static int read_file(Arena *a, const char *path, Settings *settings, Problem *problem) {
        Reader reader = { .arena = a, .path = path, .settings = settings, .problem = problem };
        Buffer text = {};

        int r = file_read(path, FILE_MAX, &text);
        if (r < 0) {
                buffer_done(&text);
                return unreadable(path, -r, problem);
        }
        if (text.size > 0 && strlen(text.data) != text.size)
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-line", NULL, "%s: it holds a NUL byte: it is no text file", path);
        char *s = text.data ?: (char[]) { 0 };
        if (text.size >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0)
                s += 3;
        for (char *next; r == 0 && s && *s; s = next) {
                next = strchr(s, '\n');
                if (next)
                        *next++ = 0;
                size_t n = strlen(s);
                if (n > 0 && s[n - 1] == '\r')
                        s[n - 1] = 0;
                reader.line++;
                r = n > LINE_MAX_BYTES ? refuse(&reader, "long-line", "the line is longer than 64 KiB") : read_line(&reader, s);
        }
        buffer_done(&text);
        return r;
}

static int by_name(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static int read_dropins(Arena *a, const char *path, Settings *settings, Problem *problem) {
        const char *folder = arena_printf(a, "%s.d", path), *names[DROPINS_MAX];
        struct dirent *entry;
        size_t n = 0;
        int r = 0;

        DIR *d = opendir(folder);
        if (!d)
                return is_absence(errno) ? 0 : unreadable(folder, errno, problem);
        while (r == 0 && (errno = 0, entry = readdir(d))) {
                size_t length = strlen(entry->d_name);
                if (length <= 5 || entry->d_name[0] == '.' || strcmp(entry->d_name + length - 5, ".conf") != 0)
                        continue;
                if (n < DROPINS_MAX)
                        names[n++] = arena_printf(a, "%s/%s", folder, entry->d_name);
                else
                        r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "too-many", NULL, "%s holds more than %d files *.conf: put some of them together", folder,
                                        DROPINS_MAX);
        }
        if (r == 0 && errno != 0)
                r = unreadable(folder, errno, problem);
        closedir(d);
        qsort(names, n, sizeof(*names), by_name);
        for (size_t i = 0; i < n && r == 0; i++)
                r = read_file(a, names[i], settings, problem);
        return r;
}

int settings_read(Arena *a, const char *path, Settings *settings, Problem *problem) {
        const char *file = path ?: CONFIG_FILE;
        int r = 0;

        if (path || access(file, F_OK) == 0 || !is_absence(errno)) {
                settings->config = file;
                r = read_file(a, file, settings, problem);
        }
        return r != 0 ? r : read_dropins(a, file, settings, problem);
}

/* ---- reading it again ---- */

static bool same_verbs(const char *const *a, const char *const *b) {
        size_t i = 0;

        if (!a || !b)
                return a == b;
        while (a[i] && b[i] && strcmp(a[i], b[i]) == 0)
                i++;
        return !a[i] && !b[i];
}

static bool same_value(size_t i, const Settings *a, const Settings *b) {
        const char *x = (const char *) a + known[i].offset, *y = (const char *) b + known[i].offset;

        switch (known[i].type) {
        case SETTING_NUMBER:
        case SETTING_TIME_OF_DAY:
                return *(const int64_t *) (const void *) x == *(const int64_t *) (const void *) y;
        case SETTING_VERBS:
                return same_verbs(*(const char *const *const *) (const void *) x, *(const char *const *const *) (const void *) y);
        default:
                return str_equal(*(const char *const *) (const void *) x, *(const char *const *) (const void *) y);
        }
}

static bool is_given(const Settings *s, const char *name) {
        return s->given && names_find((const char *const *) s->given, name) >= 0;
}

static void copy_value(Arena *a, size_t i, Settings *to, const Settings *from) {
        char *at = (char *) to + known[i].offset;
        const char *value = (const char *) from + known[i].offset;

        if (known[i].type == SETTING_URL)
                *(const char **) (void *) at = arena_strdup(a, *(const char *const *) (const void *) value);
        else
                memcpy(at, value, sizeof(int64_t));
}

void settings_renew(Arena *a, const Settings *now, const Settings *read, SettingsChange *ret) {
        enum { N = ELEMENTSOF(known) };
        size_t n_applied = 0, n_restart = 0, n_given = 0;

        *ret = (SettingsChange) {
                .settings = *now, .applied = arena_alloc(a, (N + 1) * sizeof(char *)), .restart = arena_alloc(a, (N + 1) * sizeof(char *)),
        };
        ret->settings.given = arena_alloc(a, (N + 1) * sizeof(char *));
        for (size_t i = 0; i < N; i++) {
                /* What waits for a restart is told as what it still is. */
                if (is_given(known[i].live ? read : now, known[i].name))
                        ret->settings.given[n_given++] = known[i].name;
                if (same_value(i, now, read))
                        continue;
                if (!known[i].live) {
                        ret->restart[n_restart++] = known[i].name;
                        continue;
                }
                ret->applied[n_applied++] = known[i].name;
                copy_value(a, i, &ret->settings, read);
        }
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pwd.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "client/ctl/agent.h"
#include "client/ctl/call.h"
#include "common/clock.h"
#include "common/id.h"
#include "common/names.h"
#include "common/text.h"

#define PATIENCE (15 * USEC_SEC)
#define LATE (2 * USEC_SEC)
#define REPLY_TIMEOUT (2 * USEC_MINUTE)
#define TYPING_TIMEOUT (6 * USEC_MINUTE)     /* somebody may have to type a password first: the daemon waits for 5 minutes */

void reply_free(sd_bus_message *m) {
        sd_bus_message_unref(m);
}

/* ---- connection ---- */

static int connect_once(Command *c) {
        const char *where = command_text(c, "bus");
        sd_bus *bus = NULL;
        int r;

        if (!where || str_equal(where, "system")) {
                r = sd_bus_open_system(&bus);
        } else if (str_equal(where, "session")) {
                r = sd_bus_open_user(&bus);
        } else {
                r = sd_bus_new(&bus);
                if (r >= 0)
                        r = sd_bus_set_address(bus, where);
                if (r >= 0)
                        r = sd_bus_set_bus_client(bus, true);
                if (r >= 0)
                        r = sd_bus_start(bus);
        }
        if (r < 0) {
                sd_bus_unref(bus);
                return r;
        }
        c->bus = bus;
        c->connection++;
        return 0;
}

static int fail_unreachable(const Command *c, const char *why) {
        const char *where = command_text(c, "bus");
        bool system_bus = !where || str_equal(where, "system");
        return fail(EXIT_UNREACHABLE, "unreachable", NULL,
                    "the daemon cannot be reached on the %s bus: %s; %s",
                    system_bus                    ? "system"
                    : str_equal(where, "session") ? "session"
                                                  : "given",
                    why,
                    system_bus ? "start it with \"systemctl start tenantd\", or name another bus with --bus"
                               : "is tenantd running there with the same --bus?");
}

static int bus_check(Command *c) {
        const char *where = command_text(c, "bus");

        if (where && !str_equal(where, "system") && !str_equal(where, "session") && !strchr(where, ':'))
                return fail_usage(
                                NULL, NULL,
                                "--bus is system, session or a D-Bus address (unix:path=/run/x), not \"%.80s\"",
                                where);
        return 0;
}

int bus_connect(Command *c) {
        const char *where = command_text(c, "bus");

        if (c->bus)
                return 0;
        int r = bus_check(c);
        if (r != 0)
                return r;
        r = connect_once(c);
        if (r == -EINVAL)
                return fail_usage(NULL, NULL, "\"%.80s\" is no D-Bus address", where ? where : "");
        return r < 0 ? fail_unreachable(c, strerror(-r)) : 0;
}

int bus_try(Command *c) {
        int r = bus_check(c);
        if (r == 0 && !c->bus)
                (void) connect_once(c);
        return r;
}

void bus_close(Command *c) {
        if (!c->bus)
                return;
        sd_bus_close(c->bus);
        c->bus = sd_bus_unref(c->bus);
}

bool bus_is_lost(int r, const char *error) {
        static const char *const names[] = {
                SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_DISCONNECTED, "org.freedesktop.DBus.Error.Timeout", NULL,
        };
        if (error && names_find(names, error) >= 0)
                return true;
        return r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE || r == -ESHUTDOWN;
}

const char *bus_daemon(Command *c) {
        _cleanup_(reply_freep) sd_bus_message *reply = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *owner = NULL;

        if (!c->bus && connect_once(c) < 0)
                return NULL;
        int r = sd_bus_call_method(c->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                   "org.freedesktop.DBus", "GetNameOwner", &error, &reply, "s", BUS_NAME);
        bool nobody = str_equal(error.name, SD_BUS_ERROR_NAME_HAS_NO_OWNER);
        sd_bus_error_free(&error);
        if (r < 0 && !nobody)
                bus_close(c);
        return r >= 0 && sd_bus_message_read(reply, "s", &owner) >= 0 ? arena_strdup(c->arena, owner) : NULL;
}

int bus_wait_back(Command *c, const char *before, int64_t patience) {
        Usec deadline = patience == INT64_MAX ? INT64_MAX : clock_monotonic() + patience;

        for (;;) {
                const char *now = bus_daemon(c);
                if (now && !str_equal(now, before))
                        return 0;
                if (clock_monotonic() >= deadline)
                        return EXIT_UNREACHABLE;
                nanosleep(&(struct timespec) { .tv_nsec = 50 * 1000 * 1000 }, NULL);
        }
}

/* ---- a{sv} ---- */

static int append_map(sd_bus_message *m, const Dict *map) {
        int r = sd_bus_message_open_container(m, 'a', "{ss}");
        for (size_t i = 0; i < map->n && r >= 0; i++)
                r = sd_bus_message_append(m, "{ss}", map->entries[i].key, map->entries[i].value.string);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_strings(sd_bus_message *m, const char *const *items, size_t n) {
        int r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = sd_bus_message_append(m, "s", items[i]);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_maps(sd_bus_message *m, const Value *v) {
        int r = sd_bus_message_open_container(m, 'a', "a{ss}");
        for (size_t i = 0; i < v->maps.n && r >= 0; i++)
                r = append_map(m, &v->maps.items[i]);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static const char *value_signature(const DictEntry *e) {
        switch (e->value.type) {
        case VALUE_STRING:
                return "s";
        case VALUE_BOOL:
                return "b";
        case VALUE_INT:
                return str_equal(e->key, "limit") ? "u" : "t";
        case VALUE_DOUBLE:
                return "d";
        case VALUE_STRINGS:
                return "as";
        case VALUE_MAP:
                return "a{ss}";
        case VALUE_MAPS:
                return "aa{ss}";
        case VALUE_FD:
                return "h";
        }
        return NULL;
}

static int append_value(sd_bus_message *m, const DictEntry *e) {
        const Value *v = &e->value;

        switch (v->type) {
        case VALUE_STRING:
                return sd_bus_message_append(m, "s", v->string);
        case VALUE_BOOL:
                return sd_bus_message_append(m, "b", (int) v->boolean);
        case VALUE_INT:
                if (str_equal(e->key, "limit"))
                        return sd_bus_message_append(m, "u", (uint32_t) v->integer);
                return sd_bus_message_append(m, "t", (uint64_t) v->integer);
        case VALUE_DOUBLE:
                return sd_bus_message_append(m, "d", v->number);
        case VALUE_STRINGS:
                return append_strings(m, v->strings.items, v->strings.n);
        case VALUE_MAP:
                return append_map(m, v->map);
        case VALUE_MAPS:
                return append_maps(m, v);
        case VALUE_FD:
                (void) lseek(v->fd, 0, SEEK_SET);        /* a repeat sends it again from its start */
                return sd_bus_message_append(m, "h", v->fd);
        }
        return -EINVAL;
}

static int append_dict(sd_bus_message *m, const Dict *d) {
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        for (size_t i = 0; d && i < d->n && r >= 0; i++) {
                const DictEntry *e = &d->entries[i];
                r = sd_bus_message_open_container(m, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", e->key);
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'v', value_signature(e));
                if (r >= 0)
                        r = append_value(m, e);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_argument(sd_bus_message *m, const Call *what, char letter) {
        switch (letter) {
        case 's':
                return sd_bus_message_append(m, "s", what->id ? what->id : "");
        case 'a':
                return append_strings(m, what->ids, what->n_ids);
        case 'q':
                return append_dict(m, what->query);
        case 'F':
                return sd_bus_message_append(m, "s", what->format);
        case 'f':
                return append_dict(m, what->fields);
        case 'o':
                return append_dict(m, what->options);
        case 'h':
                (void) lseek(what->fd, 0, SEEK_SET);
                return sd_bus_message_append(m, "h", what->fd);
        }
        return -EINVAL;
}

/* Whether a person may be asked for a password because of this call. What runs beside or behind another call asks for
 * nothing: nobody would know why, and twice. */
static bool asks(const Command *c, const Call *what) {
        return !what->quiet && agent_may_ask(c) && (agent_is_open() || !agent_is_needed(c));
}

static int message_new(Command *c, const Call *what, sd_bus_message **ret) {
        _cleanup_(reply_freep) sd_bus_message *m = NULL;
        const char *interface = arena_printf(c->arena, "%s%s", BUS_INTERFACE_PREFIX, what->interface);

        int r = sd_bus_message_new_method_call(c->bus, &m, BUS_NAME, BUS_PATH, interface, what->method);
        for (const char *p = what->shape; *p && r >= 0; p++)
                r = append_argument(m, what, *p);
        if (r >= 0 && asks(c, what))
                r = sd_bus_message_set_allow_interactive_authorization(m, true);
        if (r >= 0)
                *ret = TAKE_PTR(m);
        return r;
}

/* ---- errors ---- */

static int kind_exit(ProblemKind kind) {
        switch (kind) {
        case PROBLEM_INVALID_ARGUMENT:
        case PROBLEM_AMBIGUOUS:
                return EXIT_USAGE;
        case PROBLEM_NOT_FOUND:
                return EXIT_NOT_FOUND;
        case PROBLEM_NOT_AUTHORIZED:
                return EXIT_NOT_AUTHORIZED;
        case PROBLEM_EXISTS:
        case PROBLEM_CONFLICT:
        case PROBLEM_REFUSED:
        case PROBLEM_LIMIT_EXCEEDED:
                return EXIT_REFUSED;
        default:
                return EXIT_FAILED;
        }
}

static char *take_line(char **text) {
        char *line = *text, *end = strchr(line, '\n');
        if (end)
                *end = 0;
        *text = end ? end + 1 : NULL;
        return line;
}

/* "code: sentence", then lines "field: NAME" and "candidates: A<TAB>B". */
static void problem_read(Command *c, const char *message, Problem *ret) {
        char *rest = arena_strdup(c->arena, message ? message : "");
        char *line = take_line(&rest), *colon = strstr(line, ": ");
        const char *code = "";

        if (colon && strcspn(line, " ") > (size_t) (colon - line)) {
                *colon = 0;
                code = line;
                line = colon + 2;
        }
        problem_set(ret, PROBLEM_FAILED, code, NULL, "%s", line);
        while (rest) {
                line = take_line(&rest);
                if (str_starts(line, "field: ")) {
                        text_copy_cut(ret->field, sizeof(ret->field), line + strlen("field: "));
                } else if (str_starts(line, "candidates: ")) {
                        char *saved = NULL;
                        for (char *p = strtok_r(line + strlen("candidates: "), "\t", &saved); p;
                             p = strtok_r(NULL, "\t", &saved))
                                problem_add_candidate(ret, p);
                }
        }
}

/* The right that a sentence names, as NOUN.VERB; NULL: none. */
static const char *right_in(Command *c, const char *text) {
        static const char letters[] = "abcdefghijklmnopqrstuvwxyz-.";

        for (const char *p = text + strcspn(text, letters); *p; p += strcspn(p, letters)) {
                size_t n = strspn(p, letters), noun = strcspn(p, ".");
                if (noun + 1 < n && noun_find(arena_strndup(c->arena, p, noun)))
                        return arena_strndup(c->arena, p, p[n - 1] == '.' ? n - 1 : n);
                p += n;
        }
        return NULL;
}

/* Adds who can give the right, and how. */
static void problem_add_cure(Command *c, Problem *p) {
        const char *right = right_in(c, p->text);
        const struct passwd *user = getpwuid(geteuid());

        if (!right && c->verb && str_equal(p->code, "not-authorized"))
                right = arena_printf(c->arena, "%s.%s", c->noun->name, c->verb->name);
        if (!right || strstr(p->text, "role grant"))
                return;
        const char *which = strstr(p->text, "role that has it") ? "" : arena_printf(c->arena, "; a role with %s gives it", right);
        const char *text = arena_printf(c->arena, "%s%s (\"tenantctl role grant ROLE user:%s\")", p->text, which, user ? user->pw_name : "NAME");
        text_copy_cut(p->text, sizeof(p->text), text);
}

static int fail_bus(Command *c, const Call *what, const sd_bus_error *e, int r) {
        static const char *const absent[] = {
                SD_BUS_ERROR_SERVICE_UNKNOWN,
                SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                "org.freedesktop.DBus.Error.Spawn.ServiceNotFound",
                NULL,
        };
        static const char *const unknown[] = {
                SD_BUS_ERROR_UNKNOWN_METHOD,
                SD_BUS_ERROR_UNKNOWN_INTERFACE,
                SD_BUS_ERROR_UNKNOWN_OBJECT,
                NULL,
        };
        Problem p;

        if (!e->name)
                return fail_unreachable(c, strerror(-r));
        if (str_starts(e->name, BUS_ERROR_PREFIX)) {
                problem_read(c, e->message, &p);
                ProblemKind kind = problem_kind_from_name(e->name + strlen(BUS_ERROR_PREFIX));
                if (kind == PROBLEM_NOT_AUTHORIZED)
                        problem_add_cure(c, &p);
                return fail_problem(kind_exit(kind), &p);
        }
        if (names_find(absent, e->name) >= 0 || str_starts(e->name, "org.freedesktop.DBus.Error.Spawn."))
                return fail_unreachable(c, "it is not running");
        if (str_starts(e->name, "org.freedesktop.systemd1."))        /* masked, or not there */
                return fail_unreachable(c, e->message);
        /* The bus had it started, and it did not come. */
        if (str_equal(e->name, "org.freedesktop.DBus.Error.TimedOut"))
                return fail_unreachable(c, "it did not come up (\"systemctl status tenantd\" tells why)");
        if (names_find(unknown, e->name) >= 0)
                return fail(EXIT_FAILED, "unknown-method", NULL,
                            "this daemon does not know %s.%s: it is older than this tenantctl",
                            what->interface, what->method);
        if (str_equal(e->name, SD_BUS_ERROR_ACCESS_DENIED) || str_equal(e->name, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED))
                return fail(EXIT_NOT_AUTHORIZED, "access-denied", NULL, "the bus refuses this call: %s",
                            e->message);
        if (str_equal(e->name, SD_BUS_ERROR_INVALID_ARGS))
                return fail(EXIT_USAGE, "invalid-arguments", NULL, "%s", e->message);
        if (str_equal(e->name, SD_BUS_ERROR_LIMITS_EXCEEDED))
                return fail(EXIT_REFUSED, "limit-exceeded", NULL, "%s", e->message);
        if (bus_is_lost(r, e->name)) {
                const char *again =
                                what->changes ? arena_printf(c->arena,
                                                             "; the same command with --request-id %s is safe and tells",
                                                             c->request_id)
                                              : "";
                return fail(EXIT_UNREACHABLE, "reply-lost", NULL,
                            "the daemon went away and did not answer: %s%s",
                            what->changes ? "whether it was done is not known" : "try again", again);
        }
        if (!c->bus || sd_bus_is_open(c->bus) <= 0)
                return fail_unreachable(c, e->message ? e->message : strerror(-r));
        return fail(EXIT_FAILED, "bus", NULL, "%s: %s", e->name, e->message ? e->message : "");
}

/* ---- calls ---- */

Call call_about(const char *interface, const char *method, const char *id) {
        return (Call) { .interface = interface, .method = method, .shape = "s", .id = id };
}

Call call_act(const char *interface, const char *method, const char *id, const Dict *options) {
        return (Call){
                .interface = interface, .method = method, .shape = "so", .id = id, .options = options
        };
}

Call call_verb(const Command *c, const char *shape) {
        return (Call) { .interface = c->verb->interface, .method = c->verb->method, .shape = shape };
}

struct Pending {
        bool done;
        unsigned connection;
        sd_bus_message *reply;
        Pending *next;
};

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Pending *p = userdata;
        p->done = true;
        p->reply = sd_bus_message_ref(m);
        return 0;
}

/* As sd_bus_call() does, without a time limit; and after a while the question why it takes so long. A bus that goes away is an answer,
 * too: sd-bus makes one. */
static int call_slowly(Command *c, const Call *what, sd_bus_message *m, sd_bus_error *error, sd_bus_message **ret_reply) {
        Usec until = clock_monotonic() + LATE;
        Pending answer = {}, *beside = NULL;
        sd_bus_slot *slot = NULL;
        bool asked = false;

        int r = sd_bus_call_async(c->bus, &slot, m, on_reply, &answer, UINT64_MAX);
        while (r >= 0 && !answer.done) {
                r = sd_bus_process(c->bus, NULL);
                Usec left = until - clock_monotonic();
                if (r == 0 && !answer.done)
                        r = sd_bus_wait(c->bus, asked ? UINT64_MAX : (uint64_t) MAX(left, 0));
                if (r == -EINTR)
                        r = 0;
                if (!asked && left <= 0) {
                        asked = true;
                        beside = what->late(c);
                }
                if (beside && beside->done)
                        what->late_told(c, call_collect(c, TAKE_PTR(beside)));
        }
        sd_bus_slot_unref(slot);
        if (!answer.reply)
                return r < 0 ? r : -EIO;
        if (!sd_bus_message_is_method_error(answer.reply, NULL)) {
                *ret_reply = answer.reply;
                return 1;
        }
        sd_bus_error_copy(error, sd_bus_message_get_error(answer.reply));
        r = -sd_bus_message_get_errno(answer.reply);
        sd_bus_message_unref(answer.reply);
        return r;
}

static int call_once(Command *c, const Call *what, sd_bus_error *error, sd_bus_message **ret_reply) {
        _cleanup_(reply_freep) sd_bus_message *m = NULL;

        int r = message_new(c, what, &m);
        if (r < 0)
                return r;
        if (what->slow && what->late)
                return call_slowly(c, what, m, error, ret_reply);
        Usec timeout = asks(c, what) && geteuid() != 0 ? TYPING_TIMEOUT : REPLY_TIMEOUT;
        return sd_bus_call(c->bus, m, what->slow ? UINT64_MAX : (uint64_t) timeout, error, ret_reply);
}

static void request_id_make(Command *c, const Call *what, Call *copy) {
        const char *given = command_text(c, "request-id");
        char text[ID_TEXT_SIZE];

        *copy = *what;
        if (!what->changes)
                return;
        Dict *options = arena_alloc(c->arena, sizeof(*options));
        for (size_t i = 0; what->options && i < what->options->n; i++)
                dict_add(c->arena, options, what->options->entries[i].key, what->options->entries[i].value);
        if (!dict_find(options, "request_id")) {
                c->request_id = given ? given : arena_strdup(c->arena, id_text(id_new(), text));
                dict_add(c->arena, options, "request_id", value_of_string(c->request_id));
        }
        copy->options = options;
}

static int call_twice_if_lost(Command *c, const Call *what, sd_bus_error *error, sd_bus_message **ret_reply) {
        int r = call_once(c, what, error, ret_reply);
        if (r >= 0 || !bus_is_lost(r, error->name))
                return r;
        if (sd_bus_is_open(c->bus) <= 0)
                bus_close(c);
        if (bus_wait_back(c, NULL, PATIENCE) != 0)
                return r;
        sd_bus_error_free(error);
        return call_once(c, what, error, ret_reply);
}

static bool is_unauthorized(const sd_bus_error *e) {
        return str_equal(e->name, BUS_ERROR_PREFIX "NotAuthorized") ||
               str_equal(e->name, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED);
}

int call(Command *c, const Call *what, sd_bus_message **ret_reply) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        Call copy;

        int r = bus_connect(c);
        if (r != 0)
                return r;
        request_id_make(c, what, &copy);
        r = call_twice_if_lost(c, &copy, &error, &reply);
        /* Nothing was done, so it can be asked for again, now with somebody there who asks for the password. */
        if (r < 0 && is_unauthorized(&error) && !what->quiet && agent_may_ask(c) && !agent_is_open() && agent_is_needed(c)) {
                sd_bus_error_free(&error);
                agent_open();
                r = call_twice_if_lost(c, &copy, &error, &reply);
        }
        if (r < 0) {
                if (!what->quiet)
                        r = fail_bus(c, &copy, &error, r);
                else
                        r = is_unauthorized(&error) ? EXIT_NOT_AUTHORIZED : EXIT_FAILED;
                sd_bus_error_free(&error);
                return r;
        }
        *ret_reply = reply;
        return 0;
}

int call_text(Command *c, const Call *what, const char **ret) {
        _cleanup_(reply_freep) sd_bus_message *reply = NULL;
        const char *text;

        int r = call(c, what, &reply);
        if (r != 0)
                return r;
        if (sd_bus_message_read(reply, "s", &text) < 0)
                return fail(EXIT_FAILED, "bad-answer", NULL, "the daemon's answer to %s.%s is not a string",
                            what->interface, what->method);
        *ret = arena_strdup(c->arena, text);
        return 0;
}

/* ---- beside ---- */

Pending *call_beside(Command *c, const Call *what) {
        _cleanup_(reply_freep) sd_bus_message *m = NULL;

        Call aside = *what;
        aside.quiet = true;
        if (!c->bus || message_new(c, &aside, &m) < 0)
                return NULL;
        Pending *p = arena_alloc(c->arena, sizeof(*p));
        if (sd_bus_call_async(c->bus, NULL, m, on_reply, p, (uint64_t) REPLY_TIMEOUT) < 0)
                return NULL;
        p->connection = c->connection;
        p->next = c->pending;
        c->pending = p;
        return p;
}

sd_bus_message *call_collect(Command *c, Pending *p) {
        while (p && !p->done && c->bus && p->connection == c->connection) {
                int r = sd_bus_process(c->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(c->bus, UINT64_MAX);
                if (r < 0 && r != -EINTR)
                        break;
        }
        return p && p->reply && !sd_bus_message_is_method_error(p->reply, NULL) ? p->reply : NULL;
}

void command_done(Command *c) {
        bus_close(c);
        for (Pending *p = c->pending; p; p = p->next)
                p->reply = sd_bus_message_unref(p->reply);
        arena_free(c->arena);
}

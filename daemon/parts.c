/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <unistd.h>

#include "common/files.h"
#include "common/log.h"
#include "common/names.h"
#include "daemon/action/outbox.h"
#include "daemon/action/report-template-action.h"
#include "daemon/action/restore-action.h"
#include "daemon/action/rotate-action.h"
#include "daemon/configuration.h"
#include "daemon/leftovers.h"
#include "daemon/parts.h"
#include "daemon/process.h"
#include "daemon/store/audit-seal.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/going.h"
#include "daemon/store/key.h"
#include "daemon/store/mail-template-store.h"
#include "daemon/store/message-store.h"
#include "daemon/store/restore.h"
#include "daemon/store/upgrade.h"
#include "daemon/task/caller.h"
#include "daemon/task/kinds.h"

Context parts_context(Parts *p, Arena *arena, const Caller *caller) {
        return (Context) {
                .db = p->db, .arena = arena, .caller = caller, .now = clock_now(), .settings = p->settings, .rules = &p->rules, .host = p->host,
                .reloader = &p->reloader,
        };
}

static int check_zone(void *userdata, const char *field, const char *name, Problem *ret) {
        Parts *p = userdata;
        if (!p->zones) {
                Buffer text = {};
                /* Read when first needed; kept. A host without tzdata has one zone. */
                int r = file_read(arena_printf(p->arena, "%s/tzdata.zi", p->settings->zoneinfo), 4 << 20, &text);
                static const char none[] = "L Etc/UTC UTC\n";
                const char *kept = r < 0 ? none : arena_strndup(p->arena, text.data ?: "", text.size);
                p->zones = zone_names_parse(p->arena, kept, strlen(kept));
                buffer_done(&text);
        }
        return zone_check(p->zones, field, name, ret);
}

static void find_host(Parts *p) {
        struct addrinfo hints = { .ai_flags = AI_CANONNAME }, *found = NULL;

        if (gethostname(p->host, sizeof(p->host) - 1) < 0 || !p->host[0])
                strcpy(p->host, "localhost");
        /* A name with a dot is taken as it is; else the resolver is asked, /etc/hosts first. It may ask the network: this is
         * before the loop. */
        if (!strchr(p->host, '.') && getaddrinfo(p->host, NULL, &hints, &found) == 0) {
                if (found->ai_canonname && strchr(found->ai_canonname, '.'))
                        text_copy_cut(p->host, sizeof(p->host), found->ai_canonname);
                freeaddrinfo(found);
        }
}

/* Beside the daemon in a build that is not installed, else where it was installed to. */
static const char *find_render(Parts *p) {
        char path[PATH_MAX] = {};
        if (readlink("/proc/self/exe", path, sizeof(path) - 1) > 0) {
                const char *beside = arena_printf(p->arena, "%s/tenantd-render", dirname(path));
                if (access(beside, X_OK) == 0)
                        return beside;
        }
        return PKGLIBEXECDIR "/tenantd-render";
}

static bool somebody_waits(void *userdata) {
        Parts *p = userdata;
        struct pollfd socket = { .fd = p->bus ? bus_fd(p->bus) : -1, .events = POLLIN };
        /* On the socket, or read from it already and left for the next turn. */
        Usec until = p->bus ? bus_timeout(p->bus) : USEC_NONE;
        return poll(&socket, 1, 0) > 0 || (until != USEC_NONE && until <= clock_monotonic());
}

static bool clock_is_held(void *userdata) {
        const Parts *p = userdata;
        return p->strike.guard.held;
}

static int open_key(Parts *p) {
        Problem problem = {};

        turn_begin(p->db);
        int r = key_open(p->db, p->settings->state, p->settings->credentials, &problem);
        if (r == 0)
                r = audit_seal_begin(p->db);
        if (turn_end(p->db) != TURN_DONE || r < 0)
                return EXIT_DISK;
        if (r == 0)
                return 0;
        log_error("%s", problem.text);
        return EXIT_CONFIGURATION;
}

/* What was restored is put in place; what is older becomes what this program knows. */
static int open_database(Parts *p) {
        const BackupOrder order = { .state = p->settings->state, .folder = p->settings->backup_directory, .now = clock_now() };
        char kept[RESTORE_PATH_SIZE];
        Problem problem = {};
        int status = EXIT_DISK;

        int r = restore_place(&order, kept, &status, &problem);
        if (r == 0)
                r = db_open_writer(p->settings->state, NULL, &p->db, &status, &problem);
        if (r == 0)
                r = upgrade(p->db, order, &status, &problem);
        if (r == 0)
                return 0;
        log_error("%s", r > 0 ? problem.text : strerror(-r));
        return status;
}

int parts_open(Parts *p, const char *state, const char *config) {
        Problem problem = {};
        int status = 0;

        Settings *settings = arena_alloc(p->arena, sizeof(*settings));
        p->settings = settings;
        settings_defaults(p->arena, state, settings);
        settings->render_program = settings->render_program ?: find_render(p);
        if (settings_read(p->arena, config, settings, &problem) != 0) {
                log_error("%s", problem.text);
                return EXIT_CONFIGURATION;
        }
        if (host_number('g', ADMIN_GROUP, &settings->admin_gid) <= 0)
                settings->admin_gid = -1;
        p->reload = (Reload) { .arena = p->arena, .config = config, .now = settings };
        p->reloader = (Reloader) { reload_read, &p->reload };
        status = state_prepare(state);
        if (status != 0)
                return status;
        status = open_database(p);
        if (status == 0)
                status = open_key(p);
        if (status != 0)
                return status;
        find_host(p);
        p->rules = (CustomerRules) { check_zone, p };
        const RunnerConfig runner = {
                .db = p->db, .state = state, .settings = p->settings, .rules = &p->rules, .host = p->host,
                .kinds = task_kinds, .find_change = bus_find_change,
                .somebody_waits = somebody_waits, .clock_is_held = clock_is_held, .userdata = p,
                .workers = (size_t) p->settings->workers,
        };
        int r = runner_new(&runner, &p->runner);
        if (r < 0) {
                log_error("the workers cannot be started: %s", strerror(-r));
                return EXIT_BUS;
        }
        return 0;
}

/* The database comes from a backup that was made before the key was rotated. */
static int reseal_restored(Context *c) {
        const char *before = key_present_mark(c->db, c->arena);
        AuditRecord record = { .time = c->now, .uid = c->caller->uid, .user = c->caller->user, .verb = "admin.rotate-key", .outcome = "ok" };
        Resealed done;

        record.before = arena_printf(c->arena, "{\"key\":\"%s\"}", before);
        record.after = arena_printf(c->arena, "{\"key\":\"%s\"}", key_next_mark(c->db, c->arena));
        int r = key_reseal(c, &done);
        if (r >= 0)
                r = audit_append(c->db, &record);
        if (r >= 0)
                log_info("the database was sealed with a key of before, %s: %lld values are sealed with the present one", before, (long long) done.sealed);
        if (r >= 0 && done.lost > 0)
                log_warning("%lld sealed values could not be opened, and were left as they are", (long long) done.lost);
        return r;
}

/* What the first turn puts in order: the queue, the outbox, the shipped texts, the clock. */
static int first_turn(Parts *p) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        const Caller system = CALLER_SYSTEM;
        Context c = parts_context(p, arena, &system);

        int r = restore_begin_epoch(&c);
        if (r >= 0)
                r = runner_recover(p->runner, clock_now());
        if (r >= 0)
                r = message_recover(p->db);
        if (r >= 0)
                r = going_finish(p->db, p->settings->state);
        if (r >= 0)
                r = outbox_call(&c);
        if (r >= 0)
                r = mail_templates_ship(p->db);
        if (r >= 0)
                r = report_template_ship(&c);
        if (r >= 0)
                r = strike_start(&p->strike, &c);
        /* Last: its record tells the clock's guard nothing. */
        return r < 0 || !key_next(p->db) ? r : reseal_restored(&c);
}

int parts_recover(Parts *p) {
        Problem problem = {};

        int r = restore_note_check(p->db, p->settings, &problem);
        if (r > 0) {
                log_error("%s", problem.text);
                return EXIT_CONFIGURATION;
        }
        turn_begin(p->db);
        r = first_turn(p);
        TurnEnd end = turn_end(p->db);
        if (end != TURN_DONE || r < 0) {
                turn_failure(p->db, &problem);
                log_error("%s: the queue cannot be recovered: %s", p->settings->state, problem.text);
                return EXIT_DISK;
        }
        return 0;
}

/* Whatever became of the database, a restore or a new beginning; what fails is done by the next start. */
void parts_clear_leftovers(Parts *p) {
        int r = leftovers_sort_reports(p->db, p->settings->state);
        if (r < 0)
                log_warning("the files of reports that are not known were not moved to %s/reports/unknown: %s", p->settings->state, strerror(-r));
        r = leftovers_remove(p->db, p->settings->state);
        if (r < 0)
                log_warning("what a death left in the state directory was not looked for: %s", strerror(-r));
}

int parts_open_bus(Parts *p, const char *address) {
        const BusConfig config = { .db = p->db, .runner = p->runner, .settings = p->settings, .rules = &p->rules, .host = p->host, .clock = &p->strike.guard, .reloader = &p->reloader };
        int r = bus_open(&config, address, &p->bus);

        if (r >= 0)
                return 0;
        if (r == -EEXIST)
                log_error("another tenantd owns %s on this bus: stop it first", BUS_NAME);
        else if (r == -EPERM || r == -EACCES)
                log_error("this user may not own %s on this bus: install the bus policy, or run as root or tenantd", BUS_NAME);
        else
                log_error("the bus %s cannot be reached: %s: is dbus-daemon running?", address, strerror(-r));
        return EXIT_BUS;
}

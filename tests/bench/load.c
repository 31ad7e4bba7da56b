/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client of the figures. Prints what its figure is made of, on one line.
 *
 *   load edit ADDRESS NAME FIELD IDS SECONDS IN-FLIGHT     Customers.Edit of one text field of the customers in the file
 *                                                          IDS, each with a request_id: calls a second
 *   load get ADDRESS NAME ID SECONDS                       Customers.Get, one after the other: calls a second
 *   load list ADDRESS NAME SECONDS [KEY=VALUE …]           a page of 100 × 8 columns, one after the other: median µs, and how many
 *   load walk ADDRESS NAME COUNT                           the cursors of a page in the middle and of the last of COUNT
 *   load enqueue ADDRESS NAME BATCH SECONDS CALLERS        Tasks.Enqueue of BATCH no-op tasks, each caller with one call
 *                                                          under way on a connection of its own: tasks a second
 *   load probe ADDRESS NAME ID PERIOD                      Customers.Get every PERIOD µs whether or not the one before was
 *                                                          answered, until a SIGTERM: when (µs since 1970) and how long
 *                                                          (µs) of each, one a line
 *   load pulse ADDRESS NAME COUNT                          one no-op task every 5 ms: nothing
 *   load query ADDRESS NAME                                one Query of everything into a memfd: µs and bytes
 *   load first ADDRESS NAME COMMAND…                       starts it, waits for its name, asks for one row: µs from the
 *                                                          start to the answer, and its resident KiB then
 *   load spawn COUNT COMMAND…                              runs it COUNT times, one after the other: mean µs */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/memory.h"
#include "tests/bench/bench.h"

enum { CALLERS_MAX = 64, PAGE = 100, PULSE = 5000, PROBES_MAX = 100000 };

typedef struct Load Load;
struct Load {
        const char *name;
        char **arguments;                    /* after ADDRESS NAME */
        sd_bus_message *(*next)(Load *l, sd_bus *bus);
        int most;                            /* in flight on a connection */
        Samples *samples;
        long sent, done, failed;
        char **ids;
        size_t n_ids;
};

typedef struct Line {
        Load *load;
        sd_bus *bus;
        int in_flight;
        Usec since;                          /* of the last call: for times, most is 1 */
} Line;

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Line *line = userdata;
        Load *l = line->load;

        line->in_flight--;
        if (sd_bus_message_is_method_error(m, NULL)) {
                if (l->failed++ == 0)
                        fprintf(stderr, "load: %s\n", sd_bus_message_get_error(m)->message);
                return 0;
        }
        l->done++;
        if (l->samples)
                samples_add(l->samples, clock_monotonic() - line->since);
        return 0;
}

static void fill_line(Load *l, Line *line) {
        while (line->in_flight < l->most) {
                sd_bus_message *m = l->next(l, line->bus);
                line->since = clock_monotonic();
                bench_must(sd_bus_call_async(line->bus, NULL, m, on_reply, line, UINT64_MAX), "call");
                sd_bus_message_unref(m);
                l->sent++;
                line->in_flight++;
        }
}

/* Keeps every line full for so long, and waits for what is under way then: calls answered a second. */
static double drive(Load *l, const char *address, int lines, double seconds) {
        Line all[CALLERS_MAX] = {};
        struct pollfd fds[CALLERS_MAX];

        for (int i = 0; i < lines; i++)
                all[i] = (Line) { .load = l, .bus = bench_connect(address) };
        Usec begin = clock_monotonic(), end = begin + (Usec) (seconds * 1e6);
        for (bool busy = true; busy;) {
                bool over = clock_monotonic() >= end;
                busy = !over;
                for (int i = 0; i < lines; i++) {
                        int r;
                        if (!over)
                                fill_line(l, &all[i]);
                        while ((r = sd_bus_process(all[i].bus, NULL)) > 0)
                                ;
                        bench_must(r, "process");
                        if (!over)
                                fill_line(l, &all[i]);
                        busy |= all[i].in_flight > 0;
                        fds[i] = (struct pollfd) { sd_bus_get_fd(all[i].bus), (short) sd_bus_get_events(all[i].bus), 0 };
                }
                if (busy)
                        (void) poll(fds, (nfds_t) lines, 100);
        }
        double rate = (double) l->done * 1e6 / (double) (clock_monotonic() - begin);
        for (int i = 0; i < lines; i++)
                sd_bus_flush_close_unref(all[i].bus);
        if (l->failed > 0)
                bench_die("calls", "some failed");
        return rate;
}

/* ---- what is called ---- */

static void read_ids(Load *l, const char *path) {
        char id[40];
        FILE *f = fopen(path, "r");
        if (!f)
                bench_die(path, "cannot be read");
        for (; fscanf(f, "%39s", id) == 1; l->n_ids++) {
                if (l->n_ids % 1024 == 0)
                        l->ids = memory_grow(l->ids, (l->n_ids + 1024) * sizeof(*l->ids));
                l->ids[l->n_ids] = memory_strdup(id);
        }
        fclose(f);
}

static sd_bus_message *edit_call(Load *l, sd_bus *bus) {
        static unsigned seed;
        const char *field = l->arguments[0], *id;
        char value[40], request[60];
        sd_bus_message *m = bench_call_new(bus, l->name, "Customers", "Edit");

        if (!seed)
                seed = (unsigned) clock_now();
        id = l->ids[((size_t) l->sent * 7919 + seed % 1000) % l->n_ids];
        snprintf(value, sizeof(value), "+49 30 %u%04ld", seed % 1000, l->sent);
        snprintf(request, sizeof(request), "bench-%08x-%08lx", seed, l->sent);
        bench_must(sd_bus_message_append(m, "asa{sv}a{sv}", 1, id, 1, field, "s",
                                         strcmp(field, "country") == 0 ? bench_country(seed * 8 + (size_t) l->sent + (size_t) l->sent / l->n_ids) : value,
                                         1, "request_id", "s", request), "append");
        return m;
}

static sd_bus_message *get_call(Load *l, sd_bus *bus) {
        sd_bus_message *m = bench_call_new(bus, l->name, "Customers", "Get");
        bench_must(sd_bus_message_append(m, "s", l->arguments[0]), "append");
        return m;
}

static void add_columns(sd_bus_message *m) {
        bench_must(sd_bus_message_append(m, "{sv}", "columns", "as", 8, "organization", "registered_account", "status", "country", "tags", "services",
                                         "open_tickets", "created"), "append");
}

static sd_bus_message *list_call(Load *l, sd_bus *bus) {
        sd_bus_message *m = bench_call_new(bus, l->name, "Customers", "List");

        bench_must(sd_bus_message_open_container(m, 'a', "{sv}"), "open");
        add_columns(m);
        bench_must(sd_bus_message_append(m, "{sv}", "limit", "u", (uint32_t) PAGE), "append");
        for (char **a = l->arguments + 1; *a; a++) {
                const char *equals = strchr(*a, '=');
                char key[40];
                snprintf(key, sizeof(key), "%.*s", (int) (equals - *a), *a);
                bench_must(sd_bus_message_append(m, "{sv}", key, "s", equals + 1), "append");
        }
        bench_must(sd_bus_message_close_container(m), "close");
        return m;
}

static sd_bus_message *enqueue_call(Load *l, sd_bus *bus) {
        sd_bus_message *m = bench_call_new(bus, l->name, "Tasks", "Enqueue");
        bench_must(sd_bus_message_open_container(m, 'a', "s"), "open");
        for (int i = atoi(l->arguments[0]); i > 0; i--)
                bench_must(sd_bus_message_append_basic(m, 's', "noop"), "append");
        bench_must(sd_bus_message_close_container(m), "close");
        return m;
}

/* ---- one by one ---- */

static sd_bus_message *call(sd_bus *bus, sd_bus_message *m) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        if (sd_bus_call(bus, m, 120 * (uint64_t) USEC_SEC, &error, &reply) < 0)
                bench_die(sd_bus_message_get_member(m), error.message);
        sd_bus_message_unref(m);
        return reply;
}

/* By pages of the size measured: after one message of 128 KiB dbus-daemon keeps its buffer for the sender in memory of mmap() and moves it
 * for each later message, which costs a page 0.2 ms more. */
static void walk(const char *address, const char *name, long count) {
        sd_bus *bus = bench_connect(address);
        long wanted[] = { count / 2, count - PAGE }, at = 0;
        char cursor[4096] = "";

        for (int i = 0; i < 2;) {
                const char *rows, *next;
                long step = MIN(wanted[i] - at, (long) PAGE);
                sd_bus_message *m = bench_call_new(bus, name, "Customers", "List");
                bench_must(sd_bus_message_open_container(m, 'a', "{sv}"), "open");
                add_columns(m);
                bench_must(sd_bus_message_append(m, "{sv}{sv}", "limit", "u", (uint32_t) step, "cursor", "s", cursor), "append");
                bench_must(sd_bus_message_close_container(m), "close");
                m = call(bus, m);
                bench_must(sd_bus_message_read(m, "ss", &rows, &next), "read");
                snprintf(cursor, sizeof(cursor), "%s", next);
                sd_bus_message_unref(m);
                at += step;
                if (at == wanted[i]) {
                        printf("%s\n", cursor);
                        i++;
                }
        }
        sd_bus_flush_close_unref(bus);
}

static void pulse(const char *address, Load *l) {
        sd_bus *bus = bench_connect(address);
        char *one[] = { (char *) "1", NULL };
        int count = atoi(l->arguments[0]);

        l->arguments = one;
        for (int i = 0; i < count; i++) {
                sd_bus_message_unref(call(bus, enqueue_call(l, bus)));
                /* The idle time is what is measured here. */
                (void) poll(NULL, 0, PULSE / 1000);
        }
        sd_bus_flush_close_unref(bus);
}

/* ---- beside others ---- */

typedef struct Probe {
        Usec sent, since, spent;             /* wall; monotonic; 0: not answered */
} Probe;

static volatile sig_atomic_t enough;

static void on_term(int signal) {
        enough = 1;
}

static int on_probe(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Probe *p = userdata;
        if (sd_bus_message_is_method_error(m, NULL))
                bench_die("probe", sd_bus_message_get_error(m)->message);
        p->spent = MAX(clock_monotonic() - p->since, (Usec) 1);
        return 0;
}

static void probe_send(Load *l, sd_bus *bus, Probe *p) {
        sd_bus_message *m = get_call(l, bus);
        p->sent = clock_now();
        p->since = clock_monotonic();
        bench_must(sd_bus_call_async(bus, NULL, m, on_probe, p, UINT64_MAX), "call");
        sd_bus_message_unref(m);
}

static void probe(const char *address, Load *l) {
        sd_bus *bus = bench_connect(address);
        Probe *all = memory_new(PROBES_MAX * sizeof(*all));
        Usec period = MAX((Usec) atoll(l->arguments[1]), (Usec) 100), begin = clock_monotonic();
        size_t n = 0;
        int r;

        signal(SIGTERM, on_term);
        while (!enough) {
                while ((r = sd_bus_process(bus, NULL)) > 0)
                        ;
                bench_must(r, "process");
                Usec wait = begin + (Usec) n * period - clock_monotonic();
                if (wait <= 0 && n < PROBES_MAX) {
                        probe_send(l, bus, &all[n++]);
                        continue;
                }
                struct pollfd fd = { sd_bus_get_fd(bus), (short) sd_bus_get_events(bus), 0 };
                const struct timespec pause = { 0, MIN(MAX(wait, (Usec) 1), 100 * USEC_MSEC) * 1000 };
                (void) ppoll(&fd, 1, &pause, NULL);
        }
        for (size_t i = 0; i < n; i++)
                if (all[i].spent)
                        printf("%lld %lld\n", (long long) all[i].sent, (long long) all[i].spent);
        free(all);
        sd_bus_unref(bus);
}

static void query(const char *address, const char *name) {
        sd_bus *bus = bench_connect(address);
        sd_bus_message *m = bench_call_new(bus, name, "Customers", "Query");
        struct stat st;
        int fd = -1;

        bench_must(sd_bus_message_append(m, "a{sv}s", 0, "jsonl"), "append");
        Usec begin = clock_monotonic();
        m = call(bus, m);
        Usec spent = clock_monotonic() - begin;
        bench_must(sd_bus_message_read(m, "h", &fd), "read");
        if (fstat(fd, &st) < 0)
                bench_die("fstat", strerror(errno));
        printf("%lld %lld\n", (long long) spent, (long long) st.st_size);
        sd_bus_message_unref(m);
        sd_bus_flush_close_unref(bus);
}

/* ---- processes ---- */

static pid_t spawn(char **command, bool quiet) {
        posix_spawn_file_actions_t actions;
        pid_t pid;

        posix_spawn_file_actions_init(&actions);
        if (quiet)
                posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        int r = posix_spawnp(&pid, command[0], &actions, NULL, command, environ);
        posix_spawn_file_actions_destroy(&actions);
        bench_must(-r, command[0]);
        return pid;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *old, *new;
        bool *up = userdata;
        if (sd_bus_message_read(m, "sss", &name, &old, &new) > 0 && *new)
                *up = true;
        return 0;
}

static long resident_kib(pid_t pid) {
        char path[64], line[200];
        long kib = 0;
        snprintf(path, sizeof(path), "/proc/%d/status", (int) pid);
        FILE *f = fopen(path, "r");
        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "VmRSS: %ld", &kib) == 1)
                        break;
        if (f)
                fclose(f);
        return kib;
}

static void first(const char *address, const char *name, char **command) {
        sd_bus *bus = bench_connect(address);
        char match[300];
        bool up = false;
        int status;

        snprintf(match, sizeof(match), "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'", name);
        bench_must(sd_bus_add_match(bus, NULL, match, on_owner, &up), "match");
        Usec begin = clock_monotonic();
        pid_t pid = spawn(command, true);
        while (!up) {
                int r = sd_bus_process(bus, NULL);
                bench_must(r, "process");
                if (r == 0 && sd_bus_wait(bus, 100 * USEC_MSEC) == 0 && waitpid(pid, &status, WNOHANG) == pid)
                        bench_die(command[0], "ended");
        }
        sd_bus_message *m = bench_call_new(bus, name, "Customers", "List");
        bench_must(sd_bus_message_append(m, "a{sv}", 1, "limit", "u", (uint32_t) 1), "append");
        sd_bus_message_unref(call(bus, m));
        Usec spent = clock_monotonic() - begin;
        printf("%lld %ld\n", (long long) spent, resident_kib(pid));
        kill(pid, SIGTERM);
        waitpid(pid, &status, 0);
        sd_bus_flush_close_unref(bus);
}

static void spawn_many(int count, char **command) {
        Usec begin = clock_monotonic();
        for (int i = 0; i < count; i++) {
                int status;
                pid_t pid = spawn(command, true);
                if (waitpid(pid, &status, 0) != pid || status != 0)
                        bench_die(command[0], "failed");
        }
        printf("%.1f\n", (double) (clock_monotonic() - begin) / count);
}

int main(int argc, char **argv) {
        if (argc < 4)
                return 2;
        const char *what = argv[1], *address = argv[2];
        Load l = { .name = argv[3], .arguments = argv + 4, .most = 1 };
        Samples samples = {};

        if (strcmp(what, "spawn") == 0) {
                spawn_many(atoi(argv[2]), argv + 3);
        } else if (strcmp(what, "query") == 0) {
                query(address, l.name);
        } else if (strcmp(what, "first") == 0 && argc > 4) {
                first(address, l.name, l.arguments);
        } else if (strcmp(what, "walk") == 0 && argc == 5) {
                walk(address, l.name, atol(argv[4]));
        } else if (strcmp(what, "pulse") == 0 && argc == 5) {
                pulse(address, &l);
        } else if (strcmp(what, "probe") == 0 && argc == 6) {
                probe(address, &l);
        } else if (strcmp(what, "edit") == 0 && argc == 8) {
                read_ids(&l, argv[5]);
                l.next = edit_call;
                l.most = atoi(argv[7]);
                printf("%.1f\n", drive(&l, address, 1, atof(argv[6])));
        } else if (strcmp(what, "get") == 0 && argc == 6) {
                l.next = get_call;
                printf("%.1f\n", drive(&l, address, 1, atof(argv[5])));
        } else if (strcmp(what, "list") == 0 && argc >= 5) {
                l.next = list_call;
                l.samples = &samples;
                (void) drive(&l, address, 1, atof(argv[4]));
                printf("%lld %ld\n", (long long) samples_percentile(&samples, 50), l.done);
        } else if (strcmp(what, "enqueue") == 0 && argc == 7 && atoi(argv[6]) <= CALLERS_MAX) {
                l.next = enqueue_call;
                printf("%.1f\n", drive(&l, address, atoi(argv[6]), atof(argv[5])) * atoi(argv[4]));
        } else {
                return 2;
        }
        return 0;
}

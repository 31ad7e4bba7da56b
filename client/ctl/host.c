/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "client/ctl/export.h"
#include "client/ctl/host.h"
#include "client/ctl/output.h"
#include "common/time.h"

/* ssh joins the words and a shell on the other side splits them again. */
static const char *quote(Command *c, const char *word) {
        Buffer b = {};

        buffer_add_char(&b, '\'');
        for (; *word; word++)
                if (*word == '\'')
                        buffer_add_string(&b, "'\\''");
                else
                        buffer_add_char(&b, *word);
        buffer_add_char(&b, '\'');
        const char *s = arena_strdup(c->arena, b.data);
        buffer_done(&b);
        return s;
}

typedef struct Remote {
        const char **words;
        size_t n;
        const char *input;                   /* a file here that becomes standard input; NULL: none */
        const char *output;                  /* a file here that standard output becomes; NULL: none */
        unsigned mode;                       /* of that file; 0: the usual one */
        bool two_inputs;
} Remote;

static void add(Command *c, Remote *r, const char *word) {
        r->words[r->n++] = quote(c, word);
}

static const char *input_name(Remote *r, const char *path) {
        if (str_equal(path, "-"))
                return path;
        r->two_inputs |= r->input != NULL;
        r->input = path;
        return "-";
}

static bool is_verb(const Command *c, const Noun *noun, const char *verb) {
        return c->noun == noun && c->verb && str_equal(c->verb->name, verb);
}

/* What the i-th argument is called over there: a file comes from here, or goes to here. */
static const char *argument_name(Command *c, Remote *r, size_t i) {
        const char *given = c->arguments[i];

        if (i > 0)
                return given;
        if (c->verb->form == FORM_FILE_IN || is_verb(c, &noun_admin, "verify"))
                return input_name(r, given);
        if (!is_verb(c, &noun_admin, "backup") || str_equal(given, "-"))
                return given;
        r->output = given;
        r->mode = 0600;
        return "-";
}

static void add_options(Command *c, Remote *r) {
        for (size_t i = 0; i < c->n_given; i++) {
                const Given *g = &c->given[i];
                if (str_equal(g->option->name, "host"))
                        continue;
                for (size_t k = 0; k < g->n; k++) {
                        const char *value = g->values[k];
                        if (g->option->type == OPTION_FILE) {
                                value = input_name(r, value);
                        } else if ((str_equal(g->option->name, "output") ||
                                    str_equal(g->option->name, "symbol-output")) &&
                                   !str_equal(value, "-")) {
                                r->output = value;
                                value = "-";
                        }
                        bool bare = g->option->type == OPTION_FLAG ||
                                    (g->option->type == OPTION_OPTIONAL && !*value);
                        add(c, r, bare ? arena_printf(c->arena, "--%s", g->option->name)
                                       : arena_printf(c->arena, "--%s=%s", g->option->name, value));
                }
        }
}

/* The other side writes to its standard output, so what it would have read off the file's name is said. */
static void add_export(Command *c, Remote *r) {
        const char *format = export_format(c), *kind;
        char today[TIME_TEXT_SIZE];

        if (!format)
                format = "xlsx";
        if (!command_has(c, "format"))
                add(c, r, arena_printf(c->arena, "--format=%s", format));
        if (command_has(c, "output"))
                return;
        kind = str_equal(c->noun->name, "report") ? c->arguments[0] : c->noun->name;
        r->output = arena_printf(c->arena, "%s-%s.%s", kind, date_text(clock_now(), today), format);
        add(c, r, "--output=-");
}

static int build(Command *c, Remote *r) {
        const char *host = command_text(c, "host");
        size_t room = c->n_arguments + 20;

        if (!*host || *host == '-')
                return fail_usage(NULL, NULL, "\"%.80s\" is no host", host);
        for (size_t i = 0; i < c->n_given; i++)
                room += c->given[i].n;
        r->words = arena_alloc(c->arena, room * sizeof(*r->words));
        r->words[r->n++] = "ssh";
        r->words[r->n++] = "-t";
        r->words[r->n++] = "--";
        r->words[r->n++] = host;
        r->words[r->n++] = "tenantctl";
        add_options(c, r);
        if (c->verb && c->verb->form == FORM_FILE_OUT)
                add_export(c, r);
        if (c->noun)
                add(c, r, c->noun->name);
        if (c->verb)
                add(c, r, c->verb->name);
        r->words[r->n++] = "--";
        for (size_t i = 0; i < c->n_arguments; i++)
                add(c, r, argument_name(c, r, i));
        if (is_verb(c, &noun_report, "save") && !command_has(c, "output"))
                return fail_usage(NULL, NULL, "with --host, report save needs --output FILE");
        if (r->two_inputs)
                return fail_usage(NULL, NULL, "with --host only one file can be sent at a time");
        /* What comes back then is an answer and no file. */
        if (command_has(c, "dry-run"))
                r->output = NULL;
        /* A terminal over there is for a person. It would change the bytes of a file, and get none that is binary. */
        if (r->input || r->output || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
                *++r->words = "ssh";
        return 0;
}

static int open_input(const Remote *r) {
        int fd = open(r->input, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return fail(EXIT_USAGE, "cannot-open", NULL, "cannot open %s: %s", r->input,
                            strerror(errno));
        if (dup2(fd, STDIN_FILENO) < 0)
                return fail(EXIT_FAILED, "cannot-open", NULL, "cannot use %s: %s", r->input,
                            strerror(errno));
        close(fd);
        return 0;
}

static int fail_exec(void) {
        return fail(EXIT_FAILED, "no-ssh", NULL, "ssh cannot be run: %s", strerror(errno));
}

/* What tenantctl over there ended with; 255 is ssh's own, which has said why it did not get there. */
static int run_ssh(const Remote *r, int out) {
        enum { SSH_FAILED = 255 };
        struct sigaction ignored = { .sa_handler = SIG_IGN }, interrupt, quit;
        int status = 0;

        /* ssh gets them from the terminal, too, and ends by them. */
        sigaction(SIGINT, &ignored, &interrupt);
        sigaction(SIGQUIT, &ignored, &quit);
        pid_t child = fork();
        if (child == 0) {
                sigaction(SIGINT, &interrupt, NULL);
                sigaction(SIGQUIT, &quit, NULL);
                if (out >= 0)
                        (void) dup2(out, STDOUT_FILENO);
                execvp("ssh", (char *const *) r->words);
                _exit(fail_exec());
        }
        if (child < 0)
                return fail_exec();
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return fail_exec();
        if (WIFSIGNALED(status)) {
                signal(WTERMSIG(status), SIG_DFL);
                raise(WTERMSIG(status));
        }
        return !WIFEXITED(status) ? EXIT_FAILED : WEXITSTATUS(status) == SSH_FAILED ? EXIT_UNREACHABLE : WEXITSTATUS(status);
}

static int run_into(Command *c, const Remote *r) {
        OutputFile out = OUTPUT_FILE_INIT;

        int e = output_file_check(c, r->output, false, &out);
        if (e == 0)
                e = output_file_open(&out, r->mode ?: 0666);
        if (e == 0)
                e = run_ssh(r, out.fd);
        if (e == 0)
                e = output_file_finish(&out);
        output_file_done(&out);
        return e;
}

int host_run(Command *c) {
        Remote r = {};

        int e = build(c, &r);
        if (e == 0 && r.input)
                e = open_input(&r);
        if (e != 0)
                return e;
        return r.output ? run_into(c, &r) : run_ssh(&r, -1);
}

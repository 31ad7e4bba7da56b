/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/files.h"
#include "common/text.h"
#include "daemon/task/relay.h"

enum { SECRET_MAX = 64 << 10, TOKEN_PATIENCE = 30 * USEC_SEC };

struct Relay {
        Arena *arena;
        SmtpRelay relay;
        Buffer password, token;
        Smtp *smtp;
};

bool relay_parse(Arena *a, const char *text, const char **ret_host, int *ret_port) {
        const char *colon = strrchr(text, ':'), *end = text + strlen(text);
        uint64_t port = 0;

        if (*text == '[') {
                const char *bracket = strchr(text, ']');
                struct in6_addr six;
                if (!bracket || (bracket[1] && bracket[1] != ':'))
                        return false;
                *ret_host = arena_strndup(a, text + 1, (size_t) (bracket - text - 1));
                if (inet_pton(AF_INET6, *ret_host, &six) != 1)
                        return false;
                colon = bracket[1] ? bracket + 1 : NULL;
        } else {
                if (colon && strchr(text, ':') != colon)
                        colon = NULL;        /* an IPv6 address alone */
                *ret_host = arena_strndup(a, text, (size_t) ((colon ?: end) - text));
        }
        if (colon && (!number_parse(colon + 1, UINT16_MAX, &port) || port == 0))
                return false;
        *ret_port = (int) port;
        return **ret_host != 0;
}

/* One line end after a secret is not part of it. */
static void cut_line_end(Buffer *b) {
        if (b->size > 0 && b->data[b->size - 1] == '\n')
                b->data[--b->size] = 0;
        if (b->size > 0 && b->data[b->size - 1] == '\r')
                b->data[--b->size] = 0;
}

/* 1 read, 0 not there. */
static int read_secret(Arena *a, const char *credentials, const char *name, Buffer *ret) {
        if (!credentials)
                return 0;
        const char *path = arena_printf(a, "%s/%s", credentials, name);
        struct stat st;
        /* The group is systemd's business: its access list is shown there. */
        if (stat(path, &st) == 0 && st.st_mode & 07)
                return -EPERM;
        int r = file_read(path, SECRET_MAX, ret);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        cut_line_end(ret);
        return ret->size > 0;
}

/* By the shell, as the administrator wrote it: with no signal blocked or ignored, and in a process group of its own. */
static int spawn_shell(const char *command, int out, pid_t *ret) {
        char *const arguments[] = { (char *) "sh", (char *) "-c", (char *) command, NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t all, none;

        sigfillset(&all);
        sigemptyset(&none);
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        int r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(&attributes, &all);
        if (r == 0)
                r = posix_spawnattr_setsigmask(&attributes, &none);
        if (r == 0)
                r = posix_spawn(ret, "/bin/sh", &actions, &attributes, arguments, environ);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

/* Until its end, or the deadline's; *ret: how it ended. */
static int wait_until(pid_t pid, Usec deadline, int *ret) {
        _cleanup_(closep) int fd = pidfd_open(pid, 0);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int ready = 0;

        while (fd >= 0 && ready <= 0 && clock_monotonic() < deadline)
                ready = poll(&p, 1, (int) ((deadline - clock_monotonic()) / USEC_MSEC + 1));
        if (ready <= 0)
                kill(-pid, SIGKILL);
        while (waitpid(pid, ret, 0) < 0 && errno == EINTR)
                ;
        return fd < 0 ? -EMFILE : ready <= 0 ? -ETIMEDOUT : 0;
}

static int run_token_command(const char *command, Buffer *ret) {
        Usec deadline = clock_monotonic() + TOKEN_PATIENCE;
        int pipes[2], status = 0;
        pid_t pid = 0;

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return -errno;
        int r = spawn_shell(command, pipes[1], &pid);
        close(pipes[1]);
        if (r == 0)
                r = fd_read_all(pipes[0], SECRET_MAX, deadline, ret);
        close(pipes[0]);
        if (pid == 0)
                return r;
        int ended = wait_until(pid, r < 0 ? 0 : deadline, &status);
        cut_line_end(ret);
        return r < 0 ? r : ended < 0 ? ended : WIFEXITED(status) && WEXITSTATUS(status) == 0 && ret->size > 0 ? 0 : -EPERM;
}

static int refuse(SmtpResult *ret, const char *text) {
        *ret = (SmtpResult) { .outcome = SMTP_NO_AUTH, .relay = true };
        snprintf(ret->reason, sizeof(ret->reason), "%s", text);
        return 1;
}

static int read_secrets(Relay *r, const Settings *settings, SmtpResult *ret_result) {
        int k = read_secret(r->arena, settings->credentials, "smtp-token", &r->token);
        if (k >= 0)
                k = read_secret(r->arena, settings->credentials, "smtp-password", &r->password);
        if (k == -EPERM)
                return refuse(ret_result, arena_printf(r->arena, "the relay's secrets in %s are readable by others: chmod 400 them", settings->credentials));
        if (k < 0)
                return refuse(ret_result, arena_printf(r->arena, "the relay's secrets in %s cannot be read: %s", settings->credentials, strerrordesc_np(-k)));
        if (settings->mail_token_command) {
                buffer_clear(&r->token);
                k = run_token_command(settings->mail_token_command, &r->token);
                if (k < 0)
                        return refuse(ret_result, arena_printf(r->arena, "mail.token_command gave no token: %s", strerrordesc_np(-k)));
        }
        return 0;
}

/* The address from which this host reaches the relay, as EHLO takes it. Nothing is sent: the kernel only chooses a route. */
static const char *own_literal(Arena *a, const char *relay) {
        const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM };
        struct addrinfo *found = NULL;
        struct sockaddr_storage own = {};
        socklen_t size = sizeof(own);
        char text[INET6_ADDRSTRLEN];

        if (getaddrinfo(relay, "25", &hints, &found) != 0)
                return "[127.0.0.1]";
        _cleanup_(closep) int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        bool known = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0 && getsockname(fd, (struct sockaddr *) &own, &size) == 0;
        freeaddrinfo(found);
        if (known && own.ss_family == AF_INET6 && inet_ntop(AF_INET6, &((struct sockaddr_in6 *) &own)->sin6_addr, text, sizeof(text)))
                return arena_printf(a, "[IPv6:%s]", text);
        if (known && own.ss_family == AF_INET && inet_ntop(AF_INET, &((struct sockaddr_in *) &own)->sin_addr, text, sizeof(text)))
                return arena_printf(a, "[%s]", text);
        return "[127.0.0.1]";
}

int relay_open(const Settings *settings, const char *host, Relay **ret, SmtpResult *ret_result) {
        Relay *r = memory_new(sizeof(*r));
        const char *name;
        int port = 0;

        r->arena = arena_new();
        r->password = r->token = BUFFER_SECRET;
        SmtpSecurity security = str_equal(settings->mail_starttls, "tls") ? SMTP_TLS : str_equal(settings->mail_starttls, "off") ? SMTP_OFF : SMTP_STARTTLS;
        int k = relay_parse(r->arena, settings->mail_relay, &name, &port) ? read_secrets(r, settings, ret_result)
                                                                         : refuse(ret_result, "mail.relay is no HOST[:PORT]");
        if (k != 0) {
                relay_close(r);
                return k;
        }
        /* A host without a dot is no name for EHLO: an address literal is never wrong. */
        r->relay = (SmtpRelay) {
                .host = name, .port = (uint16_t) (port ? port : security == SMTP_TLS ? 465 : security == SMTP_OFF ? 25 : 587), .security = security,
                .user = settings->mail_user, .password = r->password.data, .password_size = r->password.size, .token = r->token.data,
                .token_size = r->token.size, .ca_file = settings->mail_ca_file, .ehlo = settings->mail_ehlo ? settings->mail_ehlo : strchr(host, '.') ? host : own_literal(r->arena, name),
        };
        r->smtp = smtp_new(&r->relay);
        *ret = r;
        return 0;
}

Smtp *relay_smtp(Relay *r) {
        return r->smtp;
}

void relay_close(Relay *r) {
        if (!r)
                return;
        smtp_free(r->smtp);
        buffer_done(&r->password);
        buffer_done(&r->token);
        arena_free(r->arena);
        free(r);
}

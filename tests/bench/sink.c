/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mail server that takes everything and keeps nothing: what both sides of the figure of mail deliver to.
 *
 *   sink                           prints its port, and serves on 127.0.0.1 until its standard input ends; then prints how
 *                                  many messages it took, and their bytes */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buffer.h"
#include "tests/bench/bench.h"

enum { BLOCK = 64 << 10 };

static atomic_long messages, bytes;

typedef struct Guest {
        int fd;
        Buffer in, out;
        bool data;                           /* between DATA and the dot */
        bool over;
        size_t body;                         /* bytes of the message so far */
} Guest;

static void command(Guest *g, const char *line) {
        const char *answer = "250 2.0.0 ok\r\n";

        if (strncasecmp(line, "EHLO", 4) == 0) {
                answer = "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 100000000\r\n";
        } else if (strncasecmp(line, "DATA", 4) == 0) {
                answer = "354 go on\r\n";
                g->data = true;
                g->body = 0;
        } else if (strncasecmp(line, "QUIT", 4) == 0) {
                answer = "221 2.0.0 bye\r\n";
                g->over = true;
        }
        buffer_add_string(&g->out, answer);
}

static void body(Guest *g, const char *line, size_t n) {
        if (n != 3 || line[0] != '.') {
                g->body += n;
                return;
        }
        g->data = false;
        atomic_fetch_add(&messages, 1);
        atomic_fetch_add(&bytes, (long) g->body);
        buffer_add_string(&g->out, "250 2.0.0 taken\r\n");
}

/* All whole lines that are there: the answers to what was pipelined leave together. */
static void lines(Guest *g) {
        size_t at = 0;
        char *end;

        while (at < g->in.size && (end = memchr(g->in.data + at, '\n', g->in.size - at))) {
                const char *line = g->in.data + at;
                size_t n = (size_t) (end + 1 - line);
                if (g->data)
                        body(g, line, n);
                else
                        command(g, line);
                at += n;
        }
        memmove(g->in.data, g->in.data + at, g->in.size - at);
        g->in.size -= at;
}

static bool answer(Guest *g) {
        for (size_t at = 0; at < g->out.size;) {
                ssize_t n = send(g->fd, g->out.data + at, g->out.size - at, MSG_NOSIGNAL);
                if (n <= 0)
                        return false;
                at += (size_t) n;
        }
        buffer_clear(&g->out);
        return true;
}

static void *serve(void *userdata) {
        Guest g = { .fd = (int) (intptr_t) userdata };
        char block[BLOCK];
        ssize_t n;

        buffer_add_string(&g.out, "220 sink ESMTP\r\n");
        while (answer(&g) && !g.over && (n = read(g.fd, block, sizeof(block))) > 0) {
                buffer_add(&g.in, block, (size_t) n);
                lines(&g);
        }
        buffer_done(&g.in);
        buffer_done(&g.out);
        close(g.fd);
        return NULL;
}

static void *welcome(void *userdata) {
        int one = 1, fd;

        while ((fd = accept((int) (intptr_t) userdata, NULL, NULL)) >= 0) {
                pthread_t thread;
                (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
                if (pthread_create(&thread, NULL, serve, (void *) (intptr_t) fd) != 0)
                        bench_die("thread", "no more");
                pthread_detach(thread);
        }
        return NULL;
}

int main(void) {
        struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(here);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        pthread_t thread;

        if (fd < 0 || bind(fd, (struct sockaddr *) &here, sizeof(here)) < 0 || listen(fd, 64) < 0 || getsockname(fd, (struct sockaddr *) &here, &size) < 0)
                bench_die("socket", strerror(errno));
        printf("%d\n", ntohs(here.sin_port));
        fflush(stdout);
        if (pthread_create(&thread, NULL, welcome, (void *) (intptr_t) fd) != 0)
                bench_die("thread", "none");
        while (getchar() != EOF)
                ;
        printf("%ld %ld\n", atomic_load(&messages), atomic_load(&bytes));
        return 0;
}

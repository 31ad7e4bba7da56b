/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#undef curl_easy_getinfo
#undef curl_easy_setopt

#include "common/memory.h"
#include "common/text.h"
#include "daemon/net/link.h"

enum { CONNECT_SECONDS = 30, GREETED_SECONDS = 300, SLICE_MS = 100, LINE_SHOWN = 200, ANSWERS_MAX = 1 << 20 };

/* The library is loaded with the first message: it brings thirty others, which no start has to wait for. */
#define LIBCURL "libcurl.so.4"
#define FUNCTIONS(X)            \
        X(curl_global_init)     \
        X(curl_easy_init)       \
        X(curl_easy_cleanup)    \
        X(curl_easy_getinfo)    \
        X(curl_easy_perform)    \
        X(curl_easy_recv)       \
        X(curl_easy_send)       \
        X(curl_easy_setopt)     \
        X(curl_easy_strerror)

static struct {
#define MEMBER(f) __typeof__(f) *f;
        FUNCTIONS(MEMBER)
        bool loaded;
} lib;

struct Link {
        CURL *curl;
        curl_socket_t fd;
        Usec opened;
        bool drained;                        /* what had come was read to its end: the next bytes are told by poll() */
        Buffer in;
};

/* What the callbacks of a connection that is being opened know. */
typedef struct Opening {
        const SmtpRelay *relay;
        const atomic_bool *cancel;
        CURL *curl;
        Usec connect_end;
        bool canceled, late, foreign;
        size_t answered;                     /* bytes */
        char line[LINE_SHOWN + 1];           /* the last one of the relay */
} Opening;

static bool is_loopback(const struct sockaddr *address) {
        if (address->sa_family == AF_INET)
                return ntohl(((const struct sockaddr_in *) (const void *) address)->sin_addr.s_addr) >> 24 == 127;
        if (address->sa_family == AF_INET6)
                return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *) (const void *) address)->sin6_addr);
        return false;
}

bool smtp_host_is_loopback(const char *host) {
        struct in_addr four;
        struct in6_addr six;

        return strcasecmp(host, "localhost") == 0 || (inet_pton(AF_INET, host, &four) == 1 && ntohl(four.s_addr) >> 24 == 127) ||
               (inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six));
}

/* Whatever the name resolves to: without TLS, bytes leave this host never. Descriptors do not go to children. */
static curl_socket_t on_socket(void *userdata, curlsocktype purpose, struct curl_sockaddr *address) {
        Opening *o = userdata;

        if (o->relay->security == SMTP_OFF && !is_loopback(&address->addr)) {
                o->foreign = true;
                return CURL_SOCKET_BAD;
        }
        return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int on_progress(void *userdata, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
        Opening *o = userdata;
        curl_off_t connected = 0;

        o->canceled = o->cancel && atomic_load(o->cancel);
        if (clock_monotonic() > o->connect_end && lib.curl_easy_getinfo(o->curl, CURLINFO_CONNECT_TIME_T, &connected) == CURLE_OK)
                o->late = connected == 0;
        return o->canceled || o->late;
}

static size_t on_line(char *data, size_t size, size_t n, void *userdata) {
        Opening *o = userdata;

        o->answered += size * n;
        snprintf(o->line, sizeof(o->line), "%.*s", (int) MIN(size * n, sizeof(o->line) - 1), data);
        o->line[strcspn(o->line, "\r\n")] = 0;
        return o->answered > ANSWERS_MAX ? 0 : size * n;
}

static void curl_begin(void) {
        void *handle = dlopen(LIBCURL, RTLD_NOW | RTLD_LOCAL);

        if (!handle)
                return;
#define LOAD(f)                                        \
        lib.f = (__typeof__(lib.f)) dlsym(handle, #f); \
        if (!lib.f)                                    \
                return;
        FUNCTIONS(LOAD)
        lib.loaded = true;
        if (lib.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                abort();
}

/* Nothing in it can be anything but a host; and nothing in ehlo anything but one word. */
static bool make_url(const SmtpRelay *relay, Buffer *url) {
        const char *host = relay->host, *ehlo = relay->ehlo;
        bool six = host && strchr(host, ':');

        if (str_empty(host) || relay->port == 0 || str_empty(ehlo) || strlen(host) > 253 || strlen(ehlo) > 255 ||
            (six && strspn(host, "0123456789abcdefABCDEF:.") != strlen(host)))
                return false;
        for (const char *p = host; *p; p++)
                if (strchr("/?#@[]%\\<>\"'` ", *p) || (unsigned char) *p <= ' ' || *p == 0x7f)
                        return false;
        buffer_printf(url, six ? "%s://[%s]:%u/" : "%s://%s:%u/", relay->security == SMTP_TLS ? "smtps" : "smtp", host, relay->port);
        for (const char *p = ehlo; *p; p++) {
                if (*p <= ' ' || *p >= 0x7f)     /* all that is not ASCII, too: char is signed, or above */
                        return false;
                buffer_printf(url, "%%%02X", (unsigned) *p);
        }
        return true;
}

static void set_options(CURL *curl, const SmtpRelay *relay, const char *url, Opening *o, char *error) {
        Usec wait = relay->wait_max > 0 ? relay->wait_max : GREETED_SECONDS * USEC_SEC;

        lib.curl_easy_setopt(curl, CURLOPT_URL, url);
        lib.curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
        lib.curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
        lib.curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        lib.curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);          /* a resolver that hangs is not waited for */
        lib.curl_easy_setopt(curl, CURLOPT_PROXY, "");               /* nothing out of the environment */
        lib.curl_easy_setopt(curl, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
        lib.curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
        lib.curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long) (wait / USEC_MSEC));
        lib.curl_easy_setopt(curl, CURLOPT_USE_SSL, (long) (relay->security == SMTP_OFF ? CURLUSESSL_NONE : CURLUSESSL_ALL));
        lib.curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
        lib.curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
        lib.curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
        if (relay->ca_file) {
                lib.curl_easy_setopt(curl, CURLOPT_CAINFO, relay->ca_file);
                lib.curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
        }
        lib.curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_socket);
        lib.curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, o);
        lib.curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_line);
        lib.curl_easy_setopt(curl, CURLOPT_HEADERDATA, o);
        lib.curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        lib.curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        lib.curl_easy_setopt(curl, CURLOPT_XFERINFODATA, o);
        lib.curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
}

static const char *why_not_connected(const Opening *o, CURLcode code, const char *error) {
        if (o->foreign)
                return "mail.starttls is off, which is for this host alone, and this is another";
        if (o->late)
                return "no connection within 30 s";
        if (o->answered > ANSWERS_MAX)
                return "its answer does not end";
        if (code == CURLE_USE_SSL_FAILED && !*o->line)
                return "it does not offer STARTTLS";
        return *error ? error : lib.curl_easy_strerror(code);
}

static int not_connected(const Opening *o, CURLcode code, const char *error, LinkFault *fault) {
        _cleanup_(buffer_done) Buffer shown = {};
        long answer = 0;

        if (o->canceled)
                return -ECANCELED;
        lib.curl_easy_getinfo(o->curl, CURLINFO_RESPONSE_CODE, &answer);
        const char *why = why_not_connected(o, code, error);
        text_escape_controls(&shown, why, strlen(why));
        if (*o->line) {
                buffer_add_string(&shown, "; its last answer was: ");
                text_escape_controls(&shown, o->line, strlen(o->line));
        }
        *fault = (LinkFault) { .code = answer >= 200 && answer < 600 ? (int) answer : 0, .unusable = o->foreign };
        text_copy_cut(fault->text, sizeof(fault->text), buffer_string(&shown));
        return 1;
}

int link_open(const SmtpRelay *relay, const atomic_bool *cancel, Link **ret, LinkFault *fault) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        _cleanup_(buffer_done) Buffer url = {};
        char error[CURL_ERROR_SIZE] = "";
        Opening o = { .relay = relay, .cancel = cancel };
        int r;

        if (!make_url(relay, &url)) {
                *fault = (LinkFault) { .unusable = true, .text = "its host, its port or the name we give it cannot be used" };
                return 1;
        }
        pthread_once(&once, curl_begin);
        if (!lib.loaded) {
                *fault = (LinkFault) { .unusable = true, .text = "the library " LIBCURL " is not installed" };
                return 1;
        }
        if (!(o.curl = lib.curl_easy_init()))
                return -ENOMEM;
        o.connect_end = clock_monotonic() + CONNECT_SECONDS * USEC_SEC;
        set_options(o.curl, relay, url.data, &o, error);
        CURLcode code = lib.curl_easy_perform(o.curl);
        curl_socket_t fd = CURL_SOCKET_BAD;
        if (code == CURLE_OK)
                code = lib.curl_easy_getinfo(o.curl, CURLINFO_ACTIVESOCKET, &fd);
        if (code != CURLE_OK || fd == CURL_SOCKET_BAD) {
                r = not_connected(&o, code, error, fault);
                lib.curl_easy_cleanup(o.curl);
                return r;
        }
        /* These live on our stack. */
        lib.curl_easy_setopt(o.curl, CURLOPT_ERRORBUFFER, NULL);
        lib.curl_easy_setopt(o.curl, CURLOPT_XFERINFOFUNCTION, NULL);
        lib.curl_easy_setopt(o.curl, CURLOPT_HEADERFUNCTION, NULL);
        Link *l = memory_new(sizeof(Link));
        *l = (Link) { .curl = o.curl, .fd = fd, .opened = clock_monotonic() };
        *ret = l;
        return 0;
}

void link_close(Link *l) {
        if (!l)
                return;
        lib.curl_easy_cleanup(l->curl);
        buffer_done(&l->in);
        free(l);
}

Usec link_opened(const Link *l) {
        return l->opened;
}

Buffer *link_input(Link *l) {
        return &l->in;
}

void link_take(Link *l, size_t n) {
        memmove(l->in.data, l->in.data + n, l->in.size - n + 1);
        l->in.size -= n;
}

/* What is there now: 1, 0 if nothing is, -ECONNRESET. */
static int fill(Link *l) {
        size_t got = 0;
        CURLcode code = lib.curl_easy_recv(l->curl, buffer_reserve(&l->in, 4096), 4096, &got);

        l->drained = code == CURLE_AGAIN || (code == CURLE_OK && got < 4096);
        if (code == CURLE_AGAIN)
                return 0;
        if (code != CURLE_OK || got == 0)
                return -ECONNRESET;
        l->in.size += got;
        l->in.data[l->in.size] = 0;
        return 1;
}

bool link_is_quiet(Link *l) {
        return l->in.size == 0 && fill(l) == 0;
}

/* What the socket is ready for, of events; 0: nothing yet, look again. */
static int wait_some(Link *l, short events, Usec deadline, const atomic_bool *cancel) {
        struct pollfd p = { .fd = l->fd, .events = events };
        Usec left = deadline - clock_monotonic();

        if (cancel && atomic_load(cancel))
                return -ECANCELED;
        if (left <= 0)
                return -ETIMEDOUT;
        int n = poll(&p, 1, (int) MIN(left / USEC_MSEC + 1, (Usec) SLICE_MS));
        if (n < 0 && errno != EINTR)
                return -errno;
        return n > 0 ? p.revents : 0;
}

int link_receive(Link *l, Usec deadline, const atomic_bool *cancel) {
        int r = l->drained ? 0 : fill(l);

        /* After each slice it is read in any case: within TLS bytes may be there that the socket does not show. */
        while (r == 0) {
                r = wait_some(l, POLLIN, deadline, cancel);
                if (r >= 0)
                        r = fill(l);
        }
        return MIN(r, 0);
}

int link_send(Link *l, const void *data, size_t n, Usec wait, const atomic_bool *cancel) {
        const char *p = data;
        Usec deadline = clock_monotonic() + wait;

        while (n > 0) {
                size_t sent = 0;
                CURLcode code = lib.curl_easy_send(l->curl, p, n, &sent);
                if (code == CURLE_OK) {
                        p += sent;
                        n -= sent;
                        deadline = clock_monotonic() + wait;     /* it moves */
                        continue;
                }
                if (code != CURLE_AGAIN)
                        return -ECONNRESET;
                int r = wait_some(l, POLLIN | POLLOUT, deadline, cancel);
                if (r < 0)
                        return r;
                if ((r & POLLIN) && (r = fill(l)) != 0)
                        return r;
        }
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libcurl's own rate of mail: four threads, each with one handle and so one connection, nothing kept anywhere.
 *
 *   yard-mail PORT COUNT BYTES     COUNT messages of so many bytes: messages a second */
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/memory.h"
#include "tests/bench/bench.h"

enum { CONNECTIONS = 4, LINE = 72 };

static char *text, url[64];
static size_t text_size;
static atomic_long left;

static size_t read_text(char *to, size_t size, size_t n, void *userdata) {
        size_t *at = userdata, some = MIN(size * n, text_size - *at);

        memcpy(to, text + *at, some);
        *at += some;
        return some;
}

static void make_text(size_t size) {
        static const char head[] = "From: a@x.example\r\nTo: b@x.example\r\nSubject: report\r\n\r\n";

        text_size = MAX(size, sizeof(head));
        text = memory_new(text_size + 1);
        memcpy(text, head, sizeof(head) - 1);
        for (size_t i = sizeof(head) - 1; i < text_size; i++)
                text[i] = (char) ('a' + i % 26);
        for (size_t i = sizeof(head) + LINE; i + 2 < text_size; i += LINE)
                memcpy(text + i, "\r\n", 2);
        memcpy(text + text_size - 2, "\r\n", 2);
}

static void *deliver(void *userdata) {
        struct curl_slist *recipients = curl_slist_append(NULL, "<b@x.example>");
        CURL *handle = curl_easy_init();
        size_t at;

        curl_easy_setopt(handle, CURLOPT_URL, url);
        curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(handle, CURLOPT_MAIL_FROM, "<a@x.example>");
        curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, recipients);
        curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, (curl_off_t) text_size);
        curl_easy_setopt(handle, CURLOPT_READFUNCTION, read_text);
        curl_easy_setopt(handle, CURLOPT_READDATA, &at);
        while (atomic_fetch_sub(&left, 1) > 0) {
                at = 0;
                CURLcode code = curl_easy_perform(handle);
                if (code != CURLE_OK)
                        bench_die("curl", curl_easy_strerror(code));
        }
        curl_easy_cleanup(handle);
        curl_slist_free_all(recipients);
        return NULL;
}

int main(int argc, char **argv) {
        pthread_t threads[CONNECTIONS];

        if (argc != 4)
                return 2;
        snprintf(url, sizeof(url), "smtp://127.0.0.1:%d/bench.example", atoi(argv[1]));
        atomic_store(&left, atol(argv[2]));
        make_text((size_t) atol(argv[3]));
        curl_global_init(CURL_GLOBAL_DEFAULT);
        Usec begin = clock_monotonic();
        for (size_t i = 0; i < CONNECTIONS; i++)
                if (pthread_create(&threads[i], NULL, deliver, NULL) != 0)
                        bench_die("thread", "none");
        for (size_t i = 0; i < CONNECTIONS; i++)
                pthread_join(threads[i], NULL);
        printf("%.1f\n", (double) atol(argv[2]) * 1e6 / (double) (clock_monotonic() - begin));
        free(text);
        return 0;
}

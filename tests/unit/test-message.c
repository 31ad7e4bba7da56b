/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <cmocka.h>

#include "common/files.h"
#include "common/random.h"
#include "common/text.h"
#include "common/time.h"
#include "daemon/net/encode.h"
#include "daemon/net/mailbox.h"
#include "daemon/net/message.h"
#include "daemon/net/reply.h"
#include "daemon/net/smtp.h"

static Message plain(void) {
        return (Message) {
                .sender_name = "Example MSP", .sender = "reports@msp.example", .recipient = "ada@contoso.example",
                .subject = "Report", .date = 1796212800 * USEC_SEC, .id = "0123@msp.example", .language = "en", .text = "Hello\n",
        };
}

static char *built(const Message *m) {
        Buffer b = {};
        Problem problem = {};

        assert_int_equal(message_build(m, &b, &problem), 0);
        return buffer_take(&b);
}

/* The value of a header as it stands, folds and all; NULL if there is none. */
static char *header(Arena *a, const char *message, const char *name) {
        const char *head_end = strstr(message, "\r\n\r\n"), *p = message;
        size_t n = strlen(name);

        while (p && p < head_end) {
                if (strncmp(p, name, n) == 0 && p[n] == ':') {
                        const char *end = p;
                        do
                                end = strstr(end, "\r\n") + 2;
                        while (*end == ' ');
                        p += n + 1 + (p[n + 1] == ' ');
                        return arena_strndup(a, p, (size_t) (end - 2 - p));
                }
                p = strstr(p, "\r\n");
                p = p ? p + 2 : NULL;
        }
        return NULL;
}

static void assert_header(const Message *m, const char *name, const char *expected) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        _cleanup_(freep) char *message = built(m);

        assert_string_equal(header(a, message, name), expected);
}

static void assert_refused(const Message *m, const char *code, const char *field) {
        _cleanup_(buffer_done) Buffer b = {};
        Problem problem = {};

        assert_int_equal(message_build(m, &b, &problem), 1);
        assert_string_equal(problem.code, code);
        assert_string_equal(problem.field, field);
}

static void test_a_plain_message(void **state) {
        Message m = plain();
        _cleanup_(freep) char *message = built(&m);

        assert_string_equal(message,
                            "Date: Wed, 02 Dec 2026 12:00:00 +0000\r\n"
                            "From: \"Example MSP\" <reports@msp.example>\r\n"
                            "To: ada@contoso.example\r\n"
                            "Message-ID: <0123@msp.example>\r\n"
                            "Subject: Report\r\n"
                            "Auto-Submitted: auto-generated\r\n"
                            "MIME-Version: 1.0\r\n"
                            "Content-Language: en\r\n"
                            "Content-Type: text/plain; charset=utf-8\r\n"
                            "Content-Transfer-Encoding: base64\r\n"
                            "\r\n"
                            "SGVsbG8NCg==\r\n");
}

static void test_dates(void **state) {
        static const struct {
                CivilTime at;
                const char *text;
        } cases[] = {
                { { 2024, 2, 29, 23, 59, 59, 999999 }, "Thu, 29 Feb 2024 23:59:59 +0000" },
                { { 1970, 1, 1, 0, 0, 0, 0 }, "Thu, 01 Jan 1970 00:00:00 +0000" },
                { { 1969, 12, 31, 12, 0, 0, 0 }, "Wed, 31 Dec 1969 12:00:00 +0000" },
                { { 2000, 1, 1, 0, 0, 0, 0 }, "Sat, 01 Jan 2000 00:00:00 +0000" },
                { { 1, 1, 1, 0, 0, 0, 0 }, "Mon, 01 Jan 0001 00:00:00 +0000" },
        };
        Message m = plain();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                m.date = civil_usec(&cases[i].at);
                assert_header(&m, "Date", cases[i].text);
        }
        m.date = USEC_NONE;
        assert_refused(&m, "bad-header", "date");
        m.date = INT64_MAX;
        assert_refused(&m, "bad-header", "date");
}

static void test_subjects(void **state) {
        Message m = plain();

        m.subject = "M\xc3\xbcller";
        assert_header(&m, "Subject", "=?UTF-8?B?TcO8bGxlcg==?=");
        m.subject = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen";
        assert_header(&m, "Subject", "one two three four five six seven eight nine ten eleven twelve\r\n thirteen fourteen");
        m.subject = "=?UTF-8?Q?Bcc?=";
        assert_header(&m, "Subject", "=?UTF-8?B?PT9VVEYtOD9RP0JjYz89?=");
        m.subject = "two  blanks";
        assert_header(&m, "Subject", "=?UTF-8?B?dHdvICBibGFua3M=?=");
        m.subject = "";
        assert_header(&m, "Subject", "");
        m.subject = " ";
        assert_header(&m, "Subject", "=?UTF-8?B?IA==?=");
}

static void test_names(void **state) {
        Message m = plain();

        m.sender_name = "Say \"hi\" \\ <x@y.z>, bye";
        assert_header(&m, "From", "\"Say \\\"hi\\\" \\\\ <x@y.z>, bye\" <reports@msp.example>");
        m.sender_name = "M\xc3\xbcller";
        assert_header(&m, "From", "=?UTF-8?B?TcO8bGxlcg==?= <reports@msp.example>");
        m.sender_name = NULL;
        assert_header(&m, "From", "reports@msp.example");
        m.sender_name = "";
        assert_header(&m, "From", "reports@msp.example");
}

static void test_addresses(void **state) {
        Message m = plain();

        m.recipient = "ada@M\xc3\xbcller.example";
        assert_header(&m, "To", "ada@xn--mller-kva.example");
        assert_false(message_needs_smtputf8(&m));
        m.recipient = "Ada@Contoso.Example";
        assert_header(&m, "To", "Ada@Contoso.Example");
        m.recipient = "\"a;b,c\"@contoso.example";
        assert_header(&m, "To", "\"a;b,c\"@contoso.example");
        m.recipient = "j\xc3\xbcrgen@contoso.example";
        assert_header(&m, "To", "j\xc3\xbcrgen@contoso.example");
        assert_true(message_needs_smtputf8(&m));
        m.sender = "tenantd@localhost";
        assert_header(&m, "From", "\"Example MSP\" <tenantd@localhost>");
}

static void test_addresses_that_are_none(void **state) {
        static const char *const bad[] = {
                "", "@", "a", "a@", "@b.example", "a@b.example\r\nRCPT TO:<x@y.z>", "a@b.example>", "<a@b.example>", "a@b.example\n",
                "a b@c.example", "a@b c.example", "a@@b.example", "a@b@c.example", "a@b..example", "a@.example", "a@b.example.",
                "a@-b.example", "a@b-.example", "a..b@c.example", ".a@b.example", "a.@b.example", "a,b@c.example", "a@b.example,c@d.example",
                "\"a\"b\"@c.example", "\"a\\\"@c.example", "\"\"@c.example", "\"a>b\"@c.example", "\"a\rb\"@c.example", "a@[127.0.0.1]",
                "a\xc2\x85@b.example", "a\xe2\x80\xa8@b.example", "a\xe2\x80\x8b@b.example", "a@b\xff.example", "\xff@b.example",
                "a@b.example SIZE=1", "a@b.example\tX", "a:b@c.example", "a\x7f@b.example", "a@b_c.example",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b.example",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Message m = plain();
                m.recipient = bad[i];
                assert_refused(&m, "bad-address", "recipient");
                m = plain();
                m.sender = bad[i];
                assert_refused(&m, "bad-address", "sender");
        }
}

static void test_headers_that_are_refused(void **state) {
        static const char *const bad[] = {
                "a\r\nBcc: x@y.z", "a\nb", "a\rb", "tab\there", "\x1b[31m", "\x7f", "nul\x01", "\xc2\x85", "\xc2\x9b", "\xe2\x80\xa8",
                "\xe2\x80\xa9", "\xff", "\xc3", "\xed\xa0\x80", "\xc0\x8a", "\xef\xbf\xbf",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Message m = plain();
                m.subject = bad[i];
                assert_refused(&m, "bad-header", "subject");
                m = plain();
                m.sender_name = bad[i];
                assert_refused(&m, "bad-header", "sender");
                m = plain();
                m.language = bad[i];
                assert_refused(&m, "bad-header", "language");
                m = plain();
                m.id = bad[i];
                assert_refused(&m, "bad-header", "id");
                const MessageAttachment name = { .name = bad[i], .type = "text/csv", .fd = -1 };
                const MessageAttachment type = { .name = "x.csv", .type = bad[i], .fd = -1 };
                m = plain();
                m.n_attachments = 1;
                m.attachments = &name;
                assert_refused(&m, "bad-header", "attachment");
                m.attachments = &type;
                assert_refused(&m, "bad-header", "attachment");
        }
        Message m = plain();
        m.text = "\xff";
        assert_refused(&m, "bad-header", "text");
        m = plain();
        m.id = "a@b>@c";
        assert_refused(&m, "bad-header", "id");
}

static int file_of(const void *data, size_t n) {
        int fd;

        assert_int_equal(memfd_sealed("attachment", data, n, &fd), 0);
        return fd;
}

static void test_attachments(void **state) {
        _cleanup_(closep) int fd = file_of("\0\xff\r\n.", 5);
        const MessageAttachment attachments[] = {
                { .name = "a.csv", .type = "text/csv; charset=utf-8", .fd = fd, .size = 5 },
                { .name = "Gr\xc3\xb6\xc3\x9f" "e \"5\".xlsx", .type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                  .fd = fd, .size = 3 },
        };
        Message m = plain();

        m.attachments = attachments;
        m.n_attachments = 2;
        _cleanup_(freep) char *message = built(&m);
        assert_non_null(strstr(message,
                               "\r\nContent-Type: text/csv; charset=utf-8;\r\n name=\"a.csv\"\r\n"
                               "Content-Disposition: attachment;\r\n filename=\"a.csv\"\r\n"
                               "Content-Transfer-Encoding: base64\r\n\r\nAP8NCi4=\r\n--=_"));
        assert_non_null(strstr(message,
                               "\r\nContent-Type:\r\n application/vnd.openxmlformats-officedocument.spreadsheetml.sheet;\r\n"
                               " name=\"=?UTF-8?B?R3LDtsOfZSAiNSIueGxzeA==?=\"\r\n"
                               "Content-Disposition: attachment;\r\n filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%225%22.xlsx\r\n"
                               "Content-Transfer-Encoding: base64\r\n\r\nAP8N\r\n--=_"));
        _cleanup_(freep) char *again = built(&m);
        assert_string_equal(message, again);         /* the boundary, too */
        m.id = "4567@msp.example";
        _cleanup_(freep) char *other = built(&m);
        assert_null(strstr(other, strstr(message, "boundary=")));
}

static void test_an_attachment_that_is_cut(void **state) {
        _cleanup_(closep) int fd = file_of("abc", 3);
        const MessageAttachment attachment = { .name = "a", .type = "text/plain", .fd = fd, .size = 4 };
        _cleanup_(buffer_done) Buffer b = {};
        Message m = plain();
        Problem problem = {};

        m.attachments = &attachment;
        m.n_attachments = 1;
        assert_int_equal(message_build(&m, &b, &problem), -ENODATA);
}

/* Both doors make the same bytes, whatever the chunks. */
static void test_into_a_file(void **state) {
        enum { SIZE = 200000 };
        _cleanup_(freep) char *data = memory_new(SIZE);
        _cleanup_(buffer_done) Buffer written = {};
        Message m = plain();
        Problem problem = {};
        uint64_t size = 0;

        for (size_t i = 0; i < SIZE; i++)
                data[i] = (char) (i * 7 >> 3);
        _cleanup_(closep) int file = file_of(data, SIZE), out = memfd_create("out", MFD_CLOEXEC);
        const MessageAttachment attachment = { .name = "a", .type = "text/plain", .fd = file, .size = SIZE };
        m.attachments = &attachment;
        m.n_attachments = 1;
        _cleanup_(freep) char *message = built(&m);
        assert_int_equal(message_write(&m, out, &size, &problem), 0);
        assert_int_equal(size, strlen(message));
        assert_int_equal(lseek(out, 0, SEEK_SET), 0);
        assert_int_equal(fd_read_all(out, size, INT64_MAX, &written), 0);
        assert_string_equal(written.data, message);
}

/* Of any message: CR LF alone, no line above the limit but those with an address or id, words whole. */
static void assert_lines(const char *message) {
        for (const char *p = message; *p;) {
                const char *end = strstr(p, "\r\n");
                assert_non_null(end);
                assert_true(memchr(p, '\n', (size_t) (end - p)) == NULL && memchr(p, '\r', (size_t) (end - p)) == NULL);
                if (end - p > 76)
                        assert_true(memchr(p, '@', (size_t) (end - p)) && memchr(p, ' ', (size_t) (end - p)) == p);
                p = end + 2;
        }
        for (const char *word = message; (word = strstr(word, "=?UTF-8?B?"));) {
                const char *end = strstr(word, "?=");
                assert_true(end && end + 2 - word <= 75);
                word = end;
        }
}

static char *random_text(Arena *a, size_t max) {
        static const uint32_t odd[] = { 0xfc, 0x20, '"', '\\', '=', '?', 0x1f600, 0x301, 0x5e2, 0x200d, 0xfffd, '<', '>', '@', ',', ';', '%', '\'' };
        Buffer b = {};
        size_t n = random_below(max);

        for (size_t i = 0; i < n; i++) {
                char bytes[4];
                uint32_t code = random_below(3) > 0 ? (uint32_t) (' ' + random_below(95)) : odd[random_below(ELEMENTSOF(odd))];
                buffer_add(&b, bytes, utf8_encode(code, bytes));
        }
        char *text = arena_strdup(a, buffer_string(&b));
        buffer_done(&b);
        return text;
}

static void test_lines_of_random_messages(void **state) {
        const char *given = getenv("TEST_SEED");
        uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t) time(NULL);
        _cleanup_(closep) int fd = file_of("abc", 3);

        print_message("TEST_SEED=%llu\n", (unsigned long long) seed);
        random_seed_for_tests(seed);
        for (int i = 0; i < 3000; i++) {
                _cleanup_(arena_freep) Arena *a = arena_new();
                MessageAttachment attachment = { .name = random_text(a, 120), .type = "application/pdf", .fd = fd, .size = 3 };
                Message m = plain();
                m.sender_name = random_text(a, 100);
                m.subject = random_text(a, 300);
                m.text = random_text(a, 300);
                m.attachments = &attachment;
                m.n_attachments = *attachment.name ? 1 : 0;
                _cleanup_(freep) char *message = built(&m);
                assert_lines(message);
                assert_null(strcasestr(message, "\r\nBcc:"));
        }
}

static void assert_reply(const char *text, ssize_t length, int code, const char *enhanced, const char *shown) {
        Reply reply = {};

        assert_int_equal(reply_read(text, strlen(text), &reply), length);
        if (length <= 0)
                return;
        assert_int_equal(reply.code, code);
        assert_string_equal(reply.enhanced, enhanced);
        assert_string_equal(reply.text, shown);
}

static void test_replies(void **state) {
        assert_reply("250 ok\r\n", 8, 250, "", "ok");
        assert_reply("250\r\n", 5, 250, "", "");
        assert_reply("250 ok\n", 7, 250, "", "ok");
        assert_reply("550 5.1.1 no such user\r\nmore", 24, 550, "5.1.1", "5.1.1 no such user");
        assert_reply("550-5.7.26 a\r\n550 5.7.26 b\r\n", 28, 550, "5.7.26", "5.7.26 a 5.7.26 b");
        assert_reply("550 4.1.1 of another class\r\n", 28, 550, "", "4.1.1 of another class");
        assert_reply("550 5.1 half\r\n", 14, 550, "", "5.1 half");
        assert_reply("550 5.1.1\x1b[31m\xff\r\n", 17, 550, "", "5.1.1\\x1b[31m\\xff");
        assert_reply("250", 0, 0, "", "");
        assert_reply("250-a\r\n", 0, 0, "", "");
        assert_reply("25", 0, 0, "", "");
        assert_reply("", 0, 0, "", "");
        assert_reply("xyz\r\n", -EBADMSG, 0, "", "");
        assert_reply("HTTP/1.1 400", -EBADMSG, 0, "", "");
        assert_reply("250-a\r\n251 b\r\n", -EBADMSG, 0, "", "");
        assert_reply("199 a\r\n", -EBADMSG, 0, "", "");
        assert_reply("600 a\r\n", -EBADMSG, 0, "", "");
        assert_reply("2500 a\r\n", -EBADMSG, 0, "", "");
        assert_reply("\r\n", -EBADMSG, 0, "", "");
}

static void test_replies_that_do_not_end(void **state) {
        _cleanup_(buffer_done) Buffer b = {};
        Reply reply;

        buffer_add_string(&b, "250 ");
        while (b.size <= REPLY_SIZE_MAX) {
                assert_int_equal(reply_read(b.data, b.size, &reply), 0);
                for (int i = 0; i < 4096; i++)
                        buffer_add_char(&b, 'x');
        }
        assert_int_equal(reply_read(b.data, b.size, &reply), -EBADMSG);
        buffer_clear(&b);
        while (b.size <= REPLY_SIZE_MAX)
                buffer_add_string(&b, "250-x\r\n");
        assert_int_equal(reply_read(b.data, b.size, &reply), -EBADMSG);
}

static void test_capabilities(void **state) {
        static const char text[] = "250-relay.example at your service AUTH PLAIN\r\n250-size 1000\r\n250-AUTH=LOGIN\r\n250-Auth xoauth2 CRAM-MD5\r\n"
                                   "250-PIPELINING\r\n250-SMTPUTF8\r\n250 HELP\r\n";
        Capabilities can;

        capabilities_read(text, strlen(text), &can);
        assert_true(can.has_size && can.pipelining && can.smtputf8 && can.login && can.xoauth2 && !can.plain);
        assert_int_equal(can.size, 1000);
        capabilities_read("250-x\r\n250 SIZE\r\n", 17, &can);
        assert_true(can.has_size && can.size == 0 && !can.pipelining && !can.login);
        capabilities_read("250-x\r\n250 SIZE 99999999999999999999999999999\r\n", 46, &can);
        assert_int_equal(can.size, 0);
        capabilities_read("250-x\r\n250 AUTHPLAIN\r\n", 22, &can);
        assert_false(can.plain);
}

static void test_which_hosts_are_this_one(void **state) {
        static const char *const here[] = { "localhost", "LOCALHOST", "127.0.0.1", "127.255.0.3", "::1" };
        static const char *const elsewhere[] = {
                "", "0.0.0.0", "128.0.0.1", "127.1", "localhost.example", "127.0.0.1.example", "::", "::2", "::ffff:10.0.0.1", "relay",
        };

        for (size_t i = 0; i < ELEMENTSOF(here); i++)
                assert_true(smtp_host_is_loopback(here[i]));
        for (size_t i = 0; i < ELEMENTSOF(elsewhere); i++)
                assert_false(smtp_host_is_loopback(elsewhere[i]));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_plain_message), cmocka_unit_test(test_dates), cmocka_unit_test(test_subjects),
                cmocka_unit_test(test_names), cmocka_unit_test(test_addresses), cmocka_unit_test(test_addresses_that_are_none),
                cmocka_unit_test(test_headers_that_are_refused), cmocka_unit_test(test_attachments),
                cmocka_unit_test(test_an_attachment_that_is_cut), cmocka_unit_test(test_into_a_file),
                cmocka_unit_test(test_lines_of_random_messages), cmocka_unit_test(test_replies),
                cmocka_unit_test(test_replies_that_do_not_end), cmocka_unit_test(test_capabilities),
                cmocka_unit_test(test_which_hosts_are_this_one),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

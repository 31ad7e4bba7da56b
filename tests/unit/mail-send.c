/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Builds and sends messages for tests/system/test_mail.py: one JSON object a line in, one a line out.
 *   {"op": "relay", "host", "port", "security", "user", "password", "token", "ca_file", "ehlo", "wait_ms"}: hangs up, then this one
 *   {"op": "build" | "send", "sender_name", "sender", "recipient", "subject", "date", "id", "language", "text", "attachments":
 *    [{"name", "type", "path"}], "output": where to build it, "envelope_sender", "envelope_recipient", "raw": a file to send as it is}
 *   {"op": "crash"}: ends the process without a word to the relay
 * A text whose key ends in _hex is in hex. SIGUSR1 cancels. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/files.h"
#include "common/json.h"
#include "common/value.h"
#include "daemon/net/message.h"
#include "daemon/net/smtp.h"

static atomic_bool canceled;

static void on_signal(int number) {
        atomic_store(&canceled, true);
}

static const char *text(Arena *a, const Dict *d, const char *key) {
        const Value *plain = dict_find(d, key), *hex = dict_find(d, arena_printf(a, "%s_hex", key));

        if (!hex)
                return plain && plain->type == VALUE_STRING ? plain->string : NULL;
        size_t n = strlen(hex->string) / 2;
        char *bytes = arena_alloc(a, n + 1);
        for (size_t i = 0; i < n; i++)
                sscanf(hex->string + 2 * i, "%2hhx", (unsigned char *) bytes + i);
        return bytes;
}

static int64_t number(const Dict *d, const char *key) {
        const Value *v = dict_find(d, key);

        return v && v->type == VALUE_INT ? v->integer : 0;
}

static void answer(Buffer *b) {
        buffer_add_char(b, '\n');
        if (fd_write_all(STDOUT_FILENO, b->data, b->size) < 0)
                exit(1);
        buffer_done(b);
}

static void answer_failure(int r, const Problem *problem) {
        Buffer b = {};

        json_put_object_begin(&b);
        if (r > 0) {
                json_put_key_string(&b, "refused", problem->code);
                json_put_key_string(&b, "field", problem->field);
                json_put_key_string(&b, "text", problem->text);
        } else
                json_put_key_int(&b, "fault", r);
        json_put_object_end(&b);
        answer(&b);
}

static void answer_result(const SmtpResult *result) {
        Buffer b = {};

        json_put_object_begin(&b);
        json_put_key_string(&b, "outcome", smtp_outcome_name(result->outcome));
        json_put_key_int(&b, "code", result->code);
        json_put_key_string(&b, "enhanced", result->enhanced);
        json_put_key_string(&b, "reason", result->reason);
        json_put_key_bool(&b, "relay", result->relay);
        json_put_object_end(&b);
        answer(&b);
}

static Smtp *connect_relay(Arena *a, const Dict *d) {
        const char *security = text(a, d, "security");
        SmtpRelay relay = {
                .host = text(a, d, "host"), .port = (uint16_t) number(d, "port"),
                .security = str_equal(security, "off") ? SMTP_OFF : str_equal(security, "tls") ? SMTP_TLS : SMTP_STARTTLS,
                .user = text(a, d, "user"), .password = text(a, d, "password"), .token = text(a, d, "token"),
                .ca_file = text(a, d, "ca_file"), .ehlo = text(a, d, "ehlo"), .wait_max = number(d, "wait_ms") * USEC_MSEC,
        };

        relay.password_size = relay.password ? strlen(relay.password) : 0;
        relay.token_size = relay.token ? strlen(relay.token) : 0;
        return smtp_new(&relay);
}

static void add_attachments(Arena *a, const Dict *d, Message *m) {
        const Value *v = dict_find(d, "attachments");
        size_t n = v && v->type == VALUE_MAPS ? v->maps.n : 0;
        MessageAttachment *attachments = arena_alloc(a, (n + 1) * sizeof(MessageAttachment));

        for (size_t i = 0; i < n; i++) {
                const Dict *one = &v->maps.items[i];
                struct stat st;
                attachments[i] = (MessageAttachment) {
                        .name = text(a, one, "name"), .type = text(a, one, "type"),
                        .fd = open(text(a, one, "path"), O_RDONLY | O_CLOEXEC),
                };
                if (fstat(attachments[i].fd, &st) < 0)
                        exit(1);
                attachments[i].size = (uint64_t) st.st_size;
        }
        m->attachments = attachments;
        m->n_attachments = n;
}

static Message message(Arena *a, const Dict *d) {
        Message m = {
                .sender_name = text(a, d, "sender_name"), .sender = text(a, d, "sender"), .recipient = text(a, d, "recipient"),
                .subject = text(a, d, "subject"), .date = number(d, "date"), .id = text(a, d, "id"),
                .language = text(a, d, "language"), .text = text(a, d, "text"),
        };

        add_attachments(a, d, &m);
        return m;
}

static void send_one(Smtp *smtp, const SmtpMail *mail) {
        static const Problem none;
        SmtpResult result;
        int r = smtp_send(smtp, mail, &canceled, &result);

        if (r < 0)
                answer_failure(r, &none);
        else
                answer_result(&result);
}

static void build(Arena *a, const Dict *d, Smtp *smtp) {
        const char *raw = text(a, d, "raw"), *output = text(a, d, "output");
        bool send = str_equal(text(a, d, "op"), "send");
        _cleanup_(closep) int fd = raw ? open(raw, O_RDONLY | O_CLOEXEC) : output ? open(output, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) :
                                   memfd_create("message", MFD_CLOEXEC);
        SmtpMail mail = { .sender = text(a, d, "envelope_sender"), .recipient = text(a, d, "envelope_recipient"), .fd = fd };
        Buffer b = {};
        Problem problem;
        struct stat st;
        int r = 0;

        if (!raw) {
                Message m = message(a, d);
                if ((r = message_write(&m, fd, &mail.size, &problem)) != 0)
                        answer_failure(r, &problem);
                for (size_t i = 0; i < m.n_attachments; i++)
                        close(m.attachments[i].fd);
                mail.sender = mail.sender ? mail.sender : m.sender;
                mail.recipient = mail.recipient ? mail.recipient : m.recipient;
        } else if (fstat(fd, &st) < 0)
                exit(1);
        else
                mail.size = (uint64_t) st.st_size;
        if (r == 0 && send)
                send_one(smtp, &mail);
        else if (r == 0) {
                json_put_object_begin(&b);
                json_put_key_int(&b, "size", (int64_t) mail.size);
                json_put_object_end(&b);
                answer(&b);
        }
}

int main(void) {
        _cleanup_(arena_freep) Arena *relay = arena_new();
        Smtp *smtp = NULL;
        char *line = NULL;
        size_t room = 0;
        ssize_t n;

        signal(SIGUSR1, on_signal);
        signal(SIGPIPE, SIG_IGN);
        while ((n = getline(&line, &room, stdin)) > 0) {
                _cleanup_(arena_freep) Arena *a = arena_new();
                Dict d;
                if (dict_read_json(a, line, (size_t) n, &d) < 0) {
                        fprintf(stderr, "no request: %s", line);
                        return 1;
                }
                const char *op = text(a, &d, "op");
                if (str_equal(op, "crash"))
                        _exit(0);
                if (!str_equal(op, "relay")) {
                        build(a, &d, smtp);
                        continue;
                }
                smtp_free(smtp);
                if (dict_read_json(relay, line, (size_t) n, &d) < 0)
                        return 1;
                smtp = connect_relay(relay, &d);
                Buffer b = {};
                buffer_add_string(&b, "{}");
                answer(&b);
        }
        smtp_free(smtp);
        free(line);
        return 0;
}

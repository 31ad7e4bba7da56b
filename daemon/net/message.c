/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <unistd.h>

#include "common/crypt.h"
#include "common/files.h"
#include "common/id.h"
#include "common/text.h"
#include "common/time.h"
#include "daemon/net/encode.h"
#include "daemon/net/mailbox.h"
#include "daemon/net/message.h"

enum { CHUNK = 1024 * BASE64_LINE, BOUNDARY_SIZE = 40, TYPE_MAX = 120, LANGUAGE_MAX = 35 };

typedef struct Writer {
        int fd;                              /* -1: everything stays in b */
        Buffer *b;                           /* not yet written */
        uint64_t written;
} Writer;

static int writer_flush(Writer *w, size_t above) {
        int r;

        if (w->fd < 0 || w->b->size <= above)
                return 0;
        if ((r = fd_write_all(w->fd, w->b->data, w->b->size)) < 0)
                return r;
        w->written += w->b->size;
        buffer_clear(w->b);
        return 0;
}

/* --- what a message may hold ---------------------------------------------------------------------------------- */

static int check_header(const char *field, const char *text, size_t max, Problem *problem) {
        if (strlen(text) > max)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-header", field,
                                   "%s of a mail has %zu bytes; at most %zu are allowed", field, strlen(text), max);
        if (!text_is_header(text))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-header", field,
                                   "%s of a mail holds a control character, or is not UTF-8; take it out", field);
        return 0;
}

static bool is_made_of(const char *s, const char *more) {
        for (; *s; s++)
                if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || strchr(more, *s)))
                        return false;
        return true;
}

static bool is_message_id(const char *id) {
        const char *at = strchr(id, '@');

        return strlen(id) <= MESSAGE_ID_MAX && at && at > id && at[1] && !strchr(at + 1, '@') &&
               is_made_of(id, "!#$%&'*+-/=?^_`{|}~.@") && id[0] != '.' && at[-1] != '.' && at[1] != '.' &&
               id[strlen(id) - 1] != '.' && !strstr(id, "..");
}

/* type/subtype, then maybe "; name=token". */
static bool is_content_type(const char *type) {
        const char *slash = strchr(type, '/');

        return strlen(type) <= TYPE_MAX && slash && slash > type && slash[1] && slash[1] != ';' && is_made_of(type, "!#$&^_.+-/=; ") &&
               !strchr(slash + 1, '/') && type[strlen(type) - 1] != ';' && type[strlen(type) - 1] != ' ';
}

static int refuse(const char *field, const char *why, Problem *problem) {
        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-header", field, "%s", why);
}

static int check_attachments(const Message *m, Problem *problem) {
        int r;

        for (size_t i = 0; i < m->n_attachments; i++) {
                const MessageAttachment *attachment = &m->attachments[i];
                if (str_empty(attachment->name))
                        return refuse("attachment", "an attachment of a mail needs a name", problem);
                if ((r = check_header("attachment", attachment->name, MESSAGE_NAME_MAX, problem)) != 0)
                        return r;
                if (!is_content_type(attachment->type))
                        return refuse("attachment", "the content type of an attachment is none", problem);
        }
        return 0;
}

static int check_message(const Message *m, Problem *problem) {
        static const CivilTime first = { .year = 1, .month = 1, .day = 1 }, end = { .year = 9999, .month = 12, .day = 31 };
        int r;

        if ((m->sender_name && (r = check_header("sender", m->sender_name, MESSAGE_NAME_MAX, problem)) != 0) ||
            (r = check_header("subject", m->subject, MESSAGE_SUBJECT_MAX, problem)) != 0 ||
            (r = check_attachments(m, problem)) != 0)
                return r;
        if (!is_message_id(m->id))
                return refuse("id", "the id of a mail must be LEFT@RIGHT, in ASCII", problem);
        if (m->language && (!*m->language || strlen(m->language) > LANGUAGE_MAX || !is_made_of(m->language, "-")))
                return refuse("language", "the language of a mail is no language tag", problem);
        if (m->date < civil_usec(&first) || m->date >= civil_usec(&end))
                return refuse("date", "the date of a mail is out of the years 1 to 9999", problem);
        if (!utf8_valid(m->text, strlen(m->text)))
                return refuse("text", "the text of a mail is not UTF-8", problem);
        return 0;
}

/* --- its bytes ------------------------------------------------------------------------------------------------ */

static void add_date(Buffer *b, Usec date) {
        static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };    /* day 0 was a Thursday */
        static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
        CivilTime c = civil_from_usec(date);
        int64_t weekday = civil_days(c.year, c.month, c.day) % 7;

        buffer_printf(b, "Date: %s, %02d %s %04d %02d:%02d:%02d +0000\r\n", days[weekday < 0 ? weekday + 7 : weekday], c.day,
                      months[c.month - 1], c.year, c.hour, c.minute, c.second);
}

/* Cannot be part of base64, and is the same whenever the message is built again. */
static void make_boundary(const char *id, char ret[BOUNDARY_SIZE]) {
        uint8_t digest[SHA256_SIZE];

        sha256(id, strlen(id), digest);
        memcpy(ret, "=_", 2);
        hex_text(digest, 16, ret + 2);
}

static int add_head(Buffer *b, const Message *m, Problem *problem) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        const char *sender, *recipient;
        int r;

        if ((r = mailbox_wire(a, "sender", m->sender, &sender, problem)) != 0 ||
            (r = mailbox_wire(a, "recipient", m->recipient, &recipient, problem)) != 0)
                return r;
        add_date(b, m->date);
        header_add_mailbox(b, "From", m->sender_name, sender);
        header_add_mailbox(b, "To", NULL, recipient);
        buffer_printf(b, "Message-ID:%s <%s>\r\n", strlen(m->id) + 14 > HEADER_LINE_MAX ? "\r\n" : "", m->id);
        header_add_text(b, "Subject", m->subject);
        buffer_add_string(b, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
        if (m->language)
                buffer_printf(b, "Content-Language: %s\r\n", m->language);
        return 0;
}

static void add_text(Buffer *b, const char *text) {
        _cleanup_(buffer_done) Buffer lines = { .secret = b->secret };

        while (*text) {
                size_t n = strcspn(text, "\r\n");
                buffer_add(&lines, text, n);
                text += n;
                if (!*text)
                        break;
                buffer_add(&lines, "\r\n", 2);
                text += text[0] == '\r' && text[1] == '\n' ? 2 : 1;
        }
        buffer_add_string(b, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
        base64_add_lines(b, buffer_string(&lines), lines.size);
}

static int add_file(Writer *w, const MessageAttachment *attachment) {
        _cleanup_(freep) char *chunk = memory_new(CHUNK);
        uint64_t at = 0;
        int r;

        while (at < attachment->size) {
                size_t want = (size_t) MIN(attachment->size - at, (uint64_t) CHUNK), got = 0;
                while (got < want) {
                        ssize_t k = pread(attachment->fd, chunk + got, want - got, (off_t) (at + got));
                        if (k < 0 && errno == EINTR)
                                continue;
                        if (k <= 0)
                                return k < 0 ? -errno : -ENODATA;
                        got += (size_t) k;
                }
                base64_add_lines(w->b, chunk, got);
                at += got;
                if ((r = writer_flush(w, CHUNK)) < 0)
                        return r;
        }
        return 0;
}

static int add_attachment(Writer *w, const MessageAttachment *attachment) {
        bool own_line = strlen("Content-Type: ;") + strlen(attachment->type) > HEADER_LINE_MAX;

        buffer_printf(w->b, "Content-Type:%s %s", own_line ? "\r\n" : "", attachment->type);
        parameter_add_words(w->b, "name", attachment->name);
        buffer_add_string(w->b, "\r\nContent-Disposition: attachment");
        parameter_add_2231(w->b, "filename", attachment->name);
        buffer_add_string(w->b, "\r\nContent-Transfer-Encoding: base64\r\n\r\n");
        return add_file(w, attachment);
}

static int add_message(Writer *w, const Message *m, Problem *problem) {
        char boundary[BOUNDARY_SIZE];
        int r;

        if ((r = check_message(m, problem)) != 0 || (r = add_head(w->b, m, problem)) != 0)
                return r;
        if (m->n_attachments == 0) {
                add_text(w->b, m->text);
                return 0;
        }
        make_boundary(m->id, boundary);
        buffer_printf(w->b, "Content-Type: multipart/mixed;\r\n boundary=\"%s\"\r\n\r\n--%s\r\n", boundary, boundary);
        add_text(w->b, m->text);
        for (size_t i = 0; i < m->n_attachments; i++) {
                buffer_printf(w->b, "--%s\r\n", boundary);
                if ((r = add_attachment(w, &m->attachments[i])) < 0)
                        return r;
        }
        buffer_printf(w->b, "--%s--\r\n", boundary);
        return 0;
}

int message_write(const Message *m, int fd, uint64_t *ret_size, Problem *problem) {
        _cleanup_(buffer_done) Buffer b = { .secret = m->secret };
        Writer w = { .fd = fd, .b = &b };
        int r = add_message(&w, m, problem);

        if (r == 0)
                r = writer_flush(&w, 0);
        if (r == 0 && ret_size)
                *ret_size = w.written;
        return r;
}

int message_build(const Message *m, Buffer *ret, Problem *problem) {
        Writer w = { .fd = -1, .b = ret };

        return add_message(&w, m, problem);
}

bool message_needs_smtputf8(const Message *m) {
        return mailbox_needs_smtputf8(m->sender) || mailbox_needs_smtputf8(m->recipient);
}

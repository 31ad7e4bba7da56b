/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/crash.h"
#include "common/memory.h"
#include "common/text.h"
#include "daemon/net/encode.h"
#include "daemon/net/link.h"
#include "daemon/net/mailbox.h"

enum { CHUNK = 65536, LINE_MAX_BYTES = 1000, AGE_MAX_MINUTES = 30, GRACE_SECONDS = 5, BLOCK_SECONDS = 180, NEEDLE_MAX = 12,
       PATIENT = USEC_SEC / 4 /* so long a relay surely waits for a message */ };

typedef enum Stage { STAGE_EHLO, STAGE_AUTH, STAGE_MAIL, STAGE_RCPT, STAGE_DATA, STAGE_CONTENT, STAGE_MESSAGE, STAGE_QUIT } Stage;

/* RFC 5321, 4.5.3.2. */
static const struct {
        const char *name;
        int seconds;
} stages[] = {
        [STAGE_EHLO] = { "EHLO", 300 },        [STAGE_AUTH] = { "AUTH", 300 },  [STAGE_MAIL] = { "MAIL FROM", 300 },
        [STAGE_RCPT] = { "RCPT TO", 300 },     [STAGE_DATA] = { "DATA", 120 },  [STAGE_MESSAGE] = { "the message", 600 },
        [STAGE_CONTENT] = { "a part of the message", 1 },        [STAGE_QUIT] = { "QUIT", 1 },
};

struct Smtp {
        SmtpRelay relay;
        Link *link;                          /* NULL: not connected */
        Capabilities can;
        bool used;                           /* a message was sent, or tried, over this connection */
        bool open;                           /* a transaction is: the next one begins with RSET */
        Usec begun;                          /* since when the relay waits for the message itself; 0: it does not */
        void (*on_silence)(void *userdata);  /* NULL: nobody wants to know */
        void *userdata;
        bool stale;                          /* the last try ended before its message began, by the relay's hanging up */
};

const char *smtp_outcome_name(SmtpOutcome outcome) {
        static const char *const names[_SMTP_OUTCOME_MAX] = { "delivered", "temporary", "permanent", "too-big", "no-auth", "unknown" };

        return names[outcome];
}

Smtp *smtp_new(const SmtpRelay *relay) {
        Smtp *s = memory_new(sizeof(Smtp));

        s->relay = *relay;
        return s;
}

void smtp_on_silence(Smtp *s, void (*what)(void *userdata), void *userdata) {
        s->on_silence = what;
        s->userdata = userdata;
}

static void hang_up(Smtp *s) {
        link_close(TAKE_PTR(s->link));
        s->used = s->open = false;
        s->begun = 0;
}

static Usec wait_of(const Smtp *s, int seconds) {
        return s->relay.wait_max > 0 ? MIN(s->relay.wait_max, seconds * USEC_SEC) : seconds * USEC_SEC;
}

/* --- what is told --------------------------------------------------------------------------------------------- */

/* A relay may say back what it got. */
static bool repeats(const char *text, const char *secret, size_t n) {
        _cleanup_(buffer_done) Buffer coded = BUFFER_SECRET;

        if (!secret || n < 4)
                return false;
        base64_add(&coded, secret, n);
        return memmem(text, strlen(text), secret, MIN(n, (size_t) NEEDLE_MAX)) ||
                memmem(text, strlen(text), coded.data, MIN(coded.size, (size_t) NEEDLE_MAX));
}

static void make_plain(const SmtpRelay *relay, Buffer *b) {
        buffer_add_char(b, 0);
        buffer_add_string(b, relay->user);
        buffer_add_char(b, 0);
        buffer_add(b, relay->password, relay->password_size);
}

static void make_xoauth2(const SmtpRelay *relay, Buffer *b) {
        buffer_printf(b, "user=%s\1auth=Bearer ", relay->user);
        buffer_add(b, relay->token, relay->token_size);
        buffer_add(b, "\1\1", 2);
}

static bool repeats_credentials(const SmtpRelay *relay, const char *text) {
        _cleanup_(buffer_done) Buffer plain = BUFFER_SECRET, xoauth2 = BUFFER_SECRET;

        if (relay->user && relay->password)
                make_plain(relay, &plain);
        if (relay->user && relay->token)
                make_xoauth2(relay, &xoauth2);
        return repeats(text, relay->password, relay->password_size) || repeats(text, relay->token, relay->token_size) ||
               repeats(text, plain.data, plain.size) || repeats(text, xoauth2.data, xoauth2.size);
}

static _printf_(5, 6) int tell(const Smtp *s, SmtpOutcome outcome, bool relay, SmtpResult *ret, const char *format, ...) {
        char text[2 * SMTP_REASON_SIZE];
        _cleanup_(buffer_done) Buffer shown = {};
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        *ret = (SmtpResult) { .outcome = outcome, .relay = relay };
        const char *host = s->relay.host ? s->relay.host : "";
        buffer_printf(&shown, strchr(host, ':') ? "[%s]:%u " : "%s:%u ", host, s->relay.port);
        text_escape_controls(&shown, text, strlen(text));
        text_copy_cut(ret->reason, sizeof(ret->reason), buffer_string(&shown));
        return 0;
}

static const char *shown_text(const Smtp *s, const Reply *reply) {
        return repeats_credentials(&s->relay, reply->text) ? "(an answer that repeats our credentials)" : reply->text;
}

static int tell_reply(const Smtp *s, Stage stage, SmtpOutcome outcome, const Reply *reply, SmtpResult *ret) {
        bool relay = outcome == SMTP_NO_AUTH || reply->code == 421 || stage <= STAGE_AUTH;

        tell(s, outcome, relay, ret, "answered %d to %s: %s", reply->code, stages[stage].name, shown_text(s, reply));
        ret->code = reply->code;
        memcpy(ret->enhanced, reply->enhanced, sizeof(ret->enhanced));
        return 0;
}

static int tell_too_big(const Smtp *s, Stage stage, const SmtpMail *mail, const Reply *reply, SmtpResult *ret) {
        char most[64] = "names no limit";

        if (s->can.size > 0)
                snprintf(most, sizeof(most), "takes at most %llu", (unsigned long long) s->can.size);
        tell(s, SMTP_TOO_BIG, false, ret, "does not take a message of this size: it has %llu bytes, the relay %s%s%s",
             (unsigned long long) mail->size, most, reply ? "; it answered: " : "", reply ? shown_text(s, reply) : "");
        if (reply) {
                ret->code = reply->code;
                memcpy(ret->enhanced, reply->enhanced, sizeof(ret->enhanced));
        }
        return 0;
}

/* The conversation has ended without an answer; r says how. */
static int tell_broken(Smtp *s, Stage stage, int r, SmtpResult *ret) {
        bool unknown = stage == STAGE_MESSAGE;

        hang_up(s);
        if (r == -ECANCELED && !unknown)
                return r;
        return tell(s, unknown ? SMTP_UNKNOWN : SMTP_TEMPORARY, !unknown, ret, "%s %s%s",
                    r == -ETIMEDOUT || r == -ECANCELED ? "did not answer in time to" :
                    r == -EBADMSG ? "gave an answer that is none to" : "closed the connection instead of answering", stages[stage].name,
                    unknown ? "; whether it has taken it is not known" : "");
}

/* --- the conversation ----------------------------------------------------------------------------------------- */

/* Reads one reply. 0; -ETIMEDOUT, -ECONNRESET, -EBADMSG, -ECANCELED. raw: the reply's bytes are appended, too. */
static int answer(Smtp *s, Stage stage, const atomic_bool *cancel, Reply *ret, Buffer *raw) {
        Usec now = clock_monotonic(), deadline = now + wait_of(s, stages[stage].seconds);
        Usec silence = s->on_silence ? now + USEC_MINUTE : INT64_MAX;
        Buffer *in = link_input(s->link);

        for (;;) {
                ssize_t n = in->size > 0 ? reply_read(in->data, in->size, ret) : 0;
                if (n < 0)
                        return (int) n;
                if (n > 0) {
                        if (raw)
                                buffer_add(raw, in->data, (size_t) n);
                        link_take(s->link, (size_t) n);
                        return 0;
                }
                int r = link_receive(s->link, MIN(deadline, silence), cancel);
                if (r == -ETIMEDOUT && silence < deadline) {
                        silence = INT64_MAX;
                        s->on_silence(s->userdata);
                } else if (r < 0) {
                        return r;
                }
        }
}

static int say(Smtp *s, const char *data, size_t n, const atomic_bool *cancel) {
        int r = link_send(s->link, data, n, wait_of(s, BLOCK_SECONDS), cancel);

        return r > 0 ? -EBADMSG : r;
}

/* One command and its reply. */
static int ask(Smtp *s, Stage stage, const Buffer *command, const atomic_bool *cancel, Reply *ret) {
        int r = say(s, command->data, command->size, cancel);

        return r < 0 ? r : answer(s, stage, cancel, ret, NULL);
}

/* The outcome of a reply that is not what we hoped for. */
static SmtpOutcome judge(Stage stage, const Reply *reply) {
        switch (reply->code) {
        case 530: case 534: case 535: case 538:
                return SMTP_NO_AUTH;
        }
        if (stage == STAGE_AUTH && reply->code >= 500)
                return SMTP_NO_AUTH;
        if (stage == STAGE_EHLO || reply->code < 500)
                return SMTP_TEMPORARY;
        if (str_equal(reply->enhanced, "5.3.4") || (stage == STAGE_MAIL && reply->code == 552 && !*reply->enhanced))
                return SMTP_TOO_BIG;
        return SMTP_PERMANENT;
}

static int tell_judged(Smtp *s, Stage stage, const SmtpMail *mail, const Reply *reply, SmtpResult *ret) {
        SmtpOutcome outcome = judge(stage, reply);

        /* What is neither yes nor no has no place here. */
        if (reply->code < 400)
                return tell_broken(s, stage, -EBADMSG, ret);
        if (reply->code == 421)
                hang_up(s);
        return outcome == SMTP_TOO_BIG ? tell_too_big(s, stage, mail, reply, ret) : tell_reply(s, stage, outcome, reply, ret);
}

/* --- a new connection ----------------------------------------------------------------------------------------- */

typedef struct Mechanism {
        const char *name;
        Buffer steps[2];                     /* what is said, in base64: with the command, or at each 334 */
        bool initial;                        /* the first step goes with the command */
} Mechanism;

static void mechanism_done(Mechanism *m) {
        buffer_done(&m->steps[0]);
        buffer_done(&m->steps[1]);
}

/* The best way to say who we are that this relay takes and we have the secret for. false: none. */
static bool choose_mechanism(const Smtp *s, Mechanism *m) {
        _cleanup_(buffer_done) Buffer plain = BUFFER_SECRET;
        const SmtpRelay *relay = &s->relay;

        if (relay->token && s->can.xoauth2) {
                m->name = "XOAUTH2";
                make_xoauth2(relay, &plain);
        } else if (relay->password && s->can.plain) {
                m->name = "PLAIN";
                make_plain(relay, &plain);
        } else if (relay->password && s->can.login) {
                m->name = "LOGIN";
                base64_add(&m->steps[0], relay->user, strlen(relay->user));
                base64_add(&m->steps[1], relay->password, relay->password_size);
                return true;
        } else
                return false;
        m->initial = true;
        base64_add(&m->steps[0], plain.data, plain.size);
        return true;                         /* the second step stays empty: it asks for the reason of a refusal */
}

static int authenticate(Smtp *s, const atomic_bool *cancel, Reply *reply) {
        _cleanup_(mechanism_done) Mechanism m = { .steps = { BUFFER_SECRET, BUFFER_SECRET } };
        _cleanup_(buffer_done) Buffer line = BUFFER_SECRET;
        size_t step = 0;
        int r;

        if (!choose_mechanism(s, &m))
                return 1;
        buffer_printf(&line, "AUTH %s", m.name);
        if (m.initial) {
                buffer_add_char(&line, ' ');
                buffer_add(&line, m.steps[0].data, m.steps[0].size);
                step++;
        }
        buffer_add_string(&line, "\r\n");
        for (;; step++) {
                if ((r = ask(s, STAGE_AUTH, &line, cancel, reply)) < 0 || reply->code != 334)
                        return r;
                if (step == ELEMENTSOF(m.steps))
                        return -EBADMSG;
                buffer_clear(&line);
                buffer_add(&line, buffer_string(&m.steps[step]), m.steps[step].size);
                buffer_add_string(&line, "\r\n");
        }
}

static int log_in(Smtp *s, const atomic_bool *cancel, SmtpResult *ret) {
        Reply reply;

        if (str_empty(s->relay.user) && !s->relay.password && !s->relay.token)
                return 0;
        int r = str_empty(s->relay.user) ? 1 : authenticate(s, cancel, &reply);
        if (r > 0) {
                hang_up(s);
                return tell(s, SMTP_NO_AUTH, true, ret,
                            "offers no way to log in that can be used here (%s)%s",
                            s->relay.token ? "XOAUTH2, or PLAIN or LOGIN with a password" : "PLAIN or LOGIN",
                            str_empty(s->relay.user) ? ", and no user is set" : s->relay.password || s->relay.token ? "" : ", and no password is set");
        }
        if (r < 0)
                return tell_broken(s, STAGE_AUTH, r, ret);
        if (reply.code / 100 == 2)
                return 0;
        tell_judged(s, STAGE_AUTH, NULL, &reply, ret);
        hang_up(s);
        return 0;
}

/* Without a connection afterwards, *ret tells why. */
static int connect_relay(Smtp *s, const atomic_bool *cancel, SmtpResult *ret) {
        _cleanup_(buffer_done) Buffer line = {}, raw = {};
        LinkFault fault;
        Reply reply;
        int r = link_open(&s->relay, cancel, &s->link, &fault);

        if (r < 0)
                return r;
        if (r > 0) {
                tell(s, fault.unusable ? SMTP_NO_AUTH : SMTP_TEMPORARY, true, ret, "cannot be used: %s", fault.text);
                ret->code = fault.code;
                return 0;
        }
        buffer_printf(&line, "EHLO %s\r\n", s->relay.ehlo);
        if ((r = say(s, line.data, line.size, cancel)) < 0 || (r = answer(s, STAGE_EHLO, cancel, &reply, &raw)) < 0)
                return tell_broken(s, STAGE_EHLO, r, ret);
        s->can = (Capabilities) {};
        if (reply.code / 100 == 2)
                capabilities_read(raw.data, raw.size, &s->can);
        else if (reply.code < 500) {         /* else it knows only HELO, with which libcurl has come through */
                tell_judged(s, STAGE_EHLO, NULL, &reply, ret);
                hang_up(s);
                return 0;
        }
        return log_in(s, cancel, ret);
}

/* --- a message ------------------------------------------------------------------------------------------------ */

typedef struct Content {
        Buffer out;
        size_t column;                       /* bytes of the line so far, with its CR */
        bool cr;                             /* the last byte was one */
} Content;

/* Appends bytes of the message with dots at the start of lines doubled. false: this is no message. */
static bool content_add(Content *c, const char *p, size_t n) {
        while (n > 0) {
                const char *end = memchr(p, '\n', n), *cr;
                size_t k = end ? (size_t) (end - p) + 1 : n;
                if (c->cr && p[0] != '\n')
                        return false;
                if (end && !(k > 1 ? p[k - 2] == '\r' : c->cr))
                        return false;
                cr = memchr(p, '\r', k);
                if ((cr && (size_t) (cr - p) != k - (end ? 2 : 1)) || memchr(p, 0, k) || c->column + k > LINE_MAX_BYTES)
                        return false;
                if (c->column == 0 && p[0] == '.')
                        buffer_add_char(&c->out, '.');
                buffer_add(&c->out, p, k);
                c->column = end ? 0 : c->column + k;
                c->cr = !end && cr;
                p += k;
                n -= k;
        }
        return true;
}

static int read_at(int fd, char *to, size_t n, uint64_t at) {
        for (size_t got = 0; got < n;) {
                ssize_t k = pread(fd, to + got, n - got, (off_t) (at + got));
                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        return k < 0 ? -errno : -ENODATA;
                got += (size_t) k;
        }
        return 0;
}

/* The message and the dot. 0: all has left; 1: not all has, but the relay answers; < 0, with *ret_ours: it was not the
 * relay's fault. */
static int send_content(Smtp *s, const SmtpMail *mail, const atomic_bool *cancel, bool *ret_ours) {
        _cleanup_(freep) char *chunk = mail->data ? NULL : memory_new(CHUNK);
        Content c = { .out = { .secret = mail->secret } };
        int r = 0;

        for (uint64_t at = 0; at < mail->size && r == 0;) {
                size_t n = (size_t) MIN(mail->size - at, (uint64_t) CHUNK);
                *ret_ours = !mail->data && (r = read_at(mail->fd, chunk, n, at)) < 0;
                if (r == 0 && !content_add(&c, mail->data ? mail->data + at : chunk, n))
                        *ret_ours = (r = -EBADMSG) < 0;
                at += n;
                if (r == 0 && at < mail->size && (r = link_send(s->link, c.out.data, c.out.size, wait_of(s, BLOCK_SECONDS), cancel)) == 0)
                        buffer_clear(&c.out);
        }
        if (r == 0 && (c.column > 0 || mail->size == 0))
                *ret_ours = (r = -EBADMSG) < 0;
        if (r == 0) {
                buffer_add_string(&c.out, ".\r\n");
                r = link_send(s->link, c.out.data, c.out.size, wait_of(s, BLOCK_SECONDS), cancel);
        }
        buffer_done(&c.out);
        if (mail->secret && chunk)
                explicit_bzero(chunk, CHUNK);
        return r;
}

/* The relay said go on. */
static int hand_over(Smtp *s, const SmtpMail *mail, const atomic_bool *cancel, SmtpResult *ret) {
        bool ours = false;
        Reply reply;
        int r = send_content(s, mail, cancel, &ours);

        if (r < 0 && ours) {
                hang_up(s);
                return r;
        }
        if (r == -ECONNRESET && answer(s, STAGE_CONTENT, NULL, &reply, NULL) == 0)   /* it may have said why */
                r = 1;
        else if (r == 1 && answer(s, STAGE_MESSAGE, cancel, &reply, NULL) < 0)
                r = -EBADMSG;
        if (r < 0)
                return tell_broken(s, STAGE_CONTENT, r, ret);
        if (r == 1) {
                /* Half a message is on the way, so whatever it says, this connection is over. */
                if (reply.code < 400)
                        return tell_broken(s, STAGE_CONTENT, -EBADMSG, ret);
                tell_judged(s, STAGE_MESSAGE, mail, &reply, ret);
                hang_up(s);
                return 0;
        }
        r = answer(s, STAGE_MESSAGE, cancel, &reply, NULL);
        if (r == -ECANCELED) {
                /* Only the answer is missing, and a repeat would be a second copy. */
                Usec full = s->relay.wait_max;
                s->relay.wait_max = MIN(full > 0 ? full : GRACE_SECONDS * USEC_SEC, GRACE_SECONDS * USEC_SEC);
                r = answer(s, STAGE_MESSAGE, NULL, &reply, NULL);
                s->relay.wait_max = full;
        }
        if (r < 0)
                return tell_broken(s, STAGE_MESSAGE, r, ret);
        if (reply.code / 100 != 2)
                return tell_judged(s, STAGE_MESSAGE, mail, &reply, ret);
        crash_point("after_dot");
        *ret = (SmtpResult) { .outcome = SMTP_DELIVERED, .code = reply.code };
        memcpy(ret->enhanced, reply.enhanced, sizeof(ret->enhanced));
        return 0;
}

typedef struct Envelope {
        const char *sender, *recipient;
        bool smtputf8;
} Envelope;

/* What one transaction says before its message: RSET if one is open, MAIL, RCPT, DATA. */
static void add_command(const Smtp *s, Stage stage, const Envelope *e, const SmtpMail *mail, Buffer *b) {
        switch (stage) {
        case STAGE_MAIL:
                buffer_printf(b, "MAIL FROM:<%s>", e->sender);
                if (s->can.has_size)
                        buffer_printf(b, " SIZE=%llu", (unsigned long long) mail->size);
                buffer_add_string(b, e->smtputf8 ? " SMTPUTF8\r\n" : "\r\n");
                break;
        case STAGE_RCPT:
                buffer_printf(b, "RCPT TO:<%s>\r\n", e->recipient);
                break;
        default:
                buffer_add_string(b, "DATA\r\n");
        }
}

static int reset(Smtp *s, const atomic_bool *cancel, Buffer *commands) {
        Reply reply;

        if (!s->open)
                return 0;
        buffer_add_string(commands, "RSET\r\n");
        if (s->can.pipelining)
                return 0;
        int r = ask(s, STAGE_MAIL, commands, cancel, &reply);
        buffer_clear(commands);
        return r < 0 ? r : reply.code / 100 == 2 ? 0 : -ECONNRESET;
}

/* From MAIL to DATA. 0: the relay waits for the message. 1: *ret_stage and *ret tell what it said no to; < 0: where it broke. */
static int negotiate(Smtp *s, const Envelope *e, const SmtpMail *mail, const atomic_bool *cancel, Stage *ret_stage, Reply *ret) {
        _cleanup_(buffer_done) Buffer commands = {};
        bool piped = s->can.pipelining, was_open = s->open;
        int r, refused = 0;

        *ret_stage = STAGE_MAIL;
        if ((r = reset(s, cancel, &commands)) < 0)
                return r;
        s->open = true;
        for (Stage stage = STAGE_MAIL; piped && stage <= STAGE_DATA; stage++)
                add_command(s, stage, e, mail, &commands);
        if (piped && ((r = say(s, commands.data, commands.size, cancel)) < 0 ||
                      (was_open && (r = answer(s, STAGE_MAIL, cancel, ret, NULL)) < 0)))
                return r;
        for (Stage stage = STAGE_MAIL; stage <= STAGE_DATA; stage++) {
                Reply reply;
                if (!piped) {
                        buffer_clear(&commands);
                        add_command(s, stage, e, mail, &commands);
                        r = ask(s, stage, &commands, cancel, &reply);
                } else
                        r = answer(s, stage, cancel, &reply, NULL);
                if (r < 0 && refused)
                        return 2;            /* what counts was said; the connection is gone */
                if (!refused)
                        *ret_stage = stage;
                if (r < 0)
                        return r;
                bool yes = stage == STAGE_DATA ? reply.code == 354 : reply.code / 100 == 2;
                if (!refused && !yes) {
                        *ret = reply;
                        refused = 1;
                        if (!piped || reply.code == 421)
                                return 1;
                } else if (refused && stage == STAGE_DATA && reply.code / 100 == 3)
                        return 2;            /* it refused, and waits for the message all the same */
        }
        return refused;
}

/* One try over one connection. 1: begun; 0: *ret tells. */
static int begin(Smtp *s, const Envelope *e, const SmtpMail *mail, const atomic_bool *cancel, SmtpResult *ret) {
        bool used = s->used;
        Stage stage;
        Reply reply;

        if (s->can.size > 0 && mail->size > s->can.size)
                return tell_too_big(s, STAGE_MAIL, mail, NULL, ret);
        if (e->smtputf8 && !s->can.smtputf8)
                return tell(s, SMTP_PERMANENT, false, ret, "does not take addresses beyond ASCII (SMTPUTF8)");
        s->used = true;
        int r = negotiate(s, e, mail, cancel, &stage, &reply);
        if (r == 0) {
                s->begun = clock_monotonic();
                return 1;
        }
        if (r < 0) {
                s->stale = used && r == -ECONNRESET;
                return tell_broken(s, stage, r, ret);
        }
        s->stale = used && reply.code == 421;
        tell_judged(s, stage, mail, &reply, ret);
        if (r > 1)
                hang_up(s);
        return 0;
}

static bool can_be_used(Smtp *s) {
        return s->link && clock_monotonic() - link_opened(s->link) < AGE_MAX_MINUTES * USEC_MINUTE && link_is_quiet(s->link);
}

int smtp_begin(Smtp *s, const SmtpMail *mail, const atomic_bool *cancel, SmtpResult *ret) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Problem problem;
        Envelope e = { .smtputf8 = mailbox_needs_smtputf8(mail->sender) || mailbox_needs_smtputf8(mail->recipient) };
        int r;

        smtp_abandon(s);
        if (mailbox_wire(a, "sender", mail->sender, &e.sender, &problem) != 0 ||
            mailbox_wire(a, "recipient", mail->recipient, &e.recipient, &problem) != 0)
                return tell(s, SMTP_PERMANENT, false, ret, "was not asked: %s", problem.text);
        for (int tries = 0;; tries++) {
                s->stale = false;
                if (!can_be_used(s)) {
                        hang_up(s);
                        if ((r = connect_relay(s, cancel, ret)) < 0 || !s->link)
                                return r;
                }
                r = begin(s, &e, mail, cancel, ret);
                if (r != 0 || !s->stale || tries > 0)
                        return r;
        }
}

int smtp_finish(Smtp *s, const SmtpMail *mail, const atomic_bool *cancel, SmtpResult *ret) {
        /* While nothing was said for long it may have hung up, or told that it is about to. */
        if (!s->begun || (clock_monotonic() - s->begun > PATIENT && !link_is_quiet(s->link))) {
                hang_up(s);
                int r = smtp_begin(s, mail, cancel, ret);
                if (r <= 0)
                        return r;
        }
        s->begun = 0;
        int r = hand_over(s, mail, cancel, ret);
        s->open = false;
        return r;
}

int smtp_send(Smtp *s, const SmtpMail *mail, const atomic_bool *cancel, SmtpResult *ret) {
        int r = smtp_begin(s, mail, cancel, ret);
        return r <= 0 ? r : smtp_finish(s, mail, cancel, ret);
}

/* Whatever is said now would be taken for the message. */
void smtp_abandon(Smtp *s) {
        if (s->begun)
                hang_up(s);
}

void smtp_free(Smtp *s) {
        Reply reply;

        if (!s)
                return;
        smtp_abandon(s);
        if (s->link && link_send(s->link, "QUIT\r\n", 6, wait_of(s, stages[STAGE_QUIT].seconds), NULL) == 0)
                (void) answer(s, STAGE_QUIT, NULL, &reply, NULL);
        hang_up(s);
        free(s);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/crash.h"
#include "common/files.h"
#include "common/log.h"
#include "common/random.h"
#include "common/seal.h"
#include "daemon/action/deliver.h"
#include "daemon/action/outbox.h"
#include "daemon/net/message.h"
#include "daemon/store/setting-store.h"
#include "daemon/task/kinds.h"
#include "daemon/task/relay.h"

/* A courier: takes one message after the other out of the outbox and carries it away. Each is claimed, and settled, in a
 * turn, and of no message anything but its envelope is said before the one before is on disk as delivered. So a death can
 * repeat at most one message a courier: the one between the relay's 250 and that commit.
 *
 * Where there are many, one is claimed ahead: while the loop settles the one that has just left, the courier makes the next
 * one and says its envelope. The relay then waits, and the message itself leaves after the commit. */

enum { COMMIT_PAUSE_MSEC = 500, PAUSED = 5 * USEC_MINUTE, TRIES_DAYS = 3, CLAIMS_A_STEP = 20,
       MANY = 2 * COURIERS_MAX,      /* messages that are due: fewer are left for the other couriers */
       IN_MEMORY = 256 << 10 /* bytes of a report */ };

typedef enum Stage { CLAIMED, BEGUN, OVER } Stage;     /* BEGUN: the relay waits for it; OVER: result tells */

typedef struct Load {
        Arena *arena;
        OutMessage message;                  /* n 0: none was claimed */
        Report report;                       /* attached; n 0: none */
        Stage stage;
        SmtpResult result;
} Load;

typedef struct Courier {
        Relay *relay;                        /* the connection; opened with the first message */
        Load *last;                          /* has left and is to be settled, or NULL */
        Load *ahead;                         /* claimed in a turn before, or NULL */
        Load *next[2];                       /* room for what the turn claims, which may still be lost */
        bool carrying;                       /* the message before the one ahead, of which nothing is said */
        bool ahead_stays;                    /* the turn's word on it; else it is settled or queued again by that turn */
        bool more;                           /* there was more to look at than a step may */
        Buffer memory, secret;               /* the mail itself, unless it is large; secret: one that tells a code */
        int fd;                              /* then: where it is spooled; -1: nowhere */
        uint64_t size;
        Usec paused_until;
} Courier;

static Load *load_new(void) {
        Load *l = memory_new(sizeof(*l));
        l->arena = arena_new();
        return l;
}

static void load_free(Load *l) {
        if (!l)
                return;
        arena_free(l->arena);
        free(l);
}

/* ---- on the loop ---- */

/* 1, 2, 4 … minutes, at most 6 hours, each half by chance. */
static Usec backoff(int64_t attempt) {
        Usec base = MIN(USEC_MINUTE << MIN(MAX(attempt - 1, (int64_t) 0), (int64_t) 10), 6 * USEC_HOUR);
        return base / 2 + (Usec) random_below((uint64_t) base);
}

static int give_up(Context *c, const OutMessage *m, const char *reason) {
        int r = message_dead(c->db, m, reason, c->now);
        return r < 0 ? r : deliver_ended(c, m, "failed", reason);
}

/* SMTP 5.1.x: there is no such mailbox, and there will be none. */
static int bounced(Context *c, const OutMessage *m, const SmtpResult *result) {
        return suppression_put(c->db, m->address_key, m->address, result->reason, c->now);
}

/* Where the relay itself is the trouble, the courier rests, too: the next message would fare the same. */
static int try_again(Courier *courier, Context *c, const OutMessage *m, const SmtpResult *result) {
        Usec due = c->now + backoff(m->attempt);
        if (result->relay)
                courier->paused_until = due;
        return due > m->begun + TRIES_DAYS * USEC_DAY ? give_up(c, m, result->reason) : message_again(c->db, m, due, result->reason);
}

/* The relay takes mail again: the status says no longer that it does not. */
static int pause_over(Context *c) {
        const char *paused = NULL;
        int r = setting_get(c->db, c->arena, "mail-paused", &paused);
        return r > 0 && *paused ? setting_put(c->db, "mail-paused", "") : MIN(r, 0);
}

static int settle_message(Courier *courier, Context *c, const Load *load) {
        const OutMessage *m = &load->message;
        const SmtpResult *result = &load->result;
        int r = 0;

        switch (result->outcome) {
        case SMTP_DELIVERED:
                r = message_delivered(c->db, m, c->now);
                if (r >= 0)
                        r = pause_over(c);
                return r < 0 ? r : deliver_ended(c, m, "sent", NULL);
        case SMTP_PERMANENT:
                if (str_starts(result->enhanced, "5.1."))
                        r = bounced(c, m, result);
                return r < 0 ? r : give_up(c, m, result->reason);
        case SMTP_TOO_BIG:
                return give_up(c, m, result->reason);
        case SMTP_NO_AUTH:
                courier->paused_until = c->now + PAUSED;
                r = setting_put(c->db, "mail-paused", result->reason);
                return r < 0 ? r : message_again(c->db, m, courier->paused_until, result->reason);
        default:
                return try_again(courier, c, m, result);
        }
}

/* 1: it may leave; 0: it may not any more, and has ended here. */
static int may_leave(Context *c, const OutMessage *m) {
        Problem problem = {};

        int r = m->secret && !m->body ? problem_set(&problem, PROBLEM_REFUSED, "cannot-be-opened", NULL, "what it says was sealed with another key, or was changed")
                                      : deliver_check(c, m, &problem);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = message_dead(c->db, m, problem.text, c->now);
        return r < 0 ? r : deliver_ended(c, m, str_equal(problem.code, "suppressed") ? "suppressed" : "failed", problem.code);
}

/* 1: there is one to carry. */
static int claim_message(Courier *courier, Context *c, Load *load) {
        Context mine = *c;

        mine.arena = load->arena;
        for (size_t i = 0; i < CLAIMS_A_STEP; i++) {
                int r = message_claim(c->db, load->arena, c->now, &load->message);
                if (r <= 0) {
                        load->message.n = 0;
                        return r;
                }
                load->report = (Report) {};
                r = may_leave(&mine, &load->message);
                if (r > 0 && load->message.report)
                        r = report_load(c->db, load->arena, load->message.report, &load->report) < 0 ? -EIO : 1;
                if (r != 0)
                        return r;
                load->message.n = 0;
        }
        courier->more = true;
        return 0;
}

/* What was claimed ahead is judged again: only now it is about to leave. */
static int look_at_ahead(Courier *courier, Context *c) {
        const Load *load = courier->ahead;

        courier->ahead_stays = false;
        if (!load)
                return 0;
        if (courier->paused_until)
                return message_unclaim(c->db, &load->message);
        int r = may_leave(c, &load->message);
        courier->ahead_stays = r > 0;
        return MIN(r, 0);
}

/* One that is carried next, and where there are many, one ahead of it. */
static int claim(Courier *courier, Context *c) {
        int64_t work = 0;
        int r = 1;

        if (!courier->ahead_stays)
                r = claim_message(courier, c, courier->next[0]);
        if (r <= 0 || !c->settings->mail_relay)
                return r;
        r = message_waiting(c->db, c->now, MANY, &work);
        if (r >= 0 && work >= MANY)
                r = claim_message(courier, c, courier->next[1]);
        return r < 0 ? r : 1;
}

static int next_step(Work *work, Context *c) {
        Courier *courier = work->state;
        bool first = !courier->last && !courier->ahead;
        int r = 0;

        courier->more = false;
        courier->paused_until = 0;
        courier->next[0]->message.n = courier->next[1]->message.n = 0;
        if (courier->last)
                r = settle_message(courier, c, courier->last);
        if (r >= 0 && (atomic_load(&work->stop) || atomic_load(&work->cancel)) && !courier->paused_until)
                courier->paused_until = c->now;
        if (r >= 0)
                r = look_at_ahead(courier, c);
        if (r < 0 || courier->paused_until)
                return r;
        r = claim(courier, c);
        if (r <= 0 || !first)
                return r;
        /* The first one that sets out looks whether there is work for another. */
        int k = outbox_call(c);
        return k < 0 ? k : r;
}

/* ---- on the worker ---- */

static int attach(Work *work, const Load *load, MessageAttachment *ret, Problem *problem) {
        static const char *const types[][2] = {
                { "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" }, { "csv", "text/csv; charset=utf-8" },
                { "json", "application/json" }, { "pdf", "application/pdf" },
        };
        const Report *report = &load->report;
        const char *path = arena_printf(load->arena, "%s/%s", work->settings->state, report->path);
        struct stat st;

        *ret = (MessageAttachment) { .name = report->file_name, .type = "application/octet-stream", .fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) };
        /* Of a report that a restored database remembers: it does not come back by waiting. */
        if (ret->fd < 0 && errno == ENOENT)
                return problem_set(problem, PROBLEM_NOT_FOUND, "file-gone", NULL, "the file of the report is gone: make it again");
        if (ret->fd < 0 || fstat(ret->fd, &st) < 0)
                return -errno;
        ret->size = (uint64_t) st.st_size;
        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (str_equal(types[i][0], report->format))
                        ret->type = types[i][1];
        return 0;
}

static void result_fault(SmtpResult *ret, SmtpOutcome outcome, const char *text) {
        *ret = (SmtpResult) { .outcome = outcome };
        snprintf(ret->reason, sizeof(ret->reason), "%s", text);
}

/* Into memory, or where fd is given, there. */
static int write_mail(Work *work, const Load *load, int fd, Buffer *memory, uint64_t *ret_size, Problem *problem) {
        const OutMessage *m = &load->message;
        MessageAttachment attachment = { .fd = -1 };

        int r = load->report.n ? attach(work, load, &attachment, problem) : 0;
        const Message mail = {
                .sender_name = m->sender_name, .sender = m->sender, .recipient = m->address, .subject = m->subject, .date = m->created, .id = m->message_id,
                .language = m->language, .text = m->body ?: "", .secret = m->secret, .attachments = &attachment, .n_attachments = load->report.n ? 1 : 0,
        };
        if (r == 0)
                r = memory ? message_build(&mail, memory, problem) : message_write(&mail, fd, ret_size, problem);
        closep(&attachment.fd);
        return r;
}

/* No relay is set: a file by the message's id, so the same message again is the same file. */
static int file_mail(Work *work, Load *load, Problem *problem) {
        const char *path = arena_printf(load->arena, "%s/outbox-mail/%s.eml", work->settings->state, load->message.message_id);
        const char *beside = arena_printf(load->arena, "%s.part", path);
        _cleanup_(closep) int fd = open(beside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        int r = write_mail(work, load, fd, NULL, NULL, problem);
        if (r == 0)
                r = file_finish(fd, beside, path);
        if (r == 0)
                crash_point("after_dot");
        return r;
}

static SmtpMail mail_of(const Courier *courier, const Load *load) {
        const Buffer *memory = load->message.secret ? &courier->secret : &courier->memory;
        return (SmtpMail) { .sender = load->message.sender, .recipient = load->message.address, .fd = courier->fd, .secret = load->message.secret,
                            .data = courier->fd < 0 ? memory->data : NULL, .size = courier->size };
}

/* A large one is spooled: four couriers with one each must not fill the memory. What tells a code never touches the disk. */
static int make_mail(Work *work, Courier *courier, Load *load, Problem *problem) {
        Buffer *memory = load->message.secret ? &courier->secret : &courier->memory;
        int r = 0;

        buffer_clear(memory);
        closep(&courier->fd);
        courier->fd = -1;
        if (load->report.bytes > IN_MEMORY)
                r = spool_open(arena_printf(load->arena, "%s/spool", work->settings->state), &courier->fd);
        if (r >= 0)
                r = write_mail(work, load, courier->fd, courier->fd < 0 ? memory : NULL, &courier->size, problem);
        if (courier->fd < 0)
                courier->size = memory->size;
        return r;
}

static void over(Courier *courier, Load *load, int r, const Problem *problem) {
        if (r > 0)
                result_fault(&load->result, SMTP_PERMANENT, problem->text);
        else if (r < 0)
                result_fault(&load->result, SMTP_TEMPORARY, strerrordesc_np(-r) ?: "fault");
        load->stage = OVER;
        buffer_done(&courier->secret);
}

static int unclaim_ahead(Work *work, Context *c) {
        const Courier *courier = work->state;
        int r = message_unclaim(c->db, &courier->ahead->message);
        return r < 0 ? r : outbox_call(c);
}

/* The relay may be silent for as long as RFC 5321 lets it: another courier carries what waits behind that. */
static void release_ahead(void *userdata) {
        Work *work = userdata;
        Courier *courier = work->state;

        if (courier->carrying && courier->ahead && work_turn(work, unclaim_ahead) >= 0)
                load_free(TAKE_PTR(courier->ahead));
}

/* Up to where the relay waits for the message itself. */
static void begin(Work *work, Courier *courier, Load *load) {
        Problem problem = {};

        int r = make_mail(work, courier, load, &problem);
        if (r == 0 && !courier->relay) {
                r = relay_open(work->settings, work->host, &courier->relay, &load->result);
                if (r > 0) {
                        over(courier, load, 0, NULL);
                        return;
                }
                if (r == 0)
                        smtp_on_silence(relay_smtp(courier->relay), release_ahead, work);
        }
        if (r == 0) {
                const SmtpMail mail = mail_of(courier, load);
                r = smtp_begin(relay_smtp(courier->relay), &mail, &work->cancel, &load->result);
                if (r > 0) {
                        load->stage = BEGUN;
                        return;
                }
        }
        over(courier, load, r, &problem);
}

static void carry(Work *work, Courier *courier, Load *load) {
        Problem problem = {};

        if (!work->settings->mail_relay) {
                load->result = (SmtpResult) { .outcome = SMTP_DELIVERED };
                over(courier, load, file_mail(work, load, &problem), &problem);
                return;
        }
        courier->carrying = true;
        if (load->stage == CLAIMED)
                begin(work, courier, load);
        if (load->stage == BEGUN) {
                const SmtpMail mail = mail_of(courier, load);
                over(courier, load, smtp_finish(relay_smtp(courier->relay), &mail, &work->cancel, &load->result), &problem);
        }
        courier->carrying = false;
}

/* While the loop settles what was delivered, the envelope of the next one is said. */
static int turn_once(Work *work, Courier *courier) {
        int r = work_post(work, next_step);
        if (r < 0)
                return r;
        if (courier->ahead && courier->ahead->stage == CLAIMED && courier->last && courier->last->result.outcome == SMTP_DELIVERED) {
                /* The others first: what they still have to deliver goes into the same commit. */
                sched_yield();
                begin(work, courier, courier->ahead);
        }
        return work_wait(work);
}

static void make_room(Courier *courier) {
        for (size_t i = 0; i < ELEMENTSOF(courier->next); i++)
                courier->next[i] = courier->next[i] ?: load_new();
}

/* Until it is on disk, or the daemon ends: what was sent must be known as sent. */
static int next_turn(Work *work, Courier *courier) {
        int r;
        make_room(courier);
        while ((r = turn_once(work, courier)) < 0 && r != -ECANCELED && courier->last) {
                /* What a lost turn has claimed is claimed no more, and takes its memory along: the disk may be full for days. */
                for (size_t i = 0; i < ELEMENTSOF(courier->next); i++)
                        load_free(TAKE_PTR(courier->next[i]));
                make_room(courier);
                (void) poll(NULL, 0, COMMIT_PAUSE_MSEC);
        }
        return r;
}

/* What the turn has decided on. */
static Load *next_load(Courier *courier) {
        load_free(TAKE_PTR(courier->last));
        if (courier->ahead && !courier->ahead_stays) {
                if (courier->relay)
                        smtp_abandon(relay_smtp(courier->relay));
                buffer_done(&courier->secret);
                load_free(TAKE_PTR(courier->ahead));
        }
        Load *load = courier->ahead ? TAKE_PTR(courier->ahead) : TAKE_PTR(courier->next[0]);
        if (courier->next[1]->message.n)
                courier->ahead = TAKE_PTR(courier->next[1]);
        return load;
}

static int mail_work(Work *work) {
        Courier *courier = memory_new(sizeof(*courier));
        int r;

        work->state = courier;
        courier->fd = -1;
        courier->secret = BUFFER_SECRET;
        while ((r = next_turn(work, courier)) > 0) {
                Load *load = next_load(courier);
                carry(work, courier, load);
                courier->last = load;
        }
        return r;
}

static void mail_done(Work *work) {
        Courier *courier = work->state;
        if (!courier)
                return;
        relay_close(courier->relay);
        buffer_done(&courier->memory);
        buffer_done(&courier->secret);
        closep(&courier->fd);
        load_free(courier->last);
        load_free(courier->ahead);
        for (size_t i = 0; i < ELEMENTSOF(courier->next); i++)
                load_free(courier->next[i]);
        free(courier);
        work->state = NULL;
}

/* The last one to leave looks when the next message is due. */
static int mail_settle(Work *work, Context *c) {
        Courier *courier = work->state;
        int64_t active = 0;
        Usec due;

        int r = message_next_due(c->db, &due);
        if (r >= 0)
                r = task_couriers(c->db, &active);
        if (r < 0)
                return r;
        if (due == USEC_NONE || (active > 1 && !courier->more))
                return SETTLE_DONE;
        work->again_at = MAX(due, courier->paused_until);
        return SETTLE_LATER;
}

const TaskKind mail_kind = { .kind = "mail", .work = mail_work, .settle = mail_settle, .done = mail_done, .gathers = true, .finishes = true };

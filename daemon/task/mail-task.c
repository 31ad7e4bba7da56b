/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

/* A courier: takes one message after the other out of the outbox and carries it away. Each is claimed, and settled,
 * in a turn of its own, and no message begins before the one before is on disk as delivered. So a death can repeat at
 * most one message a courier: the one between the relay's 250 and that commit. */

enum { COMMIT_PAUSE_MSEC = 500, PAUSED = 5 * USEC_MINUTE, TRIES_DAYS = 3, CLAIMS_A_STEP = 20,
       IN_MEMORY = 256 << 10 /* bytes of a report */ };

typedef struct Load {
        Arena *arena;
        OutMessage message;
        Report report;                       /* attached; n 0: none */
} Load;

typedef struct Courier {
        Relay *relay;                        /* the connection; opened with the first message */
        bool carrying;                       /* current is to be settled */
        bool more;                           /* there was more to look at than a step may */
        Load *current, *next;                /* next: claimed in a turn that may still be lost */
        Buffer memory;                       /* the mail itself, unless it is large */
        SmtpResult result;
        Usec paused_until;
} Courier;

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

static int settle_message(Courier *courier, Context *c) {
        const OutMessage *m = &courier->current->message;
        const SmtpResult *result = &courier->result;
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

/* What may not leave any more ends here; 1: there is one to carry. */
static int claim_message(Courier *courier, Context *c) {
        Load *load = courier->next;

        for (size_t i = 0; i < CLAIMS_A_STEP; i++) {
                Problem problem = {};
                OutMessage *m = &load->message;
                int r = message_claim(c->db, c->arena, c->now, m);
                if (r <= 0)
                        return r;
                load->report = (Report) {};
                r = m->secret && !m->body ? problem_set(&problem, PROBLEM_REFUSED, "cannot-be-opened", NULL, "what it says was sealed with another key, or was changed")
                                          : deliver_check(c, m, &problem);
                if (r == 0 && m->report)
                        r = MIN(report_load(c->db, c->arena, m->report, &load->report), 0);
                if (r == 0)
                        return 1;
                r = r < 0 ? r : message_dead(c->db, m, problem.text, c->now);
                if (r >= 0)
                        r = deliver_ended(c, m, str_equal(problem.code, "suppressed") ? "suppressed" : "failed", problem.code);
                if (r < 0)
                        return r;
        }
        courier->more = true;
        return 0;
}

static int next_step(Work *work, Context *c) {
        Courier *courier = work->state;
        Context mine = *c;

        if (courier->carrying) {
                mine.arena = courier->current->arena;
                int r = settle_message(courier, &mine);
                if (r < 0)
                        return r;
        }
        mine.arena = courier->next->arena;
        if (atomic_load(&work->stop) || courier->paused_until)
                return 0;
        courier->more = false;
        int r = claim_message(courier, &mine);
        if (r <= 0 || courier->carrying)
                return r;
        /* The first one that sets out looks whether there is work for another. */
        int k = outbox_call(&mine);
        return k < 0 ? k : r;
}

/* ---- on the worker ---- */

static int attach(Work *work, const Report *report, MessageAttachment *ret, Problem *problem) {
        static const char *const types[][2] = {
                { "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" }, { "csv", "text/csv; charset=utf-8" },
                { "json", "application/json" }, { "pdf", "application/pdf" },
        };
        const char *path = arena_printf(work->arena, "%s/%s", work->settings->state, report->path);
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
static int write_mail(Work *work, Courier *courier, int fd, Buffer *memory, uint64_t *ret_size, Problem *problem) {
        const OutMessage *m = &courier->current->message;
        const Report *report = &courier->current->report;
        MessageAttachment attachment = { .fd = -1 };

        int r = report->n ? attach(work, report, &attachment, problem) : 0;
        const Message mail = {
                .sender_name = m->sender_name, .sender = m->sender, .recipient = m->address, .subject = m->subject, .date = m->created, .id = m->message_id,
                .language = m->language, .text = m->body ?: "", .secret = m->secret, .attachments = &attachment, .n_attachments = report->n ? 1 : 0,
        };
        if (r == 0)
                r = memory ? message_build(&mail, memory, problem) : message_write(&mail, fd, ret_size, problem);
        closep(&attachment.fd);
        return r;
}

/* No relay is set: a file by the message's id, so the same message again is the same file. */
static int file_mail(Work *work, Courier *courier, Problem *problem) {
        const char *path = arena_printf(courier->current->arena, "%s/outbox-mail/%s.eml", work->settings->state, courier->current->message.message_id);
        const char *beside = arena_printf(courier->current->arena, "%s.part", path);
        _cleanup_(closep) int fd = open(beside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        int r = write_mail(work, courier, fd, NULL, NULL, problem);
        if (r == 0)
                r = file_finish(fd, beside, path);
        if (r == 0)
                crash_point("after_dot");
        return r;
}

/* A large one is spooled: four couriers with one each must not fill the memory. What tells a code never touches the disk. */
static int relay_mail(Work *work, Courier *courier, Problem *problem) {
        _cleanup_(buffer_done) Buffer secret = BUFFER_SECRET;
        _cleanup_(closep) int fd = -1;
        const OutMessage *m = &courier->current->message;
        SmtpMail mail = { .sender = m->sender, .recipient = m->address, .fd = -1, .secret = m->secret };
        Buffer *memory = m->secret ? &secret : &courier->memory;
        int r = 0;

        buffer_clear(memory);
        if (courier->current->report.bytes > IN_MEMORY)
                r = spool_open(arena_printf(courier->current->arena, "%s/spool", work->settings->state), &fd);
        if (r >= 0)
                r = write_mail(work, courier, fd, fd < 0 ? memory : NULL, &mail.size, problem);
        if (r == 0 && !courier->relay)
                r = relay_open(work->settings, work->host, &courier->relay, &courier->result);
        if (r != 0)
                return r > 0 && courier->result.reason[0] ? 0 : r;
        if (fd >= 0)
                mail.fd = fd;
        else
                mail.data = memory->data, mail.size = memory->size;
        return smtp_send(relay_smtp(courier->relay), &mail, &work->cancel, &courier->result);
}

static void carry(Work *work, Courier *courier) {
        Problem problem = {};

        courier->result = (SmtpResult) { .outcome = SMTP_DELIVERED };
        int r = work->settings->mail_relay ? relay_mail(work, courier, &problem) : file_mail(work, courier, &problem);
        if (r > 0)
                result_fault(&courier->result, SMTP_PERMANENT, problem.text);
        else if (r < 0)
                result_fault(&courier->result, SMTP_TEMPORARY, strerrordesc_np(-r) ?: "fault");
}

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

/* Until it is on disk, or the daemon ends: what was sent must be known as sent. */
static int next_turn(Work *work, Courier *courier) {
        int r;
        while ((r = work_turn(work, next_step)) < 0 && r != -ECANCELED && courier->carrying)
                (void) poll(NULL, 0, COMMIT_PAUSE_MSEC);
        return r;
}

static int mail_work(Work *work) {
        Courier *courier = memory_new(sizeof(*courier));
        int r;

        work->state = courier;
        for (;;) {
                courier->next = load_new();
                r = next_turn(work, courier);
                if (r <= 0)
                        break;
                load_free(courier->current);
                courier->current = TAKE_PTR(courier->next);
                courier->carrying = true;
                carry(work, courier);
        }
        return r;
}

static void mail_done(Work *work) {
        Courier *courier = work->state;
        if (!courier)
                return;
        relay_close(courier->relay);
        buffer_done(&courier->memory);
        load_free(courier->current);
        load_free(courier->next);
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

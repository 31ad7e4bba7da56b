/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>

#include "common/log.h"
#include "common/names.h"
#include "daemon/action/access.h"
#include "daemon/bus/call.h"
#include "daemon/bus/codec.h"
#include "daemon/model/unicode.h"

enum {
        READ_BUDGET = 5 * USEC_MSEC,         /* of a read on the loop; then it is repeated on a worker */
};

/* ---- in ---- */

static int read_text(sd_bus_message *m, Arena *a, const char **ret) {
        const char *s = NULL;
        int r = sd_bus_message_read_basic(m, 's', &s);
        *ret = arena_strdup(a, s);
        return MIN(r, 0);
}

static int read_fd(sd_bus_message *m, int *ret) {
        int fd = -1;
        int r = sd_bus_message_read_basic(m, 'h', &fd);
        if (r < 0)
                return r;
        *ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return *ret < 0 ? -errno : 0;
}

/* The signature was checked by the vtable: what is left to refuse is inside of a{sv}. */
static int decode(Call *c, Problem *problem) {
        sd_bus_message *m = c->message;
        Request *q = &c->request;
        int r = 0;

        switch (c->row->form) {
        case FORM_LIST:
        case FORM_COUNT:
                return codec_read_dict(m, c->arena, &c->query, problem);
        case FORM_QUERY:
                r = codec_read_dict(m, c->arena, &c->query, problem);
                return r != 0 ? r : read_text(m, c->arena, &q->format);
        case FORM_GET:
        case FORM_DESCRIBE:
        case FORM_SAVE:
                return read_text(m, c->arena, &q->id);
        case FORM_CHANGE:
                r = codec_read_strings(m, c->arena, &q->ids, &q->n_ids);
                break;
        case FORM_ACT:
                r = read_text(m, c->arena, &q->id);
                return r < 0 ? r : codec_read_dict(m, c->arena, &c->options, problem);
        case FORM_FILE_IN:
                r = read_fd(m, &c->fd);
                break;
        case FORM_SUBSCRIBE:
        case FORM_ENQUEUE:
                return codec_read_strings(m, c->arena, &q->ids, &q->n_ids);
        default:
                break;
        }
        if (r >= 0)
                r = codec_read_dict(m, c->arena, &c->fields, problem);
        return r != 0 ? r : codec_read_dict(m, c->arena, &c->options, problem);
}

/* ---- the middle ---- */

static void run_on_loop(Call *c) {
        Context context = call_context(c);
        bool read = !call_changes(c);

        if (read)
                db_limit_reads(c->bus->config.db, READ_BUDGET, NULL);
        int r = call_context_run(c, &context);
        if (read)
                db_limit_reads(c->bus->config.db, 0, NULL);
        if (r == -ETIME && read) {
                buffer_clear(&c->answer);
                call_start_work(c);
                return;
        }
        call_finish(c, r);
}

static bool has_picture(const Call *c) {
        if (!(c->row->flags & ROW_PICTURE))
                return false;
        for (size_t i = 0; i < c->fields.n; i++)
                if (c->fields.entries[i].value.type == VALUE_FD)
                        return true;
        for (size_t i = 0; i < c->options.n; i++)
                if (c->options.entries[i].value.type == VALUE_FD)
                        return true;
        return false;
}

/* Refused before its action: of a caller with rights the audit knows that too. */
static void refuse_early(Call *c) {
        if (call_changes(c) && !turn_is_broken(c->bus->config.db)) {
                Context context = call_context(c);
                (void) action_refuse(&context, c->row->verb, &c->request, &c->problem);
        }
        call_finish(c, 1);
}

static void run(Call *c) {
        if (c->row->flags & ROW_RESTORE && call_claim_restore(c) != 0)
                refuse_early(c);
        else if (c->row->flags & (ROW_WORKER | ROW_IMPORT | ROW_BACKUP | ROW_NAMES | ROW_RESTORE) || has_picture(c) || call_names_many(c) || call_is_bulk_dry_run(c))
                call_start_work(c);
        else
                run_on_loop(c);
}

/* Whether polkit's answer lets the call go on; else it is answered. */
static bool let_through(Call *c, PolkitAnswer answer, const char *verb, const char *why) {
        if (answer == POLKIT_NO) {
                call_finish(c, call_refuse_stranger(c, verb, why));
                return false;
        }
        if (turn_is_broken(c->bus->config.db)) {
                call_finish(c, -EIO);
                return false;
        }
        if (answer == POLKIT_CHANGED) {
                problem_set(&c->problem, PROBLEM_CONFLICT, "changed-meanwhile", NULL,
                            "nothing was done: while polkit was asked, what it is about was changed; look at it again and repeat");
                refuse_early(c);
                return false;
        }
        return true;
}

/* To speak for somebody else is a right of its own. Until it is there, the call is its caller's, in the audit too. */
static void act_for_answered(Call *c, PolkitAnswer answer, const char *why) {
        if (answer == POLKIT_NO) {
                (void) call_refuse_stranger(c, RIGHT_TO_ACT_FOR, why);
                refuse_early(c);
                return;
        }
        if (!let_through(c, answer, RIGHT_TO_ACT_FOR, why))
                return;
        c->caller.behalf = c->behalf;
        int r = call_decide_again(c);
        if (r != 0)
                call_finish(c, r);
        else
                run(c);
}

static void check_act_for(Call *c) {
        Context context = call_context(c);
        const Selector *unused;
        Problem problem;

        int r = c->behalf ? access_decide(&context, RIGHT_TO_ACT_FOR, &unused, &problem) : 0;
        if (r == 0) {
                c->caller.behalf = c->behalf;
                run(c);
                return;
        }
        if (r > 0)
                r = polkit_ask(c, RIGHT_ACT_FOR, act_for_answered);
        if (r > 0)
                refuse_early(c);
        else if (r < 0)
                call_finish(c, r);
}

/* The caller has the right to the verb: now what was asked is looked at. */
static void go_on(Call *c) {
        int r = decode(c, &c->problem);
        /* The bus carries noncharacters, the library that reads it does not. */
        if (r == -EBADMSG)
                r = problem_set(&c->problem, PROBLEM_INVALID_ARGUMENT, "noncharacter", NULL,
                                "a text in the call holds a noncharacter (U+FFFE, U+FDD0 …) or the message is malformed: take it out and send it again");
        if (r == -E2BIG || (r == 0 && arena_size(c->arena) > ARGUMENTS_MAX))
                r = codec_refuse_size(&c->problem);
        if (r == 0)
                r = user_take_memory(c, &c->problem);
        if (r == 0) {
                r = dict_string(&c->options, "on_behalf_of", &c->behalf, &c->problem);
                if (r == 0 && c->behalf)
                        r = text_check(c->arena, "on_behalf_of", TEXT_ONE_LINE, 1, 200, &c->behalf, &c->problem);
        }
        if (r > 0)
                refuse_early(c);
        else if (r < 0)
                call_finish(c, r);
        else
                check_act_for(c);
}

static void verb_answered(Call *c, PolkitAnswer answer, const char *why) {
        c->caller.granted = c->granted;
        if (let_through(c, answer, c->row->verb, why))
                go_on(c);
}

/* Polkit may let see everything; where it does not, what came of one's own calls is there all the same. */
static void own_answered(Call *c, PolkitAnswer answer, const char *why) {
        c->caller.granted = c->granted;
        int r = turn_is_broken(c->bus->config.db) ? -EIO : call_decide_again(c);
        if (r != 0)
                call_finish(c, r);
        else
                go_on(c);
}

void call_begin(Call *c) {
        const Peer *p = c->peer;

        c->caller = (Caller) { .uid = p->uid, .user = p->user, .gids = p->gids, .n_gids = p->n_gids, .all = p->all };
        if (turn_is_broken(c->bus->config.db)) {
                call_finish(c, -EIO);
                return;
        }
        Context context = call_context(c);
        Problem problem;
        /* Who cannot be identified is a stranger to roles and to polkit. */
        int r = p->uid < 0 ? call_refuse_stranger(c, c->row->verb, "the bus does not say who you are")
                           : access_decide(&context, c->row->verb, &c->scope, &problem);
        if (r > 0 && p->uid >= 0)
                r = polkit_ask(c, right_find(c->row->verb)->group, verb_answered);
        else if (r == 0 && access_is_own(c->scope))
                r = polkit_ask(c, right_find(c->row->verb)->group, own_answered);
        else if (r == 0) {
                go_on(c);
                return;
        }
        if (r != 0)
                call_finish(c, r);
}

void call_admit(Call *c) {
        int r = c->bus->refusing ? problem_set(&c->problem, PROBLEM_UNAVAILABLE, "stopping", NULL, "tenantd is stopping: try again when it is back")
                                 : user_check(c->peer, &c->problem);
        if (r > 0)
                call_finish(c, r);
        else
                user_queue(c);
}

void call_wait(Call *c) {
        int r = user_check_count(c->peer, &c->problem);
        if (r == 0 && c->peer->owner)
                r = user_hold(c, &c->problem);
        if (r > 0)
                call_finish(c, r);
        else
                call_list_add(&c->peer->waiting, c);
}

static bool row_is_secret(const MethodRow *row) {
        return row->flags & ROW_SECRET;
}

void call_new(Bus *b, Peer *peer, const RowReference *reference, sd_bus_message *m) {
        Arena *a = arena_new();
        Call *c = arena_alloc(a, sizeof(*c));

        c->bus = b;
        c->peer = peer;
        c->message = sd_bus_message_ref(m);
        c->row = reference->row;
        c->arena = a;
        c->fd = c->out_fd = -1;
        c->request = (Request) { .id = "", .query = &c->query, .fields = &c->fields, .options = &c->options, .secret = row_is_secret(c->row) };
        if (c->request.secret) {
                arena_keep_secret(a);
                c->file = BUFFER_SECRET;
        }
        peer->in_flight++;
        if (peer->owner)
                peer->owner->in_flight++;
        b->n_calls++;
        if (peer->known)
                call_admit(c);
        else
                call_wait(c);
}

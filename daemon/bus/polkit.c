/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/text.h"
#include "daemon/action/access.h"
#include "daemon/action/resolve.h"
#include "daemon/bus/call.h"
#include "daemon/bus/codec.h"
#include "daemon/store/customer-store.h"

/* One question a call at most a group of rights, never one an object; the subject is the caller's name on the bus, which nobody
 * else can have. Whatever is no well-formed yes is a no. The arguments stay frozen in the message meanwhile; that what they are
 * about stays as it was is watched here. */

enum {
        PATIENCE = 25 * USEC_SEC,
        PATIENCE_WITH_PEOPLE = 300 * USEC_SEC,       /* somebody may have to type a password */
        ASKING_PER_UID_MAX = 32,
        LOOK_UPS_MAX = 4,                            /* of names, a call */
};

/* ---- what it is about ---- */

/* id NULL: all of the kind. */
static void watch(Question *q, const char *kind, const Id *id) {
        if (q->n_watched == ELEMENTSOF(q->watched))
                return;
        Watched *w = &q->watched[q->n_watched++];
        snprintf(w->kind, sizeof(w->kind), "%s", kind);
        w->any = !id;
        w->id = id ? *id : (Id) {};
}

/* Somebody may ask who has no right to anything: few look-ups, and nothing of what is near. */
static bool find_customer(Context *c, Question *q, const char *reference, Id *ret) {
        const char *organization;
        int64_t n;

        if (id_parse(reference, ret) && customer_find_id(c->db, *ret, &n) > 0)
                return true;
        if (q->look_ups++ == LOOK_UPS_MAX)
                return false;
        return customer_named(c, reference, &n) > 0 && customer_identity(c, n, ret, &organization) > 0;
}

/* False: it could not be told which, and all of the kind are watched. */
static bool watch_object(Context *c, Question *q, const char *kind, const char *reference) {
        Id id;
        bool found = str_equal(kind, "customer") ? find_customer(c, q, reference, &id) : id_parse(reference, &id);

        found = found && q->n_watched < QUESTION_OBJECTS_MAX;
        watch(q, kind, found ? &id : NULL);
        return found;
}

/* What the fields, or of an ACT the options, name besides. */
static void watch_named(Context *c, Call *call, Question *q) {
        static const char *const named[][3] = {
                { "report.generate", "template", "report-template" }, { "schedule.create", "customer", "customer" },
                { "schedule.create", "template", "report-template" }, { "schedule.edit", "customer", "customer" },
                { "schedule.edit", "template", "report-template" },
        };
        Problem ignored = {};
        Dict given = {};
        bool read = false;

        for (size_t i = 0; i < ELEMENTSOF(named); i++) {
                if (!str_equal(named[i][0], call->row->verb))
                        continue;
                if (!read)
                        (void) codec_read_dict(call->message, c->arena, &given, &ignored);
                read = true;
                const Value *v = dict_find(&given, named[i][1]);
                if (v && v->type == VALUE_STRING && *v->string)
                        (void) watch_object(c, q, named[i][2], v->string);
        }
        dict_close_fds(&given);
}

/* What the objects of a call are: of its noun, but for those that name a customer. */
static const char *noun_of(const char *verb) {
        static const char *const by_customer[] = { "report.generate", "report.verify", NULL };
        return names_find(by_customer, verb) >= 0 ? "customer" : verb;
}

/* Looks into the message; what is wrong with it is told when it is decoded, to who has the right to know. */
static void note_objects(Call *c, Question *q) {
        _cleanup_(arena_freep) Arena *a = arena_new();
        Context context = call_context(c);
        const char *const *ids = NULL;
        const char *id = NULL;
        size_t n = 0;

        context.arena = a;
        const char *noun = noun_of(c->row->verb);
        noun = arena_printf(a, "%.*s", (int) strcspn(noun, "."), noun);
        (void) sd_bus_message_rewind(c->message, true);
        if (str_equal(noun, "partner"))      /* there is one of it, without an id */
                watch(q, noun, NULL);
        else if (c->row->form == FORM_ACT && sd_bus_message_read_basic(c->message, 's', &id) > 0 && *id)
                (void) watch_object(&context, q, noun, id);
        else if (c->row->form == FORM_CHANGE) {
                bool told = codec_read_strings(c->message, a, &ids, &n) == 0 && n > 0;
                for (size_t i = 0; i < n && told; i++)
                        told = watch_object(&context, q, noun, ids[i]);
                if (n == 0)                  /* a selector picks them */
                        watch(q, noun, NULL);
        }
        watch_named(&context, c, q);
        (void) sd_bus_message_rewind(c->message, true);
}

static bool is_watched(const Question *q, const Effect *e) {
        for (size_t i = 0; i < q->n_watched; i++)
                if (str_equal(q->watched[i].kind, e->kind) && (q->watched[i].any || id_equal(q->watched[i].id, e->id)))
                        return true;
        return false;
}

static void compare(Question *q, const Effect *effects, size_t n) {
        for (size_t i = 0; i < n && !q->changed; i++)
                q->changed = effects[i].type == EFFECT_CHANGED && is_watched(q, &effects[i]);
}

void polkit_note_changes(Bus *b) {
        size_t n;
        const Effect *effects = turn_effects(b->config.db, &n);

        for (Call *c = n > 0 ? b->asking.first : NULL; c; c = c->next)
                compare(c->question, effects, n);
}

/* ---- the question ---- */

static void list_remove(CallList *l, const Call *c) {
        CallList all = *l;
        Call *each;

        l->first = NULL;
        while ((each = call_list_take(&all)))
                if (each != c)
                        call_list_add(l, each);
}

/* Why polkit was asked at all. */
static const char *roles_say(Call *c, RightGroup group) {
        Context context = call_context(c);
        return access_is_limited(&context, group == RIGHT_ACT_FOR ? RIGHT_TO_ACT_FOR : c->row->verb)
                ? "your role is for some customers, and this is of all of them" : "no role has it";
}

/* *ret_why goes on after roles_say(). */
static bool read_yes(sd_bus_message *m, const char **ret_why) {
        int authorized = 0, challenge = 0;

        if (sd_bus_message_is_method_error(m, NULL)) {
                const sd_bus_error *e = sd_bus_message_get_error(m);
                log_debug("polkit did not answer: %s", e->message ?: e->name);
                *ret_why = "polkit could not be asked";
                return false;
        }
        if (!sd_bus_message_has_signature(m, "(bba{ss})") || sd_bus_message_enter_container(m, 'r', "bba{ss}") <= 0 ||
            sd_bus_message_read(m, "bb", &authorized, &challenge) <= 0) {
                *ret_why = "polkit answered something strange";
                return false;
        }
        *ret_why = challenge ? "polkit wants a password, which this way of calling cannot ask for" : "polkit says no";
        return authorized > 0 && challenge == 0;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Call *c = userdata;
        Question *q = c->question;
        const char *why = NULL;
        size_t n;

        bool yes = read_yes(m, &why);
        const Effect *effects = turn_effects(c->bus->config.db, &n);
        compare(q, effects, n);              /* what this very turn has changed so far */
        PolkitAnswer answer = !yes ? POLKIT_NO : q->changed ? POLKIT_CHANGED : POLKIT_YES;
        if (answer == POLKIT_NO)
                why = arena_printf(c->arena, "%s, and %s", roles_say(c, q->group), why);
        void (*then)(Call *, PolkitAnswer, const char *) = q->then;
        if (answer == POLKIT_YES)
                c->granted = MAX(c->granted, 1 + (int64_t) q->group);
        list_remove(&c->bus->asking, c);
        c->question = NULL;
        question_free(q);
        then(c, answer, why);
        return 0;
}

static int send(Call *c, Question *q) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        sd_bus *bus = c->bus->bus;
        /* Nobody types a password to see what a role lets see anyway. */
        bool people = sd_bus_message_get_allow_interactive_authorization(c->message) > 0 && !access_is_own(c->scope);

        int r = sd_bus_message_new_method_call(bus, &m, "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
                                               "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s", c->peer->name, right_action(q->group), 0,
                                          (uint32_t) people, "");
        return r < 0 ? r : sd_bus_call_async(bus, &q->slot, m, on_answer, c, (uint64_t) (people ? PATIENCE_WITH_PEOPLE : PATIENCE));
}

int polkit_ask(Call *c, RightGroup group, void (*then)(Call *c, PolkitAnswer answer, const char *why)) {
        if (c->peer->owner->asking >= ASKING_PER_UID_MAX)
                return problem_set(&c->problem, PROBLEM_LIMIT_EXCEEDED, "too-many-questions", NULL,
                                   "%d calls of this user wait for polkit already: answer those first", ASKING_PER_UID_MAX);
        int r = user_hold(c, &c->problem);
        if (r != 0)
                return r;
        Question *q = memory_new(sizeof(*q));
        c->question = q;
        q->group = group;
        q->then = then;
        if (call_changes(c))
                note_objects(c, q);
        r = send(c, q);
        if (r < 0) {
                c->question = NULL;
                question_free(q);
                return r;
        }
        q->asker = c->peer->owner;
        q->asker->asking++;
        call_list_add(&c->bus->asking, c);
        return 0;
}

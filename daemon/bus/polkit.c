/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/text.h"
#include "daemon/action/resolve.h"
#include "daemon/bus/call.h"
#include "daemon/bus/codec.h"

/* One question a call at most a group of rights, never one an object; the subject is the caller's name on the bus, which nobody
 * else can have. Whatever is no well-formed yes is a no. The arguments stay frozen in the message meanwhile; that what they are
 * about stays as it was is watched here. */

enum {
        PATIENCE = 25 * USEC_SEC,
        PATIENCE_WITH_PEOPLE = 300 * USEC_SEC,       /* somebody may have to type a password */
        ASKING_PER_UID_MAX = 32,
};

/* ---- what it is about ---- */

static void add_object(Call *c, Question *q, const char *reference) {
        Context context = call_context(c);
        const char *organization;
        Problem ignored;
        int64_t n;
        Id id;

        if (str_equal(q->noun, "customer") && customer_resolve(&context, reference, &n, &ignored) == 0 &&
            customer_identity(&context, n, &id, &organization) > 0)
                reference = id_text(id, arena_alloc(c->arena, ID_TEXT_SIZE));
        if (!id_parse(reference, &id) || q->n_objects == QUESTION_OBJECTS_MAX)
                q->any = true;
        else
                q->objects[q->n_objects++] = id;
}

/* What the objects of a call are: of its noun, but for those that name a customer. */
static const char *noun_of(const char *verb) {
        static const char *const by_customer[] = { "report.generate", "report.verify", NULL };
        return names_find(by_customer, verb) >= 0 ? "customer" : verb;
}

/* Looks ahead into the message; what is wrong with it is told when it is decoded, to who has the right to know. */
static void note_objects(Call *c, Question *q) {
        const char *const *ids = NULL;
        const char *id = NULL;
        size_t n = 0;

        const char *noun = noun_of(c->row->verb);
        snprintf(q->noun, sizeof(q->noun), "%.*s", (int) strcspn(noun, "."), noun);
        q->any = str_equal(q->noun, "partner");      /* there is one of it, without an id */
        if (c->row->form == FORM_ACT && sd_bus_message_read_basic(c->message, 's', &id) > 0 && *id)
                add_object(c, q, id);
        else if (c->row->form == FORM_CHANGE && codec_read_strings(c->message, c->arena, &ids, &n) == 0)
                for (size_t i = 0; i < n && !q->any; i++)
                        add_object(c, q, ids[i]);
        (void) sd_bus_message_rewind(c->message, true);
}

static void compare(Question *q, const Effect *effects, size_t n) {
        for (size_t i = 0; i < n && !q->changed; i++) {
                if (effects[i].type != EFFECT_CHANGED || !str_equal(effects[i].kind, q->noun))
                        continue;
                q->changed = q->any;
                for (size_t k = 0; k < q->n_objects; k++)
                        q->changed |= id_equal(q->objects[k], effects[i].id);
        }
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

static bool read_yes(sd_bus_message *m, const char **ret_why) {
        int authorized = 0, challenge = 0;

        if (sd_bus_message_is_method_error(m, NULL)) {
                const sd_bus_error *e = sd_bus_message_get_error(m);
                log_debug("polkit did not answer: %s", e->message ?: e->name);
                *ret_why = "no role has it, and polkit could not be asked";
                return false;
        }
        if (!sd_bus_message_has_signature(m, "(bba{ss})") || sd_bus_message_enter_container(m, 'r', "bba{ss}") <= 0 ||
            sd_bus_message_read(m, "bb", &authorized, &challenge) <= 0) {
                *ret_why = "no role has it, and polkit answered something strange";
                return false;
        }
        *ret_why = challenge ? "no role has it, and polkit wants a password, which this way of calling cannot ask for" : "no role has it, and polkit says no";
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
        bool people = sd_bus_message_get_allow_interactive_authorization(c->message) > 0;

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
        Question *q = memory_new(sizeof(*q));
        c->question = q;
        q->group = group;
        q->then = then;
        if (call_changes(c))
                note_objects(c, q);
        int r = send(c, q);
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

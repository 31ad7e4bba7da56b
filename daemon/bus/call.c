/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "daemon/action/list-action.h"
#include "daemon/bus/call.h"

/* What every stage of a call needs: its lists, its life, and how its action is run. */

enum { ANSWER_USUAL = 4000 };                /* bytes of JSON that a read's answer has at once */

void call_list_add(CallList *l, Call *c) {
        if (!l->first)
                l->end = &l->first;
        c->next = NULL;
        *l->end = c;
        l->end = &c->next;
}

Call *call_list_take(CallList *l) {
        Call *c = l->first;
        if (c)
                l->first = c->next;
        return c;
}

void question_free(Question *q) {
        if (!q)
                return;
        if (q->asker)
                q->asker->asking--;
        sd_bus_slot_unref(q->slot);
        free(q);
}

void call_free(Call *c) {
        dict_close_fds(&c->fields);
        dict_close_fds(&c->options);
        dict_close_fds(&c->query);
        if (c->fd >= 0)
                close(c->fd);
        if (c->out_fd >= 0)
                close(c->out_fd);
        if (c->restores)
                c->bus->restoring = false;
        if (c->keeps_file) {
                c->bus->kept = memory_grow(c->bus->kept, (c->bus->n_kept + 1) * sizeof(sd_bus_message *));
                c->bus->kept[c->bus->n_kept++] = sd_bus_message_ref(c->message);
        }
        if (c->import_dry_run)
                buffer_done(&c->import_dry_run->told.items);
        if (c->bulk_dry_run)
                buffer_done(&c->bulk_dry_run->told.items);
        if (c->request.spool && !c->spool_kept)
                unlink(arena_printf(c->arena, "%s/%s", c->bus->config.settings->state, c->request.spool));
        buffer_done(&c->file);
        buffer_done(&c->answer);
        question_free(c->question);
        sd_bus_message_unref(c->message);
        c->peer->in_flight--;
        if (c->peer->owner) {
                c->peer->owner->in_flight--;
                c->peer->owner->memory -= c->memory;
        }
        c->bus->n_calls--;
        arena_free(c->arena);
}

Context call_context(Call *c) {
        const BusConfig *config = &c->bus->config;
        return (Context) {
                .db = config->db, .arena = c->arena, .caller = &c->caller, .scope = c->scope, .now = clock_now(), .settings = config->settings,
                .rules = config->rules, .host = config->host, .clock = config->clock, .reloader = config->reloader,
        };
}

int call_named_fd(const Call *c, const char **ret_name) {
        const Dict *dicts[] = { &c->fields, &c->options };
        for (size_t d = 0; d < ELEMENTSOF(dicts); d++)
                for (size_t i = 0; i < dicts[d]->n; i++)
                        if (dicts[d]->entries[i].value.type == VALUE_FD) {
                                *ret_name = dicts[d]->entries[i].key;
                                return dicts[d]->entries[i].value.fd;
                        }
        return -1;
}

int call_given_fd(const Call *c) {
        const char *name;
        return c->fd >= 0 ? c->fd : call_named_fd(c, &name);
}

bool call_changes(const Call *c) {
        return !(c->row->flags & ROW_READS);
}

bool call_names_many(const Call *c) {
        return c->row->flags & ROW_BULK && bulk_names_many(&c->request);
}

bool call_is_bulk_dry_run(const Call *c) {
        return c->row->flags & ROW_BULK && request_dry_run(&c->request) && bulk_is_about_many(&c->request);
}

static int run_read(Call *c, Context *context) {
        const Dataset *d = c->row->dataset ? dataset_find(c->row->dataset) : NULL;

        *buffer_reserve(&c->answer, ANSWER_USUAL) = 0;
        switch (c->row->form) {
        case FORM_LIST: {
                int r = list_page(context, d, &c->request, &c->answer, &c->next_cursor, &c->problem);
                return r == 0 && c->row->finish ? c->row->finish(context, &c->answer) : r;
        }
        case FORM_COUNT:
                return list_count(context, d, &c->request, &c->count, &c->problem);
        case FORM_ACT: {
                int r = request_check_options(&c->request, c->row->options, &c->problem);
                return r != 0 ? r : c->row->action(context, &c->request, &c->answer, &c->problem);
        }
        default:
                return c->row->action(context, &c->request, &c->answer, &c->problem);
        }
}

int call_context_run(Call *c, Context *context) {
        if (c->row->form == FORM_SUBSCRIBE)
                return signals_subscribe(c->peer, c->request.ids, c->request.n_ids, c->granted, &c->problem);
        if (!call_changes(c))
                return run_read(c, context);
        const ChangeRow row = { c->row->verb, c->row->action, c->row->options };
        return action_change(context, &row, &c->request, &c->answer, &c->problem);
}

void call_finish(Call *c, int result) {
        c->result = result;
        if (result < 0 && result != -ECANCELED)
                log_error("%s failed: %s", c->row->verb, strerror(-result));
        call_list_add(&c->bus->held, c);
}

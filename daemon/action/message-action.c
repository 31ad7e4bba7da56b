/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "common/time.h"
#include "daemon/action/access.h"
#include "daemon/action/list-action.h"
#include "daemon/action/message-action.h"
#include "daemon/action/outbox.h"
#include "daemon/model/address.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/message-store.h"

const char *const test_mail_options[] = { "address", NULL };

static int find(Context *c, const char *reference, OutMessage *ret, Problem *problem) {
        Id id;
        int r = id_parse(reference, &id) ? message_find(c->db, c->arena, id, ret) : 0;
        r = access_found(c, "messages", &ret->n, r);
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-message", NULL, "there is no message \"%.60s\"; message list shows them", reference);
        if (r > 0)
                c->trail.object = id_text(ret->id, arena_alloc(c->arena, ID_TEXT_SIZE));
        return MIN(r, 0);
}

int message_show(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        OutMessage m;
        int r = find(c, request->id, &m, problem);
        return r != 0 ? r : list_one(c, dataset_find("messages"), m.id, answer, problem);
}

int message_replay_action(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        OutMessage m;
        int r = find(c, request->id, &m, problem);
        if (r == 0 && !str_equal(m.state, "dead"))
                r = problem_set(problem, PROBLEM_REFUSED, "not-dead", NULL, "the message is %s: only dead ones are replayed", m.state);
        if (r == 0 && !m.body)
                r = problem_set(problem, PROBLEM_REFUSED, "wiped", NULL, "the message held a code, which was wiped: ask for a new one (report verify)");
        if (r == 0)
                r = message_replay(c->db, &m, c->now);
        if (r == 0)
                r = outbox_call(c);
        if (r != 0)
                return r;
        json_put_object_begin(answer);
        json_put_key_id(answer, "id", m.id);
        json_put_key_string(answer, "state", "queued");
        json_put_object_end(answer);
        return 0;
}

int admin_test_mail(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        const char *address = *request->id ? request->id : NULL, *warning = outbox_warning(c);
        char time[TIME_TEXT_SIZE], id[ID_TEXT_SIZE];
        int64_t n = 0, owner = 0;
        size_t owners = 0;
        OutMessage m;

        int r = dict_string(request->options, "address", &address, problem);
        if (r == 0 && str_empty(address))
                r = problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "address", "a test mail needs an address");
        if (r == 0)
                r = address_check(c->arena, "address", &address, problem);
        if (r != 0)
                return r;
        const MailVariable variables[] = { { "host", c->host }, { "date", time_text(c->now, time) }, {} };
        r = customer_of_address(c->db, address_key(c->arena, address), &owner, 1, &owners);
        if (r >= 0)
                r = outbox_put(c, &(Letter) { .event = "test", .address = address, .variables = variables, .customer = owners > 0 ? owner : 0 }, &n);
        if (r >= 0)
                r = message_load(c->db, c->arena, n, &m);
        if (r <= 0)
                return r < 0 ? r : -ENOENT;
        c->trail.object = arena_strdup(c->arena, id_text(m.id, id));
        json_put_object_begin(answer);
        json_put_key_string(answer, "id", c->trail.object);
        if (warning)
                answer_warning(answer, warning);
        json_put_object_end(answer);
        return 0;
}

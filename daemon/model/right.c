/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/nearest.h"
#include "daemon/model/right.h"

const Right rights[] = {
        { "admin.accept-clock", RIGHT_ADMIN },
        { "admin.act-for", RIGHT_ACT_FOR },
        { "admin.backup", RIGHT_ADMIN },
        { "admin.log-level", RIGHT_ADMIN },
#ifdef TEST_HOOKS
        { "admin.quiet-hour", RIGHT_ADMIN },
#endif
        { "admin.reload", RIGHT_ADMIN },
        { "admin.restore", RIGHT_ADMIN },
        { "admin.rotate-key", RIGHT_ADMIN },
        { "admin.status", RIGHT_READ },
        { "admin.test-mail", RIGHT_ADMIN },
        { "admin.verify", RIGHT_ADMIN },
        { "audit.export", RIGHT_READ },
        { "audit.list", RIGHT_READ },
        { "audit.verify", RIGHT_READ },
        { "customer.dashboard", RIGHT_READ },
        { "customer.disconnect", RIGHT_DESTROY },
        { "customer.edit", RIGHT_MANAGE },
        { "customer.hide-expired", RIGHT_MANAGE },
        { "customer.import", RIGHT_MANAGE },
        { "customer.list", RIGHT_READ },
        { "customer.mode", RIGHT_DESTROY },
        { "customer.onboard", RIGHT_MANAGE },
        { "customer.pin", RIGHT_READ },
        { "customer.reconnect", RIGHT_MANAGE },
        { "customer.show", RIGHT_READ },
        { "customer.show-expired", RIGHT_MANAGE },
        { "customer.unpin", RIGHT_READ },
        { "event.monitor", RIGHT_READ },
        { "group.create", RIGHT_ADMIN },
        { "group.delete", RIGHT_ADMIN },
        { "group.edit", RIGHT_ADMIN },
        { "group.list", RIGHT_READ },
        { "group.show", RIGHT_READ },
        { "mail-template.create", RIGHT_MANAGE },
        { "mail-template.delete", RIGHT_DESTROY },
        { "mail-template.edit", RIGHT_MANAGE },
        { "mail-template.list", RIGHT_READ },
        { "mail-template.preview", RIGHT_READ },
        { "mail-template.show", RIGHT_READ },
        { "message.list", RIGHT_READ },
        { "message.replay", RIGHT_MANAGE },
        { "message.show", RIGHT_READ },
        { "operation.approve", RIGHT_ADMIN },
        { "operation.cancel", RIGHT_MANAGE },
        { "operation.export", RIGHT_READ },
        { "operation.list", RIGHT_READ },
        { "operation.retry", RIGHT_MANAGE },
        { "operation.revert", RIGHT_MANAGE },
        { "operation.show", RIGHT_READ },
        { "partner.set", RIGHT_ADMIN },
        { "partner.show", RIGHT_READ },
        { "report-template.create", RIGHT_MANAGE },
        { "report-template.delete", RIGHT_DESTROY },
        { "report-template.edit", RIGHT_MANAGE },
        { "report-template.list", RIGHT_READ },
        { "report-template.preview", RIGHT_READ },
        { "report-template.show", RIGHT_READ },
        { "report.bounce", RIGHT_MANAGE },
        { "report.export", RIGHT_READ },
        { "report.generate", RIGHT_MANAGE },
        { "report.list", RIGHT_READ },
        { "report.save", RIGHT_READ },
        { "report.send", RIGHT_MANAGE },
        { "report.show", RIGHT_READ },
        { "report.verify", RIGHT_MANAGE },
        { "role.create", RIGHT_ADMIN },
        { "role.delete", RIGHT_ADMIN },
        { "role.edit", RIGHT_ADMIN },
        { "role.grant", RIGHT_ADMIN },
        { "role.list", RIGHT_ADMIN },
        { "role.revoke", RIGHT_ADMIN },
        { "role.show", RIGHT_ADMIN },
        { "schedule.create", RIGHT_MANAGE },
        { "schedule.delete", RIGHT_DESTROY },
        { "schedule.edit", RIGHT_MANAGE },
        { "schedule.list", RIGHT_READ },
        { "schedule.pause", RIGHT_MANAGE },
        { "schedule.preview", RIGHT_READ },
        { "schedule.resume", RIGHT_MANAGE },
        { "schedule.run", RIGHT_MANAGE },
        { "schedule.runs", RIGHT_READ },
        { "schedule.show", RIGHT_READ },
        { "task.cancel", RIGHT_MANAGE },
#ifdef TEST_HOOKS
        { "task.enqueue", RIGHT_ADMIN },
#endif
        { "task.list", RIGHT_READ },
        { "task.pause", RIGHT_ADMIN },
        { "task.resume", RIGHT_ADMIN },
        { "task.retry", RIGHT_MANAGE },
        { "task.show", RIGHT_READ },
        { "view.delete", RIGHT_DESTROY },
        { "view.edit", RIGHT_MANAGE },
        { "view.list", RIGHT_READ },
        { "view.save", RIGHT_MANAGE },
        { "view.show", RIGHT_READ },
        {},
};

const Right *right_find(const char *verb) {
        for (const Right *r = rights; r->verb; r++)
                if (strcmp(r->verb, verb) == 0)
                        return r;
        return NULL;
}

const char *right_action(RightGroup group) {
        static const char *const actions[_RIGHT_GROUP_MAX] = {
                [RIGHT_READ] = "org.tenantd.tenant1.read", [RIGHT_MANAGE] = "org.tenantd.tenant1.manage",
                [RIGHT_DESTROY] = "org.tenantd.tenant1.destroy", [RIGHT_ADMIN] = "org.tenantd.tenant1.admin",
                [RIGHT_ACT_FOR] = "org.tenantd.tenant1.act-for",
        };
        return actions[group];
}

static bool part_matches(const char *pattern, size_t n, const char *word, size_t n_word) {
        return (n == 1 && *pattern == '*') || (n == n_word && memcmp(pattern, word, n) == 0);
}

bool right_matches(const char *pattern, const char *verb) {
        size_t noun = strcspn(pattern, "."), verb_noun = strcspn(verb, ".");

        if (strcmp(pattern, "*") == 0)
                return true;
        if (pattern[noun] != '.')
                return false;
        const char *act = pattern + noun + 1, *verb_act = verb + verb_noun + 1;
        return part_matches(pattern, noun, verb, verb_noun) && part_matches(act, strlen(act), verb_act, strlen(verb_act));
}

int right_check_pattern(const char *pattern, Problem *problem) {
        const char *names[200];
        size_t n = 0;

        for (const Right *r = rights; r->verb; r++) {
                if (right_matches(pattern, r->verb))
                        return 0;
                assert(n + 1 < ELEMENTSOF(names));
                names[n++] = r->verb;
        }
        names[n] = NULL;
        const char *near = nearest_name(names, pattern);
        problem_set(problem, PROBLEM_INVALID_ARGUMENT, "unknown-verb", "verbs",
                    near ? "there is no verb \"%.60s\"; did you mean %s?" : "there is no verb \"%.60s\": verbs are NOUN.VERB as tenantctl has them, and * stands for a part",
                    pattern, near);
        if (near)
                problem_add_candidate(problem, near);
        return 1;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/audit-action.h"
#include "daemon/store/audit-store.h"

int audit_verify_action(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        AuditVerdict v;
        int r = audit_verify(c->db, &v);
        if (r < 0)
                return r;
        if (v.broken)
                return problem_set(problem, PROBLEM_FAILED, "chain-broken", NULL, "audit record %lld is not what was written: %s", (long long) v.broken, v.why);
        json_put_object_begin(answer);
        json_put_key_int(answer, "records", v.records);
        json_put_key_int(answer, "first", v.first);
        json_put_key_int(answer, "last", v.last);
        json_put_key_int(answer, "erased", v.erased);
        json_put_key_int(answer, "expired", v.expired);
        json_put_key_int(answer, "checkpoints", v.checkpoints);
        json_put_key_string(answer, "state", "intact");
        json_put_object_end(answer);
        return 0;
}

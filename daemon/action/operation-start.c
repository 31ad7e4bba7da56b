/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/names.h"
#include "daemon/action/operation-start.h"
#include "daemon/store/setting-store.h"
#include "daemon/store/task-store.h"

int answer_queue_warnings(Context *c, const char *warning, Buffer *answer) {
        int paused = setting_is(c->db, "queue-paused", "1");

        if (paused < 0 || (!paused && !warning))
                return MIN(paused, 0);
        answer->data[--answer->size] = 0;    /* its closing bracket */
        json_put_key(answer, "warnings");
        json_put_array_begin(answer);
        if (warning)
                json_put_string(answer, warning);
        if (paused)
                json_put_string(answer, QUEUE_PAUSED);
        json_put_array_end(answer);
        json_put_object_end(answer);
        return 0;
}

int operation_start(Context *c, Operation *o, const char *task_kind, const char *warning, Buffer *answer) {
        o->uid = c->caller->uid;
        o->user = c->caller->user;
        o->behalf = c->caller->behalf;
        o->created = c->now;
        int r = operation_insert(c->db, o);
        if (r < 0)
                return r;
        Task task = { .kind = task_kind, .lane = "sweeps", .due = c->now, .created = c->now, .operation = o->n, .owner = c->caller->uid, .granted = c->caller->granted };
        r = task_insert(c->db, &task);
        if (r < 0)
                return r;
        c->trail.object = id_text(o->id, arena_alloc(c->arena, ID_TEXT_SIZE));
        operation_write_json(answer, o);
        return answer_queue_warnings(c, warning, answer);
}

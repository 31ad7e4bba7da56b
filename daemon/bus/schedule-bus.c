/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/schedule-action.h"
#include "daemon/bus/dispatch.h"

static const char *const none[] = { NULL };

static const MethodRow rows[] = {
        { "List", FORM_LIST, ROW_READS, "schedule.list", .dataset = "schedules" },
        { "Query", FORM_QUERY, ROW_READS | ROW_WORKER, "schedule.list", .dataset = "schedules" },
        { "Get", FORM_GET, ROW_READS, "schedule.show", schedule_show, .dataset = "schedules" },
        { "Describe", FORM_DESCRIBE, ROW_READS, "schedule.show", schedule_show },
        { "Create", FORM_CREATE, 0, "schedule.create", schedule_create, .options = schedule_create_options },
        { "Edit", FORM_CHANGE, 0, "schedule.edit", schedule_edit, .options = none },
        { "Pause", FORM_ACT, 0, "schedule.pause", schedule_pause, .options = none },
        { "Resume", FORM_ACT, 0, "schedule.resume", schedule_resume, .options = none },
        { "Run", FORM_ACT, 0, "schedule.run", schedule_run, .options = none },
        { "Preview", FORM_ACT, ROW_READS, "schedule.preview", schedule_preview, .options = schedule_count_options },
        { "Runs", FORM_ACT, ROW_READS, "schedule.runs", schedule_runs, .options = schedule_count_options },
        { "Delete", FORM_ACT, 0, "schedule.delete", schedule_delete_action, .options = none },
        {},
};

const InterfaceRows schedules_interface = { "Schedules", rows };

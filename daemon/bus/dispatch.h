/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From a message to an action and back. A method is a row of data: its form says what it takes and gives, its verb
 * says which right it needs, its action what happens. One call, exactly one reply. */

#include "daemon/action/action.h"

typedef enum Form {
        FORM_LIST,           /* a{sv} query → s rows, s next */
        FORM_QUERY,          /* a{sv} query, s format → h */
        FORM_COUNT,          /* a{sv} query → t */
        FORM_GET,            /* s id → a{sv} */
        FORM_DESCRIBE,       /* s id → s */
        FORM_CREATE,         /* a{sv} fields, a{sv} options → s */
        FORM_CHANGE,         /* as ids, a{sv} fields, a{sv} options → s */
        FORM_ACT,            /* s id, a{sv} options → s */
        FORM_FILE_IN,        /* h file, a{sv} fields, a{sv} options → s */
        FORM_EXPORT,         /* a{sv} fields, a{sv} options → s answer, h file */
        FORM_SAVE,           /* s id → h */
        FORM_SUBSCRIBE,      /* as kinds → */
        FORM_ENQUEUE,        /* as kinds → as ids; test builds */
        _FORM_MAX,
} Form;

enum {
        ROW_READS = 1,       /* an action that changes nothing: no savepoint, no audit, no request_id */
        ROW_WORKER = 2,      /* may take long: always on a worker */
        ROW_PICTURE = 4,     /* its fields or options may hold a picture (symbol, logo) */
        ROW_IMPORT = 8,      /* FILE_IN: the file is a customer list */
        ROW_BACKUP = 16,     /* FILE_IN: the descriptor is written to */
        ROW_FILE = 32,       /* SAVE: the answer is a path below the state directory, not the bytes */
        ROW_NAMES = 128,     /* ACT: options.who names a user or group of the host, which a worker looks up */
        ROW_RESTORE = 256,   /* FILE_IN: the file is a backup that takes the database's place */
        ROW_VERIFY = 512,    /* ACT: the option file may be a backup that is looked at */
        ROW_BULK = 64,       /* CHANGE: takes several customers; one of customer_bulk_verbs */
        ROW_SECRET = 1024,   /* its arguments hold a secret: wiped with the call, and by the bus library with the message */
};

typedef struct MethodRow {
        const char *member;                  /* NULL ends a table */
        Form form;
        unsigned flags;
        const char *verb;                    /* NOUN.VERB: the right it needs; NULL is a failure of a test */
        Action action;
        const char *dataset;                 /* LIST, QUERY, COUNT, GET */
        int (*finish)(Context *c, Buffer *rows);     /* LIST: what is still to be put into its rows; NULL: nothing */
        const char *const *options;          /* besides the common ones; NULL: any (the action judges) */
} MethodRow;

typedef struct InterfaceRows {
        const char *name;                    /* "Customers" */
        const MethodRow *rows;
} InterfaceRows;

/* Each defined in its own *-bus.c. */
extern const InterfaceRows manager_interface, partner_interface, customers_interface, views_interface, operations_interface,
        tasks_interface, access_interface, reports_interface, audit_interface, schedules_interface, messages_interface, report_templates_interface, mail_templates_interface;

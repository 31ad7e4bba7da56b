/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What tenantctl can be told to do, as tables: each cmd-<noun>.c holds one Noun. Parser, help, completion and the generic
 * code in run.c read the same rows, so a verb that is pure data needs no code. All strings are static. */

#include "common/macro.h"

typedef struct Command Command;

typedef enum OptionType {
        OPTION_FLAG,         /* --dry-run: no value */
        OPTION_TEXT,
        OPTION_NUMBER,       /* ASCII digits */
        OPTION_SWITCH,       /* on or off */
        OPTION_YES_NO,
        OPTION_LIST,         /* repeatable, commas separate */
        OPTION_TEXTS,        /* repeatable, each value as it is */
        OPTION_PAIRS,        /* repeatable NAME=VALUE */
        OPTION_CONTACTS,     /* repeatable ROLE:ADDRESS[:NAME] */
        OPTION_TIME,         /* RFC 3339, a date, or how long ago: 7d */
        OPTION_FILE,         /* opened for reading and passed as a descriptor */
        OPTION_OPTIONAL,     /* a value only after = : --json, --json=pretty */
} OptionType;

typedef enum OptionPlace {
        TO_PROGRAM,          /* tenantctl's own business */
        TO_FIELDS,
        TO_OPTIONS,
        TO_QUERY,
        TO_SELECTOR,         /* a term of the selector: key is the field; several values are or-ed */
} OptionPlace;

typedef struct Option {
        const char *name;                    /* without the dashes; NULL ends a table */
        OptionType type;
        OptionPlace place;
        const char *key;                     /* wire key or selector field */
        const char *value;                   /* what help calls the value; NULL for flags */
        const char *help;
        const char *const *words;            /* the possible values, for completion and help; NULL: anything */
} Option;

typedef enum Form {
        FORM_READ,           /* Describe(s) */
        FORM_LIST,           /* List and Query */
        FORM_CREATE,         /* (a{sv} fields, a{sv} options) */
        FORM_CHANGE,         /* (as ids, a{sv} fields, a{sv} options) */
        FORM_ACT,            /* (s id, a{sv} options) */
        FORM_FILE_IN,        /* (h, a{sv} fields, a{sv} options) */
        FORM_FILE_OUT,       /* (a{sv} fields, a{sv} options) → (s, h) */
        FORM_OTHER,          /* run says */
} Form;

enum {
        V_BULK = 1,          /* takes several or --filter; asks on a terminal first */
        V_DESTRUCTIVE = 2,   /* needs a yes */
        V_COUNT = 4,         /* a list whose criteria line says "M of N" */
        V_FILTER = 8,        /* --filter, --columns, --sort or --limit are taken beside what the form takes anyway */
        V_COLUMNS = 16,
        V_SORT = 32,
        V_LIMIT = 64,
        V_QUIET_LIST = 128,  /* a list with no selector */
        V_SLOW = 256,        /* the reply may take as long as it takes */
        V_FOLLOW = 512,      /* the answer may be a new operation, which is waited for */
};

typedef struct Verb {
        const char *name;                    /* NULL ends a table */
        Form form;
        const char *interface, *method;      /* "Customers", "Edit" */
        const char *arguments;               /* for help: "CUSTOMER..." */
        int min, max;                        /* number of arguments; max -1: any */
        unsigned flags;
        const Option *options;               /* its own; NULL: none */
        const char *columns;                 /* default text columns of a list, commas between */
        const char *argument_key;            /* CREATE: the field that the first argument is */
        const char *help;
        int (*run)(Command *c);              /* NULL: by form */
} Verb;

typedef struct Noun {
        const char *name;
        const char *plural;                  /* for the criteria line */
        const char *help;
        const Verb *verbs;
} Noun;

extern const Noun noun_schedule, noun_message, noun_report_template, noun_mail_template, noun_role, noun_group;
extern const Noun *const nouns[];            /* NULL-terminated, in the order of help */
extern const Option program_options[];

const Noun *noun_find(const char *name);
const Verb *verb_find(const Noun *noun, const char *name);
/* Whether the verb takes this option of program_options. */
bool verb_takes(const Verb *verb, const Option *option);
/* Whether it means something there: what help and completion show. */
bool verb_uses(const Verb *verb, const Option *option);

extern const Noun noun_partner, noun_customer, noun_view, noun_operation, noun_task, noun_report, noun_audit, noun_event,
        noun_admin;

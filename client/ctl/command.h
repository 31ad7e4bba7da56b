/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One invocation: what was typed, and the connection made for it. Functions of tenantctl answer the exit code that the
 * program shall end with; whoever finds a failure has said so on stderr by fail() before it returns. */

#include "client/ctl/fail.h"
#include "client/ctl/verb.h"
#include "common/memory.h"
#include "common/value.h"

typedef struct sd_bus sd_bus;

typedef struct Given {
        const Option *option;
        const char **values;                 /* as typed, one for each time it was given; "" for a flag */
        size_t n;
} Given;

typedef enum JsonMode { JSON_OFF, JSON_SHORT, JSON_PRETTY } JsonMode;

struct Command {
        Arena *arena;                        /* everything here lives as long */
        const Noun *noun;
        const Verb *verb;
        const char *const *arguments;        /* NULL-terminated */
        size_t n_arguments;
        Given *given;
        size_t n_given;
        JsonMode json;
        bool help, version;
        char **argv;
        int argc;

        sd_bus *bus;                         /* NULL until the first call */
        unsigned connection;                 /* counts the connections made */
        struct Pending *pending;             /* all that were sent */
        const char *request_id;              /* of the change under way; NULL: none yet */
        bool put_off;                        /* it waits for an approval: nothing of it was done */
};

void command_done(Command *c);

/* Fills *c from argv. Nothing is said on stdout. */
int command_parse(Command *c, int argc, char **argv);

const Given *command_given(const Command *c, const char *option);        /* NULL: not given */
bool command_has(const Command *c, const char *option);
const char *command_text(const Command *c, const char *option);          /* the last value, or NULL */
/* All values of a LIST option, split at commas, empty ones dropped. */
const char **command_list(const Command *c, const char *option, size_t *ret_n);

const char **command_split(Command *c, const Given *g, size_t *ret_n);

/* The a{sv} that the options for a place make. file descriptors in it are the caller's: dict_close_fds(). */
int command_dict(Command *c, OptionPlace place, Dict *ret);
/* The selector made of --filter and the terms; NULL if there is none. "" never. */
int command_selector(Command *c, const char **ret);
/* The file's descriptor; "-" is standard input, copied so that it can be sent twice. */
int command_open(Command *c, const char *path, int *ret_fd);
/* Time as people type it. */
int command_time(const char *option, const char *text, int64_t *ret);

Value value_of_string(const char *s);
Value value_of_bool(bool b);
Value value_of_int(int64_t i);
Value value_of_strings(const char **items, size_t n);

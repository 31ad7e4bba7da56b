/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verbs that are pure data: one function a form. */

#include "client/ctl/call.h"

int run_verb(Command *c);                    /* by the verb's own function, else by its form */
int run_read(Command *c);
int run_list(Command *c);

/* What every changing call has in its options: the verb's own, dry_run, revision. */
int run_options(Command *c, Dict *ret);
/* Makes one of these fields and the argument that is a field, if the verb says so. */
int run_on_fields(Command *c, Dict *fields);
/* The verb's change to its first n_ids arguments, or to what --filter picks. */
int run_on_ids(Command *c, size_t n_ids, Dict *fields);
/* Sends the file that the first argument names. */
int run_file_in(Command *c);
/* What the verb's method, as an act on the first argument, says of it; times are shown in the partner's zone from here on. */
int run_asked(Command *c, const char **ret_json);
/* Prints one object as show does. */
int print_object(Command *c, const char *json);
/* Sends a changing call and prints what comes; follows an operation where the verb says so. */
int run_change(Command *c, const Call *what);

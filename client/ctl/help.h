/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Help, made of the tables. */

#include <stdio.h>

#include "client/ctl/command.h"

void help_print(const Command *c, FILE *f);  /* of the verb, else of the noun, else of the program */

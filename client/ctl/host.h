/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* -H HOST: the same command by "ssh HOST tenantctl …". Files stay here: an input file becomes the other side's standard
 * input, an output file is written from its standard output. */

#include "client/ctl/command.h"

int host_run(Command *c);

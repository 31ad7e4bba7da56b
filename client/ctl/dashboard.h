/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A customer's panels: blocks, tables, and bars beside what is counted by day or month. */

#include "client/ctl/command.h"

int dashboard_run(Command *c);

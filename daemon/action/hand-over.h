/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A customer takes its services into its own hands: the letter that tells it so. */

#include "daemon/action/action.h"

int hand_over(Context *c, const Customer *customer);             /* nothing to do for one without a registered account */

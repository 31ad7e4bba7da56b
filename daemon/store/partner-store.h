/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The partner: one row, there from the first change on. */

#include "daemon/model/partner.h"
#include "daemon/store/turn.h"

int partner_load(Db *db, Arena *a, Partner *ret);                /* revision 0 while nothing was set */
int partner_save(Db *db, Partner *p);                            /* the whole row; revision plus one */
int partner_logo_get(Db *db, Buffer *ret);                       /* 1 found, 0 none */
int partner_logo_put(Db *db, const void *bytes, size_t size);    /* after partner_save */

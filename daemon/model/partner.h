/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The partner: the MSP that runs this tenantd. Pure. */

#include "daemon/model/customer.h"

typedef struct Partner {
        int64_t revision;                    /* 0: nothing was set yet */
        const char *name, *account, *sender, *language, *time_zone, *currency;   /* NULL: the default is in force */
        const char *contacts;                /* JSON */
        const char *logo;                    /* {"type":…} or NULL */
} Partner;

#define PARTNER_LANGUAGE_DEFAULT "en"
#define PARTNER_ZONE_DEFAULT "UTC"
#define PARTNER_CURRENCY_DEFAULT "EUR"

extern const Field partner_fields[];

Partner partner_default(void);
/* Fields by wire key: name account sender language time_zone currency contacts clear; logo is the caller's. */
int partner_apply(Arena *a, const CustomerRules *rules, Partner *p, const Dict *fields, Problem *ret);
/* The object of shapes: defaults filled in; sender of none: tenantd@host. */
void partner_write_json(Buffer *b, const Partner *p, const char *host);

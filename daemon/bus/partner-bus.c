/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/partner-action.h"
#include "daemon/bus/dispatch.h"

static const MethodRow rows[] = {
        { "Get", FORM_GET, ROW_READS, "partner.show", partner_show },
        { "Describe", FORM_DESCRIBE, ROW_READS, "partner.show", partner_show },
        { "Set", FORM_ACT, ROW_PICTURE, "partner.set", partner_set, .options = partner_options },
        {},
};

const InterfaceRows partner_interface = { "Partner", rows };

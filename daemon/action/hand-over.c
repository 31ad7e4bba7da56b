/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/time.h"
#include "daemon/action/hand-over.h"
#include "daemon/action/outbox.h"

int hand_over(Context *c, const Customer *customer) {
        char date[TIME_TEXT_SIZE];
        const MailVariable variables[] = { { "organization", customer->organization }, { "date", date_text(c->now, date) }, {} };
        const Letter letter = {
                .event = "hand-over", .address = customer->registered_account, .language = customer->language, .variables = variables, .customer = customer->n,
        };
        return customer->registered_account ? outbox_put(c, &letter, NULL) : 0;
}

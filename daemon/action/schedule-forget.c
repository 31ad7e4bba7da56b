/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>

#include "daemon/action/json-list.h"
#include "daemon/action/schedule-forget.h"
#include "daemon/action/schedule-plan.h"
#include "daemon/model/address.h"
#include "daemon/store/audit-store.h"
#include "daemon/store/customer-store.h"
#include "daemon/store/partner-store.h"

#define WITHOUT "no-recipients: its last recipient was erased with its customer; give it another one, then resume it"

static bool is_contact(Context *c, const char *contacts, const char *key) {
        json_t *array = json_loads(contacts ?: "[]", 0, NULL);
        bool is_one = false;

        for (size_t i = 0; i < json_array_size(array) && !is_one; i++) {
                const char *address = json_string_value(json_object_get(json_array_get(array, i), "address"));
                is_one = address && str_equal(address_key(c->arena, address), key);
        }
        json_decref(array);
        return is_one;
}

/* 1: somebody else has this address, too. */
static int is_of_others(Context *c, int64_t customer, const char *key) {
        int64_t owners[2];
        Partner partner;
        size_t n = 0;

        int r = customer_of_address(c->db, key, owners, ELEMENTSOF(owners), &n);
        for (size_t i = 0; i < n && r >= 0; i++)
                if (owners[i] != customer)
                        return 1;
        if (r >= 0)
                r = partner_load(c->db, c->arena, &partner);
        if (r < 0)
                return r;
        const char *const own[] = { partner.account, partner.sender };
        for (size_t i = 0; i < ELEMENTSOF(own); i++)
                if (own[i] && str_equal(address_key(c->arena, own[i]), key))
                        return 1;
        return is_contact(c, partner.contacts, key) ? 1 : customer_other_contact(c->db, customer, key);
}

static int forget_in(Context *c, Schedule *s, const char *key) {
        char id[ID_TEXT_SIZE];
        size_t n, kept = 0;
        const char **items = json_list_read(c->arena, s->recipients, &n);

        for (size_t i = 0; i < n; i++)
                if (!str_equal(address_key(c->arena, items[i]), key))
                        items[kept++] = items[i];
        s->recipients = json_list(c->arena, items, kept);
        int r = 0;
        if (kept == 0 && str_equal(s->state, "active")) {
                s->state = "paused";
                s->reason = WITHOUT;
                s->next_due = USEC_NONE;
                r = schedule_skip_queued(c, s, "its last recipient was erased with its customer");
        }
        if (r >= 0)
                r = schedule_update(c->db, s);
        /* Who made and edited it stays known; what it was then names the address. */
        return r < 0 ? r : audit_erase_object(c->db, id_text(s->id, id));
}

int schedules_forget_customer(Context *c, int64_t customer) {
        const char *addresses = NULL;
        size_t n = 0;

        int r = customer_addresses(c->db, c->arena, customer, &addresses);
        const char **items = r < 0 || !addresses ? NULL : json_list_read(c->arena, addresses, &n);
        for (size_t i = 0; i < n && r >= 0; i++) {
                const char *key = address_key(c->arena, items[i]);
                Schedule s = {};
                r = schedule_of_recipient(c->db, c->arena, key, 0, &s);
                int others = r > 0 ? is_of_others(c, customer, key) : 0;
                if (others < 0)
                        return others;
                while (r > 0 && others == 0) {
                        r = forget_in(c, &s, key);
                        if (r >= 0)
                                r = schedule_of_recipient(c->db, c->arena, key, s.n, &s);
                }
        }
        return MIN(r, 0);
}

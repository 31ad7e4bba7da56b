/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/model/address.h"
#include "daemon/model/currency.h"
#include "daemon/model/partner.h"
#include "daemon/model/unicode.h"

static int check_address(Arena *a, const Field *f, const char **text, Problem *ret) {
        return address_check(a, f->name, text, ret);
}

static int check_currency(Arena *a, const Field *f, const char **text, Problem *ret) {
        return currency_check(a, f->name, text, ret);
}

static int check_language(Arena *a, const Field *f, const char **text, Problem *ret) {
        return language_check(a, f->name, text, ret);
}

#define TEXT(field, most, judge) \
        { .name = #field, .type = FIELD_TEXT, .flags = F_EDIT | F_CLEAR, .offset = offsetof(Partner, field), .min = 1, .max = most, .check = judge }

const Field partner_fields[] = {
        TEXT(name, 200, text_check_field),   TEXT(account, 254, check_address), TEXT(sender, 254, check_address),
        TEXT(language, 20, check_language),  TEXT(time_zone, 64, text_check_field), TEXT(currency, 3, check_currency),
        {},
};

Partner partner_default(void) {
        return (Partner) { .contacts = "[]" };
}

static int apply_clear(Partner *p, const Dict *fields, Problem *ret) {
        const char *const *names = NULL;
        size_t n = 0;
        int r = dict_strings(fields, "clear", &names, &n, ret);
        if (r != 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                const Field *f = field_find(partner_fields, names[i]);
                if (f)
                        *field_text(f, p) = NULL;
                else if (strcmp(names[i], "contacts") == 0)
                        p->contacts = "[]";
                else if (strcmp(names[i], "logo") == 0)
                        p->logo = NULL;
                else
                        return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "unknown-field", "clear", "the partner has no field %.60s", names[i]);
        }
        return 0;
}

int partner_apply(Arena *a, const CustomerRules *rules, Partner *p, const Dict *fields, Problem *ret) {
        static const char *const keys[] = { "name", "account", "sender", "language", "time_zone", "currency", "contacts", "logo", "clear", NULL };
        int r = dict_check_keys(fields, "the partner", keys, ret);
        if (r == 0)
                r = apply_clear(p, fields, ret);
        for (const Field *f = partner_fields; f->name && r == 0; f++) {
                const char *text = NULL;
                r = dict_string(fields, f->name, &text, ret);
                if (r != 0 || !text)
                        continue;
                r = f->check(a, f, &text, ret);
                if (r == 0)
                        *field_text(f, p) = text;
        }
        const Value *contacts = dict_find(fields, "contacts");
        if (r == 0 && contacts && contacts->type == VALUE_STRINGS && contacts->strings.n == 0)
                p->contacts = "[]";
        else if (r == 0 && contacts && contacts->type != VALUE_MAPS)
                r = value_type_refuse("contacts", contacts, VALUE_MAPS, ret);
        else if (r == 0 && contacts)
                r = contacts_json(a, contacts, &p->contacts, ret);
        if (r == 0 && p->time_zone && dict_find(fields, "time_zone"))
                r = rules->zone_check(rules->userdata, "time_zone", p->time_zone, ret);
        return r;
}

void partner_write_json(Buffer *b, const Partner *p, const char *host) {
        json_put_object_begin(b);
        json_put_key_string(b, "name", p->name);
        json_put_key_string(b, "account", p->account);
        json_put_key(b, "sender");
        if (p->sender) {
                json_put_string(b, p->sender);
        } else {
                Buffer sender = {};
                buffer_printf(&sender, "tenantd@%s", host);
                json_put_string(b, buffer_string(&sender));
                buffer_done(&sender);
        }
        json_put_key_string(b, "language", p->language ?: PARTNER_LANGUAGE_DEFAULT);
        json_put_key_string(b, "time_zone", p->time_zone ?: PARTNER_ZONE_DEFAULT);
        json_put_key_string(b, "currency", p->currency ?: PARTNER_CURRENCY_DEFAULT);
        json_put_key_raw(b, "logo", p->logo, p->logo ? strlen(p->logo) : 0);
        json_put_key_raw(b, "contacts", p->contacts, strlen(p->contacts));
        json_put_key_int(b, "revision", p->revision);
        json_put_object_end(b);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "daemon/model/address.h"
#include "daemon/model/country.h"
#include "daemon/model/customer.h"
#include "daemon/model/unicode.h"

const char *const account_type_names[] = { "m365", "m365-gov", "google", "salesforce", "local", "link", NULL };
const char *const cloud_names[] = { "commercial", "gcc", "gcc-high", "dod", NULL };
const char *const customer_state_names[] = { "invited", "active", "disconnecting", NULL };
const char *const management_mode_names[] = { "partner", "customer", "unset", NULL };
const char *const customer_status_names[] = { "not-applicable", "waiting-for-configuration", "working", "failed",
                                              "finished-with-exception", "multiple-issues", "no-backup-updates", NULL };
const char *const contact_role_names[] = { "billing", "technical", NULL };

static int check_account(Arena *a, const Field *f, const char **text, Problem *ret) {
        return address_check(a, f->name, text, ret);
}

static int check_country(Arena *a, const Field *f, const char **text, Problem *ret) {
        return country_check(a, f->name, text, ret);
}

/* BCP 47 as far as mails need it: two or three letters, an optional script and region. */
int language_check(Arena *a, const char *field, const char **text, Problem *ret) {
        int r = text_check(a, field, TEXT_ONE_LINE, 2, 20, text, ret);
        if (r != 0)
                return r;
        size_t part = 0, parts = 0;
        for (const char *p = *text;; p++) {
                bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (parts > 0 && *p >= '0' && *p <= '9');
                if (letter) {
                        part++;
                        continue;
                }
                if ((*p && *p != '-') || part < 2 || part > (parts == 0 ? 3 : 8))
                        return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "bad-language", field,
                                           "%s must be a language such as de, en-GB or zh-Hant", field);
                if (!*p)
                        return 0;
                part = 0;
                parts++;
        }
}

static int check_language(Arena *a, const Field *f, const char **text, Problem *ret) {
        return language_check(a, f->name, text, ret);
}

#define TEXT(field, what, least, most, how, judge) \
        { .name = field, .type = FIELD_TEXT, .flags = how, .offset = offsetof(Customer, what), .min = least, .max = most, .check = judge }
#define ENUM(field, what, words, how) \
        { .name = field, .type = FIELD_ENUM, .flags = how, .offset = offsetof(Customer, what), .names = words }
#define BOOL(field, what) { .name = field, .type = FIELD_BOOL, .flags = F_EDIT, .offset = offsetof(Customer, what) }

const Field customer_fields[] = {
        TEXT("organization", organization, 1, 200, F_REQUIRED | F_EDIT, text_check_field),
        TEXT("registered_account", registered_account, 3, 254, F_EDIT | F_CLEAR, check_account),
        ENUM("account_type", account_type, account_type_names, 0),
        ENUM("cloud", cloud, cloud_names, F_EDIT | F_CLEAR),
        TEXT("first_name", first_name, 1, 100, F_EDIT | F_CLEAR, text_check_field),
        TEXT("last_name", last_name, 1, 100, F_EDIT | F_CLEAR, text_check_field),
        TEXT("country", country, 2, 2, F_EDIT | F_CLEAR, check_country),
        TEXT("phone", phone, 1, 50, F_EDIT | F_CLEAR, text_check_field),
        TEXT("data_center", data_center, 1, 64, F_EDIT | F_CLEAR, text_check_field),
        TEXT("language", language, 2, 20, F_EDIT | F_CLEAR, check_language),
        TEXT("time_zone", time_zone, 1, 64, F_EDIT | F_CLEAR, text_check_field),
        ENUM("management_mode", management_mode, management_mode_names, F_REQUIRED | F_EDIT),
        TEXT("notification", notification, 1, 200, F_EDIT | F_CLEAR, text_check_field),
        BOOL("deliveries.billing.enabled", billing_enabled),
        TEXT("deliveries.billing.profile", billing_profile, 1, 200, F_EDIT | F_CLEAR, text_check_field),
        BOOL("deliveries.service_reports.enabled", service_reports_enabled),
        {},
};

/* Lists, by wire key. */
static const struct {
        const char *name;
        size_t offset;
        const char *empty;
} lists[] = {
        { "tags", offsetof(Customer, tags), "[]" },
        { "contacts", offsetof(Customer, contacts), "[]" },
        { "custom", offsetof(Customer, custom), "{}" },
        { "deliveries.billing.recipients", offsetof(Customer, billing_recipients), "[]" },
        { "deliveries.service_reports.recipients", offsetof(Customer, service_reports_recipients), "[]" },
};

const char *const customer_wire_keys[] = {
        "organization", "registered_account", "account_type", "cloud", "first_name", "last_name", "country", "phone",
        "data_center", "language", "time_zone", "management_mode", "notification", "deliveries.billing.enabled",
        "deliveries.billing.recipients", "deliveries.billing.profile", "deliveries.service_reports.enabled",
        "deliveries.service_reports.recipients", "tags", "contacts", "custom", "symbol", "clear", "email", NULL,
};

static const char **list_at(Customer *c, size_t i) {
        return (const char **) ((char *) c + lists[i].offset);
}

Customer *customer_new(Arena *a) {
        Customer *c = arena_alloc(a, sizeof(*c));

        *c = (Customer) {
                .account_type = ACCOUNT_LOCAL, .cloud = -1, .state = CUSTOMER_ACTIVE, .management_mode = MODE_PARTNER,
                .status = "not-applicable", .status_reason = "no backup subscription", .services = "[]", .subscriptions = "[]",
                .next_expiration = USEC_NONE, .created = USEC_NONE, .erase_after = USEC_NONE,
        };
        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                *list_at(c, i) = lists[i].empty;
        return c;
}

/* ---- lists ---- */

static int text_compare(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static int apply_tags(Arena *a, Customer *c, const Value *v, Problem *ret) {
        const char **keys = arena_alloc(a, (v->strings.n + 1) * sizeof(*keys));
        const char **tags = arena_alloc(a, (v->strings.n + 1) * sizeof(*tags));
        size_t n = 0;
        Buffer json = {};

        for (size_t i = 0; i < v->strings.n; i++) {
                const char *tag = v->strings.items[i];
                int r = text_check(a, "tags", TEXT_ONE_LINE, 1, TAG_LENGTH_MAX, &tag, ret);
                if (r != 0)
                        return r;
                if (strpbrk(tag, ",;"))
                        return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "bad-tag", "tags",
                                           "the tag \"%s\" holds a comma or semicolon: give it as two tags", tag);
                const char *key = text_key(a, tag);
                bool again = false;
                for (size_t k = 0; k < n; k++)
                        again |= strcmp(keys[k], key) == 0;
                if (again)
                        continue;
                if (n == TAGS_MAX)
                        return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "too-many", "tags", "a customer has at most %d tags", TAGS_MAX);
                keys[n] = key;
                tags[n++] = tag;
        }
        qsort(tags, n, sizeof(*tags), text_compare);
        json_put_array_begin(&json);
        for (size_t i = 0; i < n; i++)
                json_put_string(&json, tags[i]);
        json_put_array_end(&json);
        c->tags = buffer_into(&json, a);
        return 0;
}

static int put_contact(Arena *a, Buffer *json, const Dict *d, Problem *ret) {
        static const char *const keys[] = { "name", "address", "language", "role", NULL };
        const char *name = NULL, *address = NULL, *language = NULL, *role = NULL;
        int r = dict_check_keys(d, "a contact", keys, ret);

        if (r == 0)
                r = dict_string(d, "name", &name, ret);
        if (r == 0)
                r = dict_string(d, "address", &address, ret);
        if (r == 0)
                r = dict_string(d, "language", &language, ret);
        if (r == 0)
                r = dict_string(d, "role", &role, ret);
        if (r != 0)
                return r;
        if (str_empty(address) || str_empty(role) || names_find(contact_role_names, role) < 0)
                return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "bad-contact", "contacts",
                                   "a contact needs an address and a role, billing or technical");
        r = address_check(a, "contacts", &address, ret);
        if (r == 0 && !str_empty(name))
                r = text_check(a, "contacts", TEXT_ONE_LINE, 1, 200, &name, ret);
        if (r == 0 && !str_empty(language))
                r = language_check(a, "contacts", &language, ret);
        if (r != 0)
                return r;
        json_put_object_begin(json);
        json_put_key_string(json, "name", str_empty(name) ? NULL : name);
        json_put_key_string(json, "address", address);
        json_put_key_string(json, "language", str_empty(language) ? NULL : language);
        json_put_key_string(json, "role", role);
        json_put_object_end(json);
        return 0;
}

int contacts_json(Arena *a, const Value *v, const char **ret_json, Problem *ret) {
        Buffer json = {};
        int r = 0;

        if (v->maps.n > CONTACTS_MAX)
                return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "too-many", "contacts", "there are at most %d contacts", CONTACTS_MAX);
        json_put_array_begin(&json);
        for (size_t i = 0; i < v->maps.n && r == 0; i++)
                r = put_contact(a, &json, &v->maps.items[i], ret);
        json_put_array_end(&json);
        if (r == 0)
                *ret_json = arena_strdup(a, buffer_string(&json));
        buffer_done(&json);
        return r;
}

static int apply_custom(Arena *a, Customer *c, const Value *v, Problem *ret) {
        Dict checked = {};

        if (v->map->n > CUSTOM_MAX)
                return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "too-many", "custom", "a customer has at most %d custom fields", CUSTOM_MAX);
        for (size_t i = 0; i < v->map->n; i++) {
                const char *name = v->map->entries[i].key, *value = v->map->entries[i].value.string;
                int r = text_check(a, "custom", TEXT_ONE_LINE, 1, CUSTOM_NAME_MAX, &name, ret);
                if (r == 0)
                        r = text_check(a, "custom", TEXT_ONE_LINE, 0, CUSTOM_VALUE_MAX, &value, ret);
                if (r != 0)
                        return r;
                if (dict_find(&checked, name))
                        return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "twice", "custom", "the custom field \"%s\" was given twice", name);
                dict_add(a, &checked, name, (Value) { VALUE_STRING, .string = value });
        }
        Buffer json = {};
        dict_write_json(&json, &checked);
        c->custom = buffer_into(&json, a);
        return 0;
}

static int apply_recipients(Arena *a, const char *field, const char **list, const Value *v, Problem *ret) {
        const char **items;
        size_t n;
        int r = address_list_check(a, field, v->strings.items, v->strings.n, RECIPIENTS_MAX, &items, &n, ret);
        if (r != 0)
                return r;
        Buffer json = {};
        json_put_array_begin(&json);
        for (size_t i = 0; i < n; i++)
                json_put_string(&json, items[i]);
        json_put_array_end(&json);
        *list = buffer_into(&json, a);
        return 0;
}

static int apply_list(Arena *a, Customer *c, size_t i, const Value *v, Problem *ret) {
        static const ValueType types[] = { VALUE_STRINGS, VALUE_MAPS, VALUE_MAP, VALUE_STRINGS, VALUE_STRINGS };

        /* An empty list of anything looks alike in JSON. */
        bool empty = v->type == VALUE_STRINGS && v->strings.n == 0;
        if (empty && types[i] != VALUE_MAP) {
                *list_at(c, i) = lists[i].empty;
                return 0;
        }
        if (v->type != types[i])
                return value_type_refuse(lists[i].name, v, types[i], ret);
        switch (i) {
        case 0:
                return apply_tags(a, c, v, ret);
        case 1:
                return contacts_json(a, v, &c->contacts, ret);
        case 2:
                return apply_custom(a, c, v, ret);
        default:
                return apply_recipients(a, lists[i].name, list_at(c, i), v, ret);
        }
}

/* ---- scalars ---- */

static int apply_text(Arena *a, const Field *f, Customer *c, const Value *v, Problem *ret) {
        if (v->type != VALUE_STRING)
                return value_type_refuse(f->name, v, VALUE_STRING, ret);
        const char *text = v->string;
        int r = f->check(a, f, &text, ret);
        if (r == 0)
                *field_text(f, c) = text;
        return r;
}

static int apply_field(Arena *a, const Field *f, Customer *c, const Value *v, Problem *ret) {
        switch (f->type) {
        case FIELD_TEXT:
                return apply_text(a, f, c, v, ret);
        case FIELD_ENUM: {
                if (v->type != VALUE_STRING)
                        return value_type_refuse(f->name, v, VALUE_STRING, ret);
                int i = names_find(f->names, v->string);
                if (i < 0) {
                        Buffer words = {};
                        names_join(&words, f->names);
                        problem_set(ret, PROBLEM_INVALID_ARGUMENT, "unknown-word", f->name, "%s is \"%.60s\", but must be %s", f->name,
                                    v->string, buffer_string(&words));
                        buffer_done(&words);
                        return 1;
                }
                *field_enum(f, c) = i;
                return 0;
        }
        case FIELD_BOOL:
                if (v->type != VALUE_BOOL)
                        return value_type_refuse(f->name, v, VALUE_BOOL, ret);
                *field_bool(f, c) = v->boolean;
                return 0;
        case FIELD_INT:
        case FIELD_TIME:
                break;
        }
        return -EINVAL;
}

static int clear_one(Customer *c, const char *name, Problem *ret) {
        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                if (strcmp(lists[i].name, name) == 0) {
                        *list_at(c, i) = lists[i].empty;
                        return 0;
                }
        if (strcmp(name, "symbol") == 0) {
                c->symbol = NULL;
                return 0;
        }
        const Field *f = field_find(customer_fields, name);
        if (!f)
                return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "unknown-field", "clear", "a customer has no field %.60s to clear", name);
        if (!(f->flags & F_CLEAR))
                return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "cannot-clear", name, "%s cannot be empty", name);
        if (f->type == FIELD_TEXT)
                *field_text(f, c) = NULL;
        else
                *field_enum(f, c) = -1;
        return 0;
}

static int apply_clear(Customer *c, const Dict *fields, Problem *ret) {
        const char *const *names = NULL;
        size_t n = 0;
        int r = dict_strings(fields, "clear", &names, &n, ret);
        for (size_t i = 0; i < n && r == 0; i++) {
                if (dict_find(fields, names[i]))
                        return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "set-and-cleared", names[i], "%.60s is given and cleared in one call", names[i]);
                r = clear_one(c, names[i], ret);
        }
        return r;
}

/* Where the invitation goes: nothing of the customer's own. */
static int check_email(Arena *a, const Customer *c, const Dict *fields, bool at_creation, Problem *ret) {
        const char *email = NULL;
        int r = dict_string(fields, "email", &email, ret);
        if (r != 0 || !email)
                return r;
        if (!at_creation || c->account_type == ACCOUNT_LOCAL)
                return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "no-invitation", "email", "email is where an invitation goes, and %s has none",
                                   at_creation ? "a local customer" : "a customer who is there");
        return address_check(a, "email", &email, ret);
}

static void make_keys(Arena *a, Customer *c) {
        c->organization_key = c->organization ? text_key(a, c->organization) : NULL;
        c->account_key = c->registered_account ? address_key(a, c->registered_account) : NULL;
}

int customer_apply(Arena *a, const CustomerRules *rules, Customer *c, const Dict *fields, bool at_creation, Problem *ret) {
        const char *account = c->account_key;
        int r = dict_check_keys(fields, "a customer", customer_wire_keys, ret);
        if (r == 0)
                r = apply_clear(c, fields, ret);

        for (const Field *f = customer_fields; f->name && r == 0; f++) {
                const Value *v = dict_find(fields, f->name);
                if (!v)
                        continue;
                if (!(f->flags & F_EDIT) && !at_creation)
                        return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "not-editable", f->name, "%s cannot be changed", f->name);
                r = apply_field(a, f, c, v, ret);
        }
        for (size_t i = 0; i < ELEMENTSOF(lists) && r == 0; i++) {
                const Value *v = dict_find(fields, lists[i].name);
                if (v)
                        r = apply_list(a, c, i, v, ret);
        }
        if (r == 0 && c->time_zone && dict_find(fields, "time_zone"))
                r = rules->zone_check(rules->userdata, "time_zone", c->time_zone, ret);
        if (r == 0)
                r = check_email(a, c, fields, at_creation, ret);
        if (r != 0)
                return r;
        make_keys(a, c);
        if (!str_equal(account, c->account_key))
                c->account_verified = false;
        return 0;
}

static int missing(Problem *ret, const char *field, const char *why) {
        return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "missing", field, "%s is missing: %s", field, why);
}

int customer_check(const Customer *c, Problem *ret) {
        static const char local_needs[] = "a local customer needs organization, registered_account, first_name, last_name and country";
        bool microsoft = c->account_type == ACCOUNT_M365 || c->account_type == ACCOUNT_M365_GOV;

        if (str_empty(c->organization))
                return missing(ret, "organization", c->account_type == ACCOUNT_LOCAL ? local_needs : "a customer needs a name");
        if (c->account_type == ACCOUNT_LOCAL) {
                if (str_empty(c->registered_account))
                        return missing(ret, "registered_account", local_needs);
                if (str_empty(c->first_name))
                        return missing(ret, "first_name", local_needs);
                if (str_empty(c->last_name))
                        return missing(ret, "last_name", local_needs);
                if (str_empty(c->country))
                        return missing(ret, "country", local_needs);
        }
        if (c->cloud >= 0 && !microsoft)
                return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "no-cloud", "cloud", "only a Microsoft 365 customer (m365, m365-gov) has a cloud");
        if (c->billing_enabled && strcmp(c->billing_recipients, "[]") == 0)
                return problem_set(ret, PROBLEM_REFUSED, "no-recipients", "deliveries.billing.recipients",
                                   "billing reports are on but nobody gets them: give deliveries.billing.recipients");
        if (c->billing_enabled && str_empty(c->billing_profile))
                return problem_set(ret, PROBLEM_REFUSED, "no-profile", "deliveries.billing.profile",
                                   "billing reports are on without a billing profile: give deliveries.billing.profile");
        if (c->service_reports_enabled && strcmp(c->service_reports_recipients, "[]") == 0)
                return problem_set(ret, PROBLEM_REFUSED, "no-recipients", "deliveries.service_reports.recipients",
                                   "service reports are on but nobody gets them: give deliveries.service_reports.recipients");
        return 0;
}

/* ---- what changed ---- */

static void put_list(Buffer *b, const char *name, const char *json) {
        json_put_key_raw(b, name, json, json ? strlen(json) : 0);
}

void customer_difference(const Customer *old, const Customer *new, Buffer *ret_before, Buffer *ret_after) {
        json_put_object_begin(ret_before);
        json_put_object_begin(ret_after);
        for (const Field *f = customer_fields; f->name; f++) {
                if (field_equal(f, old, new))
                        continue;
                json_put_key(ret_before, f->name);
                json_put_field(ret_before, f, old);
                json_put_key(ret_after, f->name);
                json_put_field(ret_after, f, new);
        }
        for (size_t i = 0; i < ELEMENTSOF(lists); i++) {
                const char *x = *list_at((Customer *) old, i), *y = *list_at((Customer *) new, i);
                if (str_equal(x, y))
                        continue;
                put_list(ret_before, lists[i].name, x);
                put_list(ret_after, lists[i].name, y);
        }
        if (!str_equal(old->symbol, new->symbol)) {
                put_list(ret_before, "symbol", old->symbol);
                put_list(ret_after, "symbol", new->symbol);
        }
        if (old->state != new->state) {
                json_put_key_string(ret_before, "state", customer_state_names[old->state]);
                json_put_key_string(ret_after, "state", customer_state_names[new->state]);
        }
        if (old->expired_hidden != new->expired_hidden) {
                json_put_key_bool(ret_before, "expired_hidden", old->expired_hidden);
                json_put_key_bool(ret_after, "expired_hidden", new->expired_hidden);
        }
        json_put_object_end(ret_before);
        json_put_object_end(ret_after);
}

bool customer_equal(const Customer *old, const Customer *new) {
        Buffer before = {}, after = {};
        customer_difference(old, new, &before, &after);
        bool equal = before.size == 2;
        buffer_done(&before);
        buffer_done(&after);
        return equal;
}

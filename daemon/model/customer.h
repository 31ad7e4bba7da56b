/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An organization the partner manages: what it is made of and which values it may have. Pure. */

#include "common/field.h"
#include "common/id.h"

enum {
        TAGS_MAX = 32,
        TAG_LENGTH_MAX = 64,
        CUSTOM_MAX = 20,
        CUSTOM_NAME_MAX = 64,
        CUSTOM_VALUE_MAX = 1000,
        CONTACTS_MAX = 20,
        RECIPIENTS_MAX = 50,
        SYMBOL_BYTES_MAX = 256 << 10,
        SYMBOL_SIDE_MAX = 1024,
};

typedef enum AccountType {
        ACCOUNT_M365, ACCOUNT_M365_GOV, ACCOUNT_GOOGLE, ACCOUNT_SALESFORCE, ACCOUNT_LOCAL, ACCOUNT_LINK,
} AccountType;
typedef enum CustomerState { CUSTOMER_INVITED, CUSTOMER_ACTIVE, CUSTOMER_DISCONNECTING } CustomerState;
typedef enum ManagementMode { MODE_PARTNER, MODE_CUSTOMER, MODE_UNSET } ManagementMode;

extern const char *const account_type_names[];
extern const char *const cloud_names[];
extern const char *const customer_state_names[];
extern const char *const management_mode_names[];
extern const char *const customer_status_names[];
extern const char *const contact_role_names[];

/* Lists are JSON texts in their final form: what is stored is what is shown. "[]" or "{}" when empty. */
typedef struct Customer {
        int64_t n;                           /* internal key; 0: not stored yet */
        Id id;
        int64_t revision;
        const char *organization, *organization_key;
        const char *registered_account, *account_key;   /* NULL: none */
        bool account_verified;
        int account_type, cloud;             /* cloud -1: none */
        const char *first_name, *last_name, *country, *phone, *data_center, *language, *time_zone;
        const char *tags, *contacts, *custom;
        const char *symbol;                  /* {"type":…}; NULL: none */
        int state, management_mode;
        const char *status, *status_reason;
        bool expired_hidden;
        const char *services, *subscriptions;
        int64_t tenants, open_tickets;
        Usec next_expiration, created;
        const char *notification;
        bool billing_enabled;
        const char *billing_recipients, *billing_profile;
        bool service_reports_enabled;
        const char *service_reports_recipients;
        const char *before_disconnect;       /* JSON of what reconnect brings back; NULL unless disconnecting */
        Usec erase_after;                    /* USEC_NONE unless disconnecting */
} Customer;

/* The scalars that a caller may give; the rest is in customer_apply(). */
extern const Field customer_fields[];

Customer *customer_new(Arena *a);            /* everything empty, lists "[]" and "{}", status not-applicable */

/* What rules need from outside the model. For the loop thread alone: what is found is kept. */
typedef struct CustomerRules {
        /* 1: *ret says what is wrong; 0: the name is one of the installed tzdata. */
        int (*zone_check)(void *userdata, const char *field, const char *name, Problem *ret);
        void *userdata;
} CustomerRules;

/* Writes the given fields (wire keys) into *c: checked, normalised, keys made. "clear" (as) empties fields. Unknown keys
 * are refused by name. at_creation: account_type may be given too. Does not look at other customers. */
int customer_apply(Arena *a, const CustomerRules *rules, Customer *c, const Dict *fields, bool at_creation, Problem *ret);

/* What must be true of a whole customer: required fields for its kind, deliveries with recipients and profile. */
int customer_check(const Customer *c, Problem *ret);

/* Changed scalars and lists as two JSON objects {"country":"DE"} and {"country":"AT"}; "{}" if nothing differs. */
void customer_difference(const Customer *old, const Customer *new, Buffer *ret_before, Buffer *ret_after);
bool customer_equal(const Customer *old, const Customer *new);

int language_check(Arena *a, const char *field, const char **text, Problem *ret);

/* A list of contacts, checked, as JSON; the partner has the same. */
int contacts_json(Arena *a, const Value *v, const char **ret_json, Problem *ret);

/* Every key that the fields of onboard and edit may have, NULL-terminated. */
extern const char *const customer_wire_keys[];

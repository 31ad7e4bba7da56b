/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/action/access.h"
#include "daemon/action/customer-action.h"
#include "daemon/action/customer-change.h"
#include "daemon/action/resolve.h"
#include "daemon/model/country.h"
#include "daemon/store/customer-store.h"

static int symbol_apply(Context *c, const Request *request, Customer *customer, Problem *problem) {
        if (!dict_find(request->fields, "symbol"))
                return 0;
        if (!request->picture || !request->file)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "wrong-type", "symbol", "symbol must be a file descriptor (h) of a PNG or JPEG");
        customer->symbol = arena_strdup(c->arena, request->picture);
        return 0;
}

/* ---- onboard ---- */

static void creation_defaults(Customer *new, const Dict *fields) {
        if (new->account_type == ACCOUNT_LOCAL)
                return;
        new->state = CUSTOMER_INVITED;
        if (!dict_find(fields, "management_mode"))
                new->management_mode = MODE_UNSET;
}

static int create(Context *c, const Request *request, Customer *new, Problem *problem) {
        int r = customer_apply(c->arena, c->rules, new, request->fields, true, problem);
        if (r != 0)
                return r;
        creation_defaults(new, request->fields);
        r = customer_check(new, problem);
        if (r == 0)
                r = symbol_apply(c, request, new, problem);
        if (r == 0)
                r = customer_references_exist(customer_new(c->arena), new, problem);
        if (r == 0)
                r = customer_account_free(c, new, problem);
        if (r != 0)
                return r;
        new->id = id_new();
        new->created = c->now;
        r = customer_insert(c->db, new);
        if (r >= 0 && new->symbol)
                r = customer_symbol_put(c->db, new->n, request->file->data, request->file->size);
        if (r < 0)
                return r;
        Buffer before = {}, after = {};
        customer_difference(customer_new(c->arena), new, &before, &after);
        buffer_done(&before);
        customer_trail(c, new, NULL, buffer_into(&after, c->arena));
        customer_changed(c, new->id);
        r = access_customer(c, new->n);
        if (r != 0)
                return MIN(r, 0);
        /* It is taken back, and its number and id are nobody's, or the next one's. */
        c->trail = (Trail) { .operation = c->trail.operation };
        return problem_set(problem, PROBLEM_REFUSED, "outside-scope", NULL,
                           "you could not see %s: your role is for other customers, so give it what they have (a tag, a country …)", new->organization);
}

int customer_onboard(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        Customer *new = customer_new(c->arena);
        int r = create(c, request, new, problem);
        c->trail.organization = new->organization;
        /* What a dry run made is gone again: it has no id. */
        if (request_dry_run(request))
                c->trail.customer = 0;
        if (r != 0)
                return r;
        json_put_object_begin(answer);
        json_put_key_id(answer, "id", new->id);
        json_put_key_int(answer, "revision", new->revision);
        if (new->state == CUSTOMER_INVITED) {
                json_put_key_null(answer, "url");
                json_put_key_string(answer, "note", "invitations are not available yet: the customer is kept as invited");
        }
        json_put_object_end(answer);
        return 0;
}

/* ---- edit and its kin ---- */

static int load_for_change(Context *c, int64_t n, const Request *request, Customer **ret_old, Customer **ret_new, Problem *problem) {
        Customer *old;
        int r = customer_load(c->db, c->arena, n, &old);
        if (r < 0)
                return r;
        if (r == 0)
                return problem_set(problem, PROBLEM_NOT_FOUND, "no-such-customer", NULL, "the customer is gone");
        customer_trail(c, old, NULL, NULL);
        r = request_check_revision(request, old->revision, problem);
        if (r != 0)
                return r;
        *ret_old = old;
        *ret_new = arena_alloc(c->arena, sizeof(**ret_new));
        **ret_new = *old;
        return 0;
}

static int edit_item(Context *c, int64_t n, const Request *request, ItemResult *ret, Problem *problem) {
        Customer *old, *new;
        int r = load_for_change(c, n, request, &old, &new, problem);
        if (r == 0)
                r = customer_apply(c->arena, c->rules, new, request->fields, false, problem);
        if (r == 0)
                r = symbol_apply(c, request, new, problem);
        if (r == 0)
                r = customer_may_set_mode(c, old, new, problem);
        return r != 0 ? r : customer_commit(c, request, old, new, ret, problem);
}

static int mode_item(Context *c, int64_t n, const Request *request, ItemResult *ret, Problem *problem) {
        static const char *const keys[] = { "mode", NULL };
        const char *mode = NULL;
        Customer *old, *new;
        int r = load_for_change(c, n, request, &old, &new, problem);
        if (r == 0)
                r = dict_check_keys(request->fields, "mode", keys, problem);
        if (r == 0)
                r = dict_string(request->fields, "mode", &mode, problem);
        if (r != 0)
                return r;
        int wanted = mode ? names_find(management_mode_names, mode) : -1;
        if (wanted < 0)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, mode ? "unknown-word" : "missing", "mode", "mode must be partner, customer or unset");
        new->management_mode = wanted;
        r = customer_mode_allowed(old, new, problem);
        return r != 0 ? r : customer_commit(c, request, old, new, ret, problem);
}

static const char *const no_fields[] = { NULL };

static int hide_or_show(Context *c, int64_t n, const Request *request, bool hide, ItemResult *ret, Problem *problem) {
        Customer *old, *new;
        int r = load_for_change(c, n, request, &old, &new, problem);
        if (r == 0)
                r = dict_check_keys(request->fields, hide ? "hide-expired" : "show-expired", no_fields, problem);
        if (r != 0)
                return r;
        new->expired_hidden = hide;
        return customer_commit(c, request, old, new, ret, problem);
}

static int hide_item(Context *c, int64_t n, const Request *request, ItemResult *ret, Problem *problem) {
        return hide_or_show(c, n, request, true, ret, problem);
}

static int show_item(Context *c, int64_t n, const Request *request, ItemResult *ret, Problem *problem) {
        return hide_or_show(c, n, request, false, ret, problem);
}

/* A pin belongs to its caller; the customer itself does not change. */
static int pin_or_unpin(Context *c, int64_t n, const Request *request, bool pin, ItemResult *ret, Problem *problem) {
        Customer *old, *new;
        int r = load_for_change(c, n, request, &old, &new, problem);
        if (r == 0)
                r = dict_check_keys(request->fields, pin ? "pin" : "unpin", no_fields, problem);
        if (r != 0)
                return r;
        r = pin ? customer_pin(c->db, c->caller->uid, n, c->now) : customer_unpin(c->db, c->caller->uid, n);
        if (r < 0)
                return r;
        customer_trail(c, old, NULL, pin ? "{\"pinned\":true}" : "{\"pinned\":false}");
        customer_changed(c, old->id);
        customer_result(ret, old, c);
        return 0;
}

static int pin_item(Context *c, int64_t n, const Request *request, ItemResult *ret, Problem *problem) {
        return pin_or_unpin(c, n, request, true, ret, problem);
}

static int unpin_item(Context *c, int64_t n, const Request *request, ItemResult *ret, Problem *problem) {
        return pin_or_unpin(c, n, request, false, ret, problem);
}

const BulkVerb customer_bulk_verbs[] = {
        { "customer.edit", edit_item }, { "customer.mode", mode_item },        { "customer.pin", pin_item },
        { "customer.unpin", unpin_item }, { "customer.hide-expired", hide_item }, { "customer.show-expired", show_item },
        {},
};

int customer_edit(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        return bulk_change(c, &customer_bulk_verbs[0], request, answer, problem);
}

int customer_mode(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        return bulk_change(c, &customer_bulk_verbs[1], request, answer, problem);
}

int customer_pin_action(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        return bulk_change(c, &customer_bulk_verbs[2], request, answer, problem);
}

int customer_unpin_action(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        return bulk_change(c, &customer_bulk_verbs[3], request, answer, problem);
}

int customer_hide_expired(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        return bulk_change(c, &customer_bulk_verbs[4], request, answer, problem);
}

int customer_show_expired(Context *c, const Request *request, Buffer *answer, Problem *problem) {
        return bulk_change(c, &customer_bulk_verbs[5], request, answer, problem);
}

/* ---- import ---- */

/* 1 found; 2 refused. Names are not unique: one that the caller may not see is nobody's. */
static int line_find(Context *c, const Customer *given, int64_t *ret_n, Problem *problem) {
        if (given->account_key)
                return customer_find_account(c->db, given->account_key, ret_n);
        int r = customer_by_organization(c, given->organization, ret_n);
        if (r > 1)
                return problem_set(problem, PROBLEM_AMBIGUOUS, "ambiguous", "organization", "%s names several customers: give registered_account",
                                   given->organization) * 2;
        return r;
}

static void name_fields(Buffer *names, const char *json) {
        /* The keys of our own flat object: {"country":…,"phone":…}. */
        int depth = 0;
        for (const char *p = json; *p; p++) {
                if (*p == '"') {
                        const char *start = ++p;
                        for (; *p != '"'; p++)
                                if (*p == '\\')
                                        p++;
                        if (depth == 1 && p[1] == ':')
                                buffer_printf(names, "%s%.*s", names->size ? ", " : "", (int) (p - start), start);
                } else if (*p == '{' || *p == '[')
                        depth++;
                else if (*p == '}' || *p == ']')
                        depth--;
        }
}

static int line_existing(Context *c, const CustomerLine *line, int64_t n, ItemResult *ret, Problem *problem) {
        const Request request = { .id = "", .fields = line->fields, .options = &(Dict) {} };
        Customer *old, *new;
        int r = load_for_change(c, n, &request, &old, &new, problem);
        if (r != 0)
                return r;
        Dict fields = {};
        for (size_t i = 0; i < line->fields->n; i++)
                if (strcmp(line->fields->entries[i].key, "account_type") != 0)
                        dict_add(c->arena, &fields, line->fields->entries[i].key, line->fields->entries[i].value);
        const Value *type = dict_find(line->fields, "account_type");
        if (type && type->type == VALUE_STRING && strcmp(type->string, account_type_names[old->account_type]) != 0)
                return problem_set(problem, PROBLEM_REFUSED, "already-managed", "account_type", "the customer is there with account_type %s",
                                   account_type_names[old->account_type]);
        r = customer_apply(c->arena, c->rules, new, &fields, false, problem);
        if (r != 0)
                return r;
        /* Another spelling of the same address is the same address. */
        if (str_equal(old->account_key, new->account_key))
                new->registered_account = old->registered_account;
        if (customer_equal(old, new)) {
                customer_trail(c, old, NULL, NULL);
                customer_result(ret, old, c);
                ret->reason = "exists";
                return 0;
        }
        if (!line->update) {
                Buffer before = {}, after = {}, names = {};
                customer_difference(old, new, &before, &after);
                name_fields(&names, buffer_string(&after));
                problem_set(problem, PROBLEM_REFUSED, "already-managed", NULL, "%s is there and differs in %s: import with --update to change it",
                            old->organization, buffer_string(&names));
                buffer_done(&before);
                buffer_done(&after);
                buffer_done(&names);
                return 1;
        }
        r = customer_may_set_mode(c, old, new, problem);
        return r != 0 ? r : customer_commit(c, &request, old, new, ret, problem);
}

/* Somebody else's: told as much as the account's being taken tells. 2, with the problem. */
static int hidden(Problem *problem) {
        return problem_set(problem, PROBLEM_EXISTS, "already-managed", NULL, "this account is managed already") * 2;
}

int customer_import_line(Context *c, const CustomerLine *line, ItemResult *ret, Problem *problem) {
        const Request request = { .id = "", .fields = line->fields, .options = &(Dict) {} };
        Customer *new = customer_new(c->arena);
        int64_t n = 0;

        int r = customer_apply(c->arena, c->rules, new, line->fields, true, problem);
        if (r != 0)
                return r;
        if (!new->organization && !new->account_key)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "missing", "organization", "the line has no organization");
        r = new->organization || new->account_key ? line_find(c, new, &n, problem) : 0;
        if (r < 0)
                return r;
        if (r == 2)
                return 1;
        if (r == 1)
                r = access_customer(c, n) ?: hidden(problem);
        if (r == 1)
                return line_existing(c, line, n, ret, problem);
        if (r != 0)
                return r < 0 ? r : 1;
        new = customer_new(c->arena);
        r = create(c, &request, new, problem);
        if (r != 0)
                return r;
        customer_result(ret, new, c);
        return 0;
}

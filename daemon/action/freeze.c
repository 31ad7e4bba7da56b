/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/action/access.h"
#include "daemon/action/freeze.h"
#include "daemon/action/resolve.h"
#include "daemon/model/unicode.h"
#include "daemon/store/report-template-store.h"
#include "daemon/store/role-store.h"

/* ---- one name ---- */

static int customer_id(Context *c, const char *name, Id *ret) {
        const char *organization;
        int64_t n = 0;
        Problem gone;

        int r = customer_resolve(c, name, &n, &gone);
        return r == 0 ? customer_identity(c, n, ret, &organization) : MIN(r, 0);
}

static int report_template_id(Context *c, const char *name, Id *ret) {
        ReportTemplate t;
        int r = report_template_find(c->db, c->arena, name, &t);
        r = access_found(c, "report-templates", &t.n, r);
        if (r > 0)
                *ret = t.id;
        return r;
}

static int role_id(Context *c, const char *name, Id *ret) {
        Problem ignored;
        Role role;

        (void) text_check(c->arena, "id", TEXT_ONE_LINE, 1, 200, &name, &ignored);
        int r = role_find(c->db, c->arena, name, &role);
        if (r > 0)
                *ret = role.id;
        return r;
}

typedef int (*FindId)(Context *c, const char *name, Id *ret);        /* 1 found, 0 not */

/* The trial has found it: if it is not there now, something is wrong. */
static int id_of(Context *c, FindId find, const char *name, const char **ret) {
        Id id;
        int r = find(c, name, &id);
        if (r <= 0)
                return r < 0 ? r : -EIO;
        *ret = id_text(id, arena_alloc(c->arena, ID_TEXT_SIZE));
        return 0;
}

/* ---- fields and options ---- */

static const struct {
        const char *verb, *key;
        bool option;
        FindId find;
} references[] = {
        { "report.generate", "template", true, report_template_id },
        { "report-template.create", "customers", false, customer_id },
        { "report-template.edit", "customers", false, customer_id },
        { "role.create", "from", false, role_id },
        { "schedule.create", "customer", false, customer_id },
        { "schedule.create", "template", false, report_template_id },
        { "schedule.edit", "customer", false, customer_id },
        { "schedule.edit", "template", false, report_template_id },
};

static FindId reference_find(const char *verb, const char *key, bool option) {
        for (size_t i = 0; i < ELEMENTSOF(references); i++)
                if (references[i].option == option && str_equal(references[i].verb, verb) && str_equal(references[i].key, key))
                        return references[i].find;
        return NULL;
}

static int freeze_value(Context *c, FindId find, Value *v) {
        int r = 0;

        if (v->type == VALUE_STRING && !str_empty(v->string))
                return id_of(c, find, v->string, &v->string);
        if (v->type != VALUE_STRINGS)
                return 0;
        const char **ids = arena_alloc(c->arena, (v->strings.n + 1) * sizeof(*ids));
        for (size_t i = 0; i < v->strings.n && r == 0; i++)
                r = id_of(c, find, v->strings.items[i], &ids[i]);
        v->strings.items = ids;
        return r;
}

static int freeze_dict(Context *c, const char *verb, bool option, const Dict *names, Dict *ids) {
        int r = 0;

        for (size_t i = 0; i < names->n && r == 0; i++) {
                Value v = names->entries[i].value;
                FindId find = reference_find(verb, names->entries[i].key, option);
                if (find)
                        r = freeze_value(c, find, &v);
                dict_add(c->arena, ids, names->entries[i].key, v);
        }
        return r;
}

/* ---- what it is about ---- */

/* A role, a view … was found by the trial, which left its id; customers are looked for here. */
static int freeze_objects(Context *c, const char *verb, Request *request, OperationItem *item) {
        static const char *const nouns[] = { "group.", "report-template.", "role.", "schedule.", "view." };
        bool customers = str_starts(verb, "customer.") || str_equal(verb, "report.generate");
        const char **ids = arena_alloc(c->arena, (request->n_ids + 1) * sizeof(*ids));
        size_t n = request->n_ids + !str_empty(request->id);
        Problem gone;
        Id id;

        for (size_t i = 0; i < n; i++) {
                const char *reference = i < request->n_ids ? request->ids[i] : request->id;
                if (customers) {
                        int r = customer_resolve(c, reference, &item->customer, &gone);
                        if (r == 0)
                                r = customer_identity(c, item->customer, &id, &item->organization) > 0 ? 0 : -EIO;
                        if (r != 0)
                                return r < 0 ? r : -EIO;
                        reference = id_text(id, arena_alloc(c->arena, ID_TEXT_SIZE));
                }
                for (size_t k = 0; k < ELEMENTSOF(nouns); k++)
                        if (str_starts(verb, nouns[k]) && n == 1 && c->trail.object && id_parse(c->trail.object, &id))
                                reference = c->trail.object;
                if (i < request->n_ids)
                        ids[i] = reference;
                else
                        request->id = reference;
        }
        request->ids = ids;
        if (n == 1 && customers) {
                Id *kept = arena_alloc(c->arena, sizeof(*kept));
                *kept = id;
                item->customer_id = kept;
        } else {
                item->customer = 0;
                item->organization = NULL;
        }
        return 0;
}

int freeze(Context *c, const char *verb, Request *request, int64_t revision, OperationItem *item) {
        Dict *d = arena_alloc(c->arena, 2 * sizeof(*d));

        int r = freeze_objects(c, verb, request, item);
        if (r == 0)
                r = freeze_dict(c, verb, false, request->fields, &d[0]);
        if (r == 0)
                r = freeze_dict(c, verb, true, request->options, &d[1]);
        if (r != 0)
                return r;
        if (revision > 0 && !dict_find(&d[1], "revision"))
                dict_add(c->arena, &d[1], "revision", (Value) { VALUE_INT, .integer = revision });
        request->fields = &d[0];
        request->options = &d[1];
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/model/selector.h"
#include "daemon/model/unicode.h"

/* Groups are named in selectors, and are selectors: what a term "group = X" says is put in its place. */

static int refuse(const SelectorValue *v, Problem *problem) {
        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-selector", "selector", "at character %u: there is no group \"%.80s\"; group list shows them",
                           v->at, v->text);
}

static void mark_of_customer(Selector *s) {
        for (; s; s = s->next) {
                s->of_customer = true;
                mark_of_customer(s->children);
        }
}

static int read_group(Arena *a, const SelectorValue *v, const SelectorGroups *groups, Selector **ret, Problem *problem) {
        const char *key = text_key(a, v->text);

        for (size_t i = 0; i < groups->n; i++)
                if (strcmp(key, text_key(a, groups->items[i].name)) == 0)
                        return selector_read(a, dataset_find("customers"), groups->items[i].selector, ret, problem);
        return refuse(v, problem);
}

static int expand_term(Arena *a, Selector *s, const SelectorGroups *groups, Problem *problem) {
        Selector *any = NULL, *next = s->next;
        bool negated = s->op == SELECTOR_NE, of_customer = s->of_customer;

        if (s->op != SELECTOR_EQ && !negated)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-selector", "selector", "at character %u: a group is compared with =, != or in", s->at);
        for (size_t i = 0; i < s->n_values; i++) {
                Selector *tree;
                int r = read_group(a, &s->values[i], groups, &tree, problem);
                if (r != 0)
                        return r;
                tree->next = any;
                any = tree;
        }
        if (of_customer)
                mark_of_customer(any);
        if (any->next) {
                Selector *either = arena_alloc(a, sizeof(*either));
                *either = (Selector) { .kind = SELECTOR_OR, .children = any };
                any = either;
        }
        *s = negated ? (Selector) { .kind = SELECTOR_NOT, .children = any } : *any;
        s->next = next;
        return 0;
}

int selector_expand(Arena *a, Selector *s, const SelectorGroups *groups, Problem *problem) {
        if (s->kind == SELECTOR_TERM)
                return s->field == SELECTOR_GROUP ? expand_term(a, s, groups, problem) : 0;
        for (Selector *child = s->children; child; child = child->next) {
                int r = selector_expand(a, child, groups, problem);
                if (r != 0)
                        return r;
        }
        return 0;
}

static bool term_names(Arena *a, const Selector *s, const char *key) {
        if (s->field != SELECTOR_GROUP)
                return false;
        for (size_t i = 0; i < s->n_values; i++)
                if (!key || strcmp(key, text_key(a, s->values[i].text)) == 0)
                        return true;
        return false;
}

bool selector_names_group(Arena *a, const Selector *s, const char *key) {
        if (s->kind == SELECTOR_TERM)
                return term_names(a, s, key);
        for (const Selector *child = s->children; child; child = child->next)
                if (selector_names_group(a, child, key))
                        return true;
        return false;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "client/ctl/command.h"
#include "common/text.h"

/* Options may stand anywhere, also before the noun whose verb they belong to, so the words are read twice: once to find
 * noun and verb, knowing every option of every verb; once with that verb's own options only. Whether an option takes a
 * value is told by the verb if it was named before, else by the first verb that has one of this name. */

static const Option *table_find(const Option *table, const char *name, size_t n) {
        for (const Option *o = table; o && o->name; o++)
                if (strlen(o->name) == n && strncmp(o->name, name, n) == 0)
                        return o;
        return NULL;
}

static const Option *any_find(const Verb *verb, const char *name, size_t n) {
        const Option *o = verb ? table_find(verb->options, name, n) : NULL;
        if (!o)
                o = table_find(program_options, name, n);
        for (size_t i = 0; nouns[i] && !o; i++)
                for (const Verb *v = nouns[i]->verbs; v->name && !o; v++)
                        o = table_find(v->options, name, n);
        return o;
}

static bool wants_value(const Option *o) {
        return o->type != OPTION_FLAG && o->type != OPTION_OPTIONAL;
}

/* What the word at *i is, after the verb or (NULL) before it. Moves *i past a value. option NULL: nobody knows it. */
typedef struct Word {
        bool is_option, ends_options;
        const char *dashes;
        const Option *option;
        const char *name;                    /* of the option, up to = or the end */
        size_t n;
        const char *value;                   /* NULL: none */
        bool missing_value;
} Word;

static Word word_read(const Verb *verb, char **argv, int argc, int *i) {
        const char *s = argv[*i];
        Word w = {};

        if (str_equal(s, "--")) {
                w.ends_options = true;
        } else if (str_starts(s, "--")) {
                w.is_option = true;
                w.dashes = "--";
                w.name = s + 2;
                w.n = strcspn(w.name, "=");
                w.option = any_find(verb, w.name, w.n);
                w.value = w.name[w.n] ? w.name + w.n + 1 : NULL;
        } else if (s[0] == '-' && s[1]) {
                w.is_option = true;
                w.dashes = "-";
                w.name = s + 1;
                w.n = 1;
                w.option = s[1] == 'H'            ? any_find(NULL, "host", 4)
                           : s[1] == 'h' && !s[2] ? any_find(NULL, "help", 4)
                                                  : NULL;
                w.value = s[1] == 'H' && s[2] ? s + 2 : NULL;
                if (!w.option)
                        w.n = strlen(w.name);
        }
        if (w.option && wants_value(w.option) && !w.value) {
                if (*i + 1 < argc)
                        w.value = argv[++*i];
                else
                        w.missing_value = true;
        }
        return w;
}

static bool takes(const Command *c, const Option *o) {
        if (!c->verb || table_find(c->verb->options, o->name, strlen(o->name)))
                return true;
        return o == table_find(program_options, o->name, strlen(o->name)) && verb_takes(c->verb, o);
}

static int unknown_option(const Command *c, const Word *w) {
        const char *names[128];
        size_t n = 0;

        for (const Option *o = program_options; o->name; o++)
                if (takes(c, o))
                        names[n++] = arena_printf(c->arena, "--%s", o->name);
        for (const Option *o = c->verb ? c->verb->options : NULL; o && o->name && n + 1 < ELEMENTSOF(names);
             o++)
                names[n++] = arena_printf(c->arena, "--%s", o->name);
        names[n] = NULL;
        const char *name =
                        arena_printf(c->arena, "%s%.*s", w->dashes, (int) MIN(w->n, (size_t) 100), w->name);
        if (c->verb)
                return fail_usage(name, names,
                                  "%s %s takes no option %s; \"tenantctl %s %s --help\" lists them",
                                  c->noun->name, c->verb->name, name, c->noun->name, c->verb->name);
        return fail_usage(name, names, "there is no option %s", name);
}

static void given_add(Command *c, const Option *o, const char *value) {
        Given *g = NULL;

        for (size_t i = 0; i < c->n_given; i++)
                if (str_equal(c->given[i].option->name, o->name))
                        g = &c->given[i];
        if (!g) {
                Given *all = arena_alloc(c->arena, (c->n_given + 1) * sizeof(*all));
                if (c->n_given > 0)
                        memcpy(all, c->given, c->n_given * sizeof(*all));
                c->given = all;
                g = &c->given[c->n_given++];
                *g = (Given) { .option = o };
        }
        const char **values = arena_alloc(c->arena, (g->n + 2) * sizeof(*values));
        if (g->n > 0)
                memcpy(values, g->values, g->n * sizeof(*values));
        values[g->n++] = value ? value : "";
        g->values = values;
}

static int value_check(Command *c, const Word *w, const Option *o) {
        uint64_t number;

        if (w->missing_value)
                return fail_usage(NULL, NULL, "--%s needs a value: --%s %s", o->name, o->name, o->value);
        if (o->type == OPTION_FLAG && w->value)
                return fail_usage(NULL, NULL, "--%s takes no value", o->name);
        if (!w->value)
                return 0;
        if (!utf8_valid(w->value, strlen(w->value)))
                return fail(EXIT_USAGE, "not-utf8", o->key, "the value of --%s is not UTF-8", o->name);
        if (!*w->value && o->type != OPTION_TEXT)
                return fail(EXIT_USAGE, "empty", o->key, "the value of --%s is empty", o->name);
        if (!*w->value && (str_equal(o->name, "filter") || o->place == TO_SELECTOR))
                return fail(EXIT_USAGE, "empty", o->key, "the value of --%s is empty: it would be everybody",
                            o->name);
        if (o->type == OPTION_NUMBER && !number_parse(w->value, INT64_MAX, &number))
                return fail(EXIT_USAGE, "not-a-number", o->key, "--%s takes a whole number, not \"%.60s\"",
                            o->name, w->value);
        if (o->type == OPTION_NUMBER && str_equal(o->name, "limit") && number == 0)
                return fail(EXIT_USAGE, "out-of-range", o->key, "--limit is at least 1");
        if (o->words && o->type != OPTION_LIST && o->place == TO_PROGRAM && !str_equal(o->name, "bus") &&
            names_find(o->words, w->value) < 0)
                return fail_usage(w->value, o->words, "--%s has no value \"%.60s\"", o->name, w->value);
        if (o->type == OPTION_SWITCH && !str_equal(w->value, "on") && !str_equal(w->value, "off"))
                return fail(EXIT_USAGE, "not-a-switch", o->key, "--%s is on or off, not \"%.60s\"", o->name,
                            w->value);
        if (o->type == OPTION_YES_NO && !str_equal(w->value, "yes") && !str_equal(w->value, "no"))
                return fail(EXIT_USAGE, "not-a-switch", o->key, "--%s is yes or no, not \"%.60s\"", o->name,
                            w->value);
        return 0;
}

static int option_take(Command *c, Word *w) {
        if (!w->option || !takes(c, w->option))
                return unknown_option(c, w);
        /* Where a verb has an option of the same name, that row counts. */
        const Option *own = c->verb ? table_find(c->verb->options, w->option->name, strlen(w->option->name))
                                    : NULL;
        const Option *o = own ? own : w->option;
        int r = value_check(c, w, o);
        if (r == 0)
                given_add(c, o, w->value);
        return r;
}

static int find_noun_and_verb(Command *c, const char *const *words, size_t n) {
        const char *names[64];
        size_t k = 0;

        if (n == 0)
                return 0;
        c->noun = noun_find(words[0]);
        if (!c->noun) {
                for (; nouns[k]; k++)
                        names[k] = nouns[k]->name;
                names[k] = NULL;
                return fail_usage(words[0], names,
                                  "there is no noun \"%.60s\"; \"tenantctl --help\" lists them", words[0]);
        }
        if (n < 2)
                return 0;
        c->verb = verb_find(c->noun, words[1]);
        if (c->verb)
                return 0;
        for (const Verb *v = c->noun->verbs; v->name; v++)
                names[k++] = v->name;
        names[k] = NULL;
        return fail_usage(words[1], names, "%s has no verb \"%.60s\"; \"tenantctl %s --help\" lists them",
                          c->noun->name, words[1], c->noun->name);
}

static const Verb *verb_named(const char *const *words, size_t n) {
        const Noun *noun = n >= 2 ? noun_find(words[0]) : NULL;
        return noun ? verb_find(noun, words[1]) : NULL;
}

static int arguments_check(Command *c) {
        const Verb *v = c->verb;

        for (size_t i = 0; i < c->n_arguments; i++) {
                const char *s = c->arguments[i];
                if (!*s)
                        return fail(EXIT_USAGE, "empty", NULL, "argument %zu of %s %s is empty", i + 1,
                                    c->noun->name, v->name);
                if (!utf8_valid(s, strlen(s)))
                        return fail(EXIT_USAGE, "not-utf8", NULL, "argument %zu of %s %s is not UTF-8",
                                    i + 1, c->noun->name, v->name);
        }
        size_t min = (size_t) v->min - ((v->flags & V_BULK) && command_has(c, "filter") ? 1 : 0);
        if (c->n_arguments < min)
                return fail_usage(NULL, NULL, "%s %s needs %s%s", c->noun->name, v->name, v->arguments,
                                  (v->flags & V_BULK) ? " or --filter" : "");
        if (v->max >= 0 && c->n_arguments > (size_t) v->max)
                return fail_usage(NULL, NULL, "%s %s takes %s%s, not \"%.60s\"", c->noun->name, v->name,
                                  v->max == 0 ? "no arguments" : "no more than ",
                                  v->max == 0 ? "" : v->arguments, c->arguments[v->max]);
        return 0;
}

static void json_mode(Command *c) {
        const char *mode = command_text(c, "json");

        if (!mode)
                return;
        if (!*mode)
                c->json = isatty(STDOUT_FILENO) ? JSON_PRETTY : JSON_SHORT;
        else
                c->json = str_equal(mode, "pretty") ? JSON_PRETTY : JSON_SHORT;
}

int command_parse(Command *c, int argc, char **argv) {
        const char **words = arena_alloc(c->arena, ((size_t) argc + 1) * sizeof(*words));
        size_t n = 0, n_all;
        bool options = true;
        int r;

        c->argc = argc;
        c->argv = argv;
        for (int i = 1; i < argc; i++) {
                Word w = options ? word_read(verb_named(words, n), argv, argc, &i) : (Word) {};
                if (w.ends_options)
                        options = false;
                else if (!w.is_option)
                        words[n++] = argv[i];
                else if (w.option && str_equal(w.option->name, "json"))
                        fail_as_json(true);
        }
        r = find_noun_and_verb(c, words, n);
        if (r != 0)
                return r;
        options = true;
        n_all = n;
        n = 0;
        for (int i = 1; i < argc && options; i++) {
                Word w = word_read(n >= 2 ? c->verb : NULL, argv, argc, &i);
                options = !w.ends_options;
                n += options && !w.is_option;
                if (w.is_option && (r = option_take(c, &w)) != 0)
                        return r;
        }
        json_mode(c);
        c->help = command_has(c, "help");
        c->version = command_has(c, "version");
        if (!c->verb || c->help || c->version)
                return 0;
        c->arguments = words + 2;
        c->n_arguments = n_all - 2;
        return arguments_check(c);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/ctl/help.h"
#include "common/text.h"

static size_t option_width(const Option *o) {
        size_t n = 2 + strlen(o->name);
        if (o->value)
                n += 1 + strlen(o->value) + (o->type == OPTION_OPTIONAL ? 2 : 0);
        return n;
}

static void option_print(FILE *f, const Option *o, size_t width) {
        fprintf(f, "  --%s", o->name);
        if (o->value)
                fprintf(f, o->type == OPTION_OPTIONAL ? "[=%s]" : "=%s", o->value);
        fprintf(f, "%*s  %s\n", (int) (width - option_width(o)), "", o->help);
}

static const Option *own_option(const Verb *v, const char *name) {
        for (const Option *o = v ? v->options : NULL; o && o->name; o++)
                if (str_equal(o->name, name))
                        return o;
        return NULL;
}

static bool is_listed(const Verb *v, const Option *table, const Option *o) {
        return table != program_options || !v || (verb_uses(v, o) && !own_option(v, o->name));
}

static void options_print(FILE *f, const char *title, const Option *table, const Verb *v) {
        size_t width = 0;

        for (const Option *o = table; o && o->name; o++)
                if (is_listed(v, table, o))
                        width = MAX(width, option_width(o));
        if (width == 0)
                return;
        fprintf(f, "\n%s:\n", title);
        for (const Option *o = table; o->name; o++)
                if (is_listed(v, table, o))
                        option_print(f, o, width);
}

/* Completion reads these lines too. */
static void words_print(FILE *f, const Verb *v) {
        for (const Option *o = v->options; o && o->name; o++) {
                Buffer b = {};
                for (size_t i = 0; o->words && o->words[i]; i++)
                        buffer_printf(&b, "%s%s", i == 0 ? "" : ", ", o->words[i]);
                if (b.size > 0)
                        fprintf(f, "\nValues of --%s: %s\n", o->name, b.data);
                buffer_done(&b);
        }
}

static void verb_help(const Noun *noun, const Verb *v, FILE *f) {
        fprintf(f, "tenantctl %s %s%s%s [OPTIONS]\n\n%s\n", noun->name, v->name, v->arguments ? " " : "",
                v->arguments ? v->arguments : "", v->help);
        if (v->columns)
                fprintf(f, "\nColumns shown unless --columns is given:\n  %s\n", v->columns);
        options_print(f, "Options", v->options, v);
        words_print(f, v);
        options_print(f, "Common options", program_options, v);
}

static void noun_help(const Noun *noun, FILE *f) {
        size_t width = 0;

        fprintf(f, "tenantctl %s VERB [ARGUMENTS] [OPTIONS]\n\n%s\n\nVerbs:\n", noun->name, noun->help);
        for (const Verb *v = noun->verbs; v->name; v++)
                width = MAX(width, strlen(v->name) + (v->arguments ? 1 + utf8_length(v->arguments) : 0));
        for (const Verb *v = noun->verbs; v->name; v++) {
                size_t n = strlen(v->name) + (v->arguments ? 1 + utf8_length(v->arguments) : 0);
                fprintf(f, "  %s%s%s%*s  %s\n", v->name, v->arguments ? " " : "",
                        v->arguments ? v->arguments : "", (int) (width - n), "", v->help);
        }
        fprintf(f, "\n\"tenantctl %s VERB --help\" shows the options of a verb.\n", noun->name);
}

static void program_help(FILE *f) {
        fprintf(f,
                "tenantctl [OPTIONS] NOUN VERB [ARGUMENTS]\n\nRuns your customers through the tenantd daemon.\n\nNouns:\n");
        size_t width = 0;
        for (size_t i = 0; nouns[i]; i++)
                width = MAX(width, strlen(nouns[i]->name));
        for (size_t i = 0; nouns[i]; i++)
                fprintf(f, "  %-*s  %s\n", (int) width, nouns[i]->name, nouns[i]->help);
        options_print(f, "Options", program_options, NULL);
        fprintf(f,
                "\nExit codes: 0 ok; 1 failed; 2 usage; 3 not found; 4 not authorized; 5 refused; 6 daemon unreachable;\n"
                "7 an operation ended with failed items; 130 interrupted.\n"
                "\n\"tenantctl NOUN --help\" shows the verbs of a noun.\n");
}

void help_print(const Command *c, FILE *f) {
        if (c->verb)
                verb_help(c->noun, c->verb, f);
        else if (c->noun)
                noun_help(c->noun, f);
        else
                program_help(f);
}

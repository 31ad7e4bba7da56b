/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/text.h"
#include "daemon/model/mail-text.h"

#define SIGNATURE "\n-- \n{partner}\n"

const MailText mail_texts[] = {
        { "report", "en", "{title} for {organization}, {date}",
          "Good day,\n\nattached is the report \"{title}\" for {organization}, with the data of {date}.\n" SIGNATURE },
        { "report", "de", "{title} für {organization}, {date}",
          "Guten Tag,\n\nim Anhang finden Sie den Bericht „{title}“ für {organization} mit den Daten vom {date}.\n" SIGNATURE },
        { "schedule", "en", "{title}, {date}",
          "Good day,\n\nattached is the scheduled report \"{title}\" with the data of {date} ({rows} rows).\n" SIGNATURE },
        { "schedule", "de", "{title}, {date}",
          "Guten Tag,\n\nim Anhang finden Sie den regelmäßigen Bericht „{title}“ mit den Daten vom {date} ({rows} Zeilen).\n" SIGNATURE },
        { "verification", "en", "Your code for reports of {partner}",
          "Good day,\n\n{partner} would like to send reports about {organization} to this address. To agree, pass on this code:\n\n"
          "    {code}\n\nor open this link:\n\n    {link}\n\nBoth are good for {minutes} minutes. If you do not expect this, do nothing: no report is sent.\n" SIGNATURE },
        { "verification", "de", "Ihr Code für Berichte von {partner}",
          "Guten Tag,\n\n{partner} möchte Berichte über {organization} an diese Adresse senden. Wenn Sie einverstanden sind, geben Sie diesen Code weiter:\n\n"
          "    {code}\n\noder öffnen Sie diesen Link:\n\n    {link}\n\nBeide gelten {minutes} Minuten. Falls Sie das nicht erwarten, tun Sie nichts: Es wird kein Bericht gesendet.\n" SIGNATURE },
        { "hand-over", "en", "{organization} now manages its services itself",
          "Good day,\n\nfrom today on, {organization} manages its services itself. {partner} starts nothing any more and has no access to your environment:"
          " the credentials we held were deleted. Subscriptions and billing go on as before.\n\nIf {partner} is to take over again, you can agree to that at any time.\n" SIGNATURE },
        { "hand-over", "de", "{organization} verwaltet seine Dienste nun selbst",
          "Guten Tag,\n\nab heute verwaltet {organization} seine Dienste selbst. {partner} startet nichts mehr und hat keinen Zugriff auf Ihre Umgebung:"
          " Die Zugangsdaten, die wir hatten, wurden gelöscht. Abonnements und Abrechnung laufen weiter wie bisher.\n\nSoll {partner} wieder übernehmen, können Sie dem jederzeit zustimmen.\n" SIGNATURE },
        { "invitation", "en", "{partner} invites {organization}",
          "Good day,\n\n{partner} asks you to authorize its services for {organization}. Please open this link:\n\n    {link}\n\nIt is good until {until}.\n" SIGNATURE },
        { "invitation", "de", "{partner} lädt {organization} ein",
          "Guten Tag,\n\n{partner} bittet Sie, seine Dienste für {organization} freizugeben. Bitte öffnen Sie diesen Link:\n\n    {link}\n\nEr gilt bis {until}.\n" SIGNATURE },
        { "incident-open", "en", "{severity}: {condition}, {organization}", "{organization}: {condition}\n\n{details}\n" SIGNATURE },
        { "incident-open", "de", "{severity}: {condition}, {organization}", "{organization}: {condition}\n\n{details}\n" SIGNATURE },
        { "incident-resolved", "en", "Resolved: {condition}, {organization}", "{organization}: {condition} is over.\n\n{details}\n" SIGNATURE },
        { "incident-resolved", "de", "Behoben: {condition}, {organization}", "{organization}: {condition} ist behoben.\n\n{details}\n" SIGNATURE },
        { "summary", "en", "Summary of {date}", "Good day,\n\nthis is the summary of {date}.\n\n{details}\n" SIGNATURE },
        { "summary", "de", "Zusammenfassung vom {date}", "Guten Tag,\n\ndies ist die Zusammenfassung vom {date}.\n\n{details}\n" SIGNATURE },
        { "digest", "en", "{count} messages were held back", "Good day,\n\n{count} messages were held back:\n\n{details}\n" SIGNATURE },
        { "digest", "de", "{count} Meldungen wurden zurückgehalten", "Guten Tag,\n\n{count} Meldungen wurden zurückgehalten:\n\n{details}\n" SIGNATURE },
        { "statement", "en", "Statement {number} for {organization}", "Good day,\n\nattached is statement {number} for {organization}, {date}.\n" SIGNATURE },
        { "statement", "de", "Abrechnung {number} für {organization}", "Guten Tag,\n\nim Anhang finden Sie die Abrechnung {number} für {organization} vom {date}.\n" SIGNATURE },
        { "test", "en", "Test mail of tenantd on {host}", "Good day,\n\nthis is a test mail of tenantd on {host}, sent at {date}. It arrived.\n" SIGNATURE },
        { "test", "de", "Testmail von tenantd auf {host}", "Guten Tag,\n\ndies ist eine Testmail von tenantd auf {host}, gesendet {date}. Sie ist angekommen.\n" SIGNATURE },
        {},
};

const char *const mail_events[] = {
        "report", "schedule", "verification", "hand-over", "invitation", "incident-open", "incident-resolved", "summary", "digest", "statement", "test", NULL,
};

#define NAMES(...) ((const char *const[]) { __VA_ARGS__, NULL })

static const struct {
        const char *event;
        const char *const *variables;
} variables_of[] = {
        { "report", NAMES("partner", "organization", "title", "date", "rows", "file_name") },
        { "schedule", NAMES("partner", "organization", "title", "date", "rows", "file_name") },
        { "verification", NAMES("partner", "organization", "code", "link", "minutes") },
        { "hand-over", NAMES("partner", "organization", "date") },
        { "invitation", NAMES("partner", "organization", "link", "until") },
        { "incident-open", NAMES("partner", "organization", "severity", "condition", "details") },
        { "incident-resolved", NAMES("partner", "organization", "severity", "condition", "details") },
        { "summary", NAMES("partner", "organization", "date", "details") },
        { "digest", NAMES("partner", "count", "details") },
        { "statement", NAMES("partner", "organization", "number", "date") },
        { "test", NAMES("partner", "host", "date") },
};

const MailText *mail_text_find(const char *event, const char *language) {
        for (const MailText *t = mail_texts; t->event; t++)
                if (str_equal(t->event, event) && str_equal(t->language, language))
                        return t;
        return NULL;
}

const char *const *mail_text_variables(const char *event) {
        for (size_t i = 0; i < ELEMENTSOF(variables_of); i++)
                if (str_equal(variables_of[i].event, event))
                        return variables_of[i].variables;
        return NULL;
}

/* A variable is {lower_case}; any other brace is just a brace. Returns its length with both braces, 0: none. */
static size_t variable_at(const char *p) {
        size_t n = 1;

        if (*p != '{')
                return 0;
        while ((p[n] >= 'a' && p[n] <= 'z') || p[n] == '_')
                n++;
        return n > 1 && p[n] == '}' ? n + 1 : 0;
}

static bool is_name(const char *name, const char *p, size_t n) {
        return strlen(name) == n && strncmp(name, p, n) == 0;
}

int mail_text_check(const char *event, const char *field, const char *text, Problem *problem) {
        const char *const *known = mail_text_variables(event);

        for (const char *p = text; *p; p++) {
                size_t n = variable_at(p);
                bool found = n == 0;
                for (size_t i = 0; known && known[i] && !found; i++)
                        found = is_name(known[i], p + 1, n - 2);
                if (found)
                        continue;
                Buffer list = {};
                names_join(&list, known);
                problem_set(problem, PROBLEM_INVALID_ARGUMENT, "unknown-variable", field, "%.*s is no variable of %s mails; there are %s", (int) MIN(n, (size_t) 60), p,
                            event, buffer_string(&list));
                buffer_done(&list);
                return 1;
        }
        return 0;
}

static void put_value(Buffer *b, const char *value, bool one_line) {
        for (const char *p = value; *p; p++)
                buffer_add_char(b, one_line && (*p == '\n' || *p == '\t' || *p == '\r') ? ' ' : *p);
}

void mail_text_expand(const char *text, const MailVariable *variables, bool one_line, Buffer *ret) {
        for (const char *p = text; *p;) {
                size_t n = variable_at(p), i = 0;
                while (n > 0 && variables[i].name && !is_name(variables[i].name, p + 1, n - 2))
                        i++;
                if (n == 0 || !variables[i].name) {
                        buffer_add_char(ret, *p++);
                        continue;
                }
                put_value(ret, variables[i].value ?: "", one_line);
                p += n;
        }
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#include "common/log.h"
#include "common/text.h"

static const char *const level_names[] = { "error", "warning", "info", "debug", NULL };
static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

static const char *program_name = "tenantd";
static bool to_journal;
static _Atomic int current = LOG_LEVEL_INFO;

/* The variable names the journal's socket; whoever starts us with another stderr may have inherited it. */
static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long device, inode;
        struct stat st;

        return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
               st.st_dev == device && st.st_ino == inode;
}

void log_open(const char *program) {
        program_name = program;
        to_journal = stderr_is_journal();
}

void log_set_level(LogLevel level) {
        atomic_store(&current, (int) level);
}

LogLevel log_level(void) {
        return (LogLevel) atomic_load_explicit(&current, memory_order_relaxed);
}

const char *log_level_name(LogLevel level) {
        return level_names[level];
}

int log_level_from_name(const char *name) {
        return names_find(level_names, name);
}

void log_at(LogLevel level, const char *file, int line, const char *function, const char *format, ...) {
        char text[2048];
        va_list ap;

        if (level > log_level())
                return;
        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);

        Buffer shown = {};
        text_escape_controls(&shown, text, strlen(text));
        if (!to_journal ||
            sd_journal_send("MESSAGE=%s", buffer_string(&shown), "PRIORITY=%i", priorities[level],
                            "SYSLOG_IDENTIFIER=%s", program_name, "CODE_FILE=%s", file, "CODE_LINE=%i", line,
                            "CODE_FUNC=%s", function, NULL) < 0)
                fprintf(stderr, "%s: %s: %s\n", program_name, level_names[level], buffer_string(&shown));
        buffer_done(&shown);
}

void log_fields(LogLevel level, const char *const *fields, const char *format, ...) {
        enum { OWN = 3, MOST = 16 };
        char text[2048], priority[20], identifier[80];
        struct iovec parts[OWN + MOST] = {};
        size_t n = OWN;
        va_list ap;

        if (level > log_level())
                return;
        va_start(ap, format);
        size_t head = (size_t) snprintf(text, sizeof(text), "MESSAGE=");
        vsnprintf(text + head, sizeof(text) - head, format, ap);
        va_end(ap);
        snprintf(priority, sizeof(priority), "PRIORITY=%i", priorities[level]);
        snprintf(identifier, sizeof(identifier), "SYSLOG_IDENTIFIER=%s", program_name);
        const char *const own[OWN] = { text, priority, identifier };
        for (size_t i = 0; i < OWN; i++)
                parts[i] = (struct iovec) { (char *) own[i], strlen(own[i]) };
        for (; fields[n - OWN] && n < OWN + MOST; n++)
                parts[n] = (struct iovec) { (char *) fields[n - OWN], strlen(fields[n - OWN]) };
        if (!to_journal || sd_journal_sendv(parts, (int) n) < 0)
                fprintf(stderr, "%s: %s: %s\n", program_name, level_names[level], text + head);
}

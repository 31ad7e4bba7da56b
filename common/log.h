/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The log: to the journal with fields if stderr is the journal (JOURNAL_STREAM), else one line each to stderr.
 * Text from outside is escaped here; secrets never come here. Safe from any thread. */

#include "common/macro.h"

typedef enum LogLevel { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, _LOG_LEVEL_MAX } LogLevel;

void log_open(const char *program);                              /* static string; before the first thread */
void log_set_level(LogLevel level);                              /* may be called at any time */
LogLevel log_level(void);
const char *log_level_name(LogLevel level);                      /* error warning info debug */
int log_level_from_name(const char *name);                       /* -1 if unknown */

void log_at(LogLevel level, const char *file, int line, const char *function, const char *format, ...)
        _printf_(5, 6);

/* The same with fields of its own in the journal: "NAME=value" strings, NULL-terminated. */
void log_fields(LogLevel level, const char *const *fields, const char *format, ...) _printf_(3, 4);

#define log_error(...) log_at(LOG_LEVEL_ERROR, __FILE__, __LINE__, __func__, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __FILE__, __LINE__, __func__, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __FILE__, __LINE__, __func__, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __FILE__, __LINE__, __func__, __VA_ARGS__)
